"""A mixed load for long, and whether anything grows: memory, descriptors, threads, latency, jobs that wait, free pages.

scripts/in-namespace .venv/bin/python -m tests.faults.soak       (make soak; SECONDS=3600, SOAK_FOLDER=docs)
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy import text

from storage.index.engine import Database
from tests.archives import Backend, LiveArchive, start_archive
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.reading import settled

MB = 1 << 20
Series = list[tuple[float, float]]
"""Seconds since the beginning, and a value."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What may not grow: in the second half by no more than `most` of its median, or `least` where that is little."""

    name: str
    unit: str
    most: float
    least: float


MEASURES = (
    Measure("resident memory", "MB", 0.10, 20),
    Measure("descriptors", "", 0.10, 10),
    Measure("threads", "", 0.10, 5),
    Measure("latency p50", "ms", 0.50, 10),
    Measure("latency p99", "ms", 1.00, 100),
    Measure("jobs waiting", "", 0.50, 200),
    Measure("free pages", "", 0.50, 2000),
)


@dataclass(slots=True)
class Soak:
    """Samples of an archive under load."""

    live: LiveArchive
    load: Load
    database: Database
    series: defaultdict[str, Series] = field(default_factory=lambda: defaultdict(list))
    _begun: float = field(default_factory=time.monotonic)
    _seen: int = 0

    def run(self, seconds: float, *, every: float) -> None:
        while time.monotonic() - self._begun < seconds:
            time.sleep(every)
            self._sample()
            assert not self.load.wrong, self.load.wrong[:5]

    def _sample(self) -> None:
        at = time.monotonic() - self._begun
        supervisor = psutil.Process(self.live.child.pid)
        processes = [supervisor, *supervisor.children(recursive=True)]
        kinds = {
            "resident memory": sum(one.memory_full_info().uss for one in processes) / MB,
            "descriptors": float(sum(one.num_fds() for one in processes)),
            "threads": float(sum(one.num_threads() for one in processes)),
        }
        new, self._seen = self.load.latencies[self._seen :], len(self.load.latencies)
        times = sorted(1000 * took for _, what, took in new if what != "C-MOVE")
        if len(times) > 10:
            kinds["latency p50"], kinds["latency p99"] = statistics.median(times), times[int(len(times) * 0.99)]
        with self.database.read() as connection:
            kinds["jobs waiting"] = float(connection.execute(text("SELECT count(*) FROM jobs")).scalar_one())
            if self.database.is_sqlite:
                kinds["free pages"] = float(connection.execute(text("PRAGMA freelist_count")).scalar_one())
        for name, value in kinds.items():
            self.series[name].append((at, value))

    def growing(self) -> list[str]:
        """What has a trend, as sentences."""
        return [said for measure in MEASURES if (said := _judged(measure, self.series[measure.name]))]


def growth(series: Series) -> float:
    """How much more there is at the end of the second half than at its beginning, by Theil and Sen's slope."""
    half = series[len(series) // 2 :]
    if len(half) < 4:
        return 0.0
    step = max(1, len(half) // 200)
    points = half[::step]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for n, a in enumerate(points) for b in points[n + 1 :]]
    return statistics.median(slopes) * (half[-1][0] - half[0][0])


def _judged(measure: Measure, series: Series) -> str:
    if not series:
        return ""
    middle = statistics.median(value for _, value in series[len(series) // 2 :])
    grown = growth(series)
    if grown <= max(measure.most * middle, measure.least):
        return ""
    return f"{measure.name} grew by {grown:.1f} {measure.unit} in the second half, around {middle:.1f}"


def plot(series: Series, measure: Measure) -> str:
    """A line in an SVG."""
    width, height = 640, 120
    most = max((value for _, value in series), default=0) or 1.0
    end = series[-1][0] if series else 1.0
    points = " ".join(
        f"{40 + x / end * (width - 60):.1f},{height - 20 - y / most * (height - 40):.1f}" for x, y in series
    )
    said = f"{measure.name}, at most {most:.0f} {measure.unit}, {end:.0f} s"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/><text x="40" y="14">{said}</text>'
        f'<polyline fill="none" stroke="#2a6" stroke-width="1.5" points="{points}"/></svg>\n'
    )


def report(soak: Soak, folder: Path, seconds: float, compared: str) -> None:
    """`soak.md` with a table, and a plot of each measure beside it; `compared` is what came of looking at everything in
    the end."""
    folder.mkdir(parents=True, exist_ok=True)
    done = ", ".join(f"{count} {what}" for what, count in sorted(soak.load.done.items()))
    lines = [
        "# Soak",
        "",
        f"{seconds:.0f} seconds of mixed load on {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}: {done}.",
        f"{len(soak.load.ledger.acknowledged)} instances were acknowledged; {compared}.",
        "",
        "| measure | first half, median | second half, median | growth in the second half |",
        "|---|---|---|---|",
    ]
    for measure in MEASURES:
        if series := soak.series[measure.name]:
            halves = (series[: len(series) // 2] or series, series[len(series) // 2 :])
            first, second = (statistics.median(value for _, value in half) for half in halves)
            name = f"{measure.name} ({measure.unit})" if measure.unit else measure.name
            lines.append(f"| {name} | {first:.1f} | {second:.1f} | {growth(series):+.1f} |")
            (folder / f"{measure.name.replace(' ', '-')}.svg").write_text(plot(series, measure))
    (folder / "soak.md").write_text("\n".join(lines) + "\n")


def soak(folder: Path, out: Path, seconds: float, *, begin: Callable[[LiveArchive], Load]) -> list[str]:
    """Run it, write the report, and say what is not as it should be."""
    live = start_archive(Backend("sqlite+folder", folder))
    database = Database(f"sqlite:///{folder}/data/index.sqlite", pool_size=1)
    try:
        load = begin(live)
        running = Soak(live, load, database)
        running.run(seconds, every=max(0.5, seconds / 400))
        load.stop()
        report(running, out, seconds, "they were not compared yet in the end")
        wrong = settled(live, load.ledger, patience=seconds)
        report(
            running, out, seconds, f"{len(wrong)} of them lost or different" if wrong else "all are there, unchanged"
        )
        return running.growing() + wrong
    finally:
        database.close()
        live.stop()


def main(arguments: Sequence[str]) -> int:
    seconds = float(os.environ.get("SECONDS") or 3600)
    out = Path(os.environ.get("SOAK_FOLDER") or "docs/soak")
    with tempfile.TemporaryDirectory(prefix="vna-soak-", dir=Path.cwd()) as place:
        ledger = Ledger(Path(place, "ledger"))

        def begin(live: LiveArchive) -> Load:
            load = Load(live, ledger, seed=1, pause=0.05)
            load.start()
            return load

        wrong = soak(Path(place), out, seconds, begin=begin)
        ledger.close()
    print("\n".join(wrong) or f"flat; see {out}/soak.md")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

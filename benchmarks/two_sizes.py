"""The frame of benchmarks that ask the same of a small and of a large archive, on each database."""

from __future__ import annotations

import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from storage.index.engine import Database
from tests.archives import Backend, start_archive
from tests.peers.postgres import PostgresServer

SMALL = 10_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """`fill` puts so many `things` into an index; `ask` gives medians in milliseconds of so many rounds, `/healthz`
    among them; what is `compared` is said as ratios."""

    name: str
    things: str
    about: str | None
    fill: Callable[[Database, int], None]
    ask: Callable[[httpx.Client, int, int], dict[str, float]]
    compared: tuple[str, ...]
    rounds: int

    def main(self, words: list[str]) -> None:
        """Fill, serve, ask in turn, print."""
        parser = ArgumentParser(prog=f'make bench ARGS="{self.name} ..."', description=self.about)
        large = f"{self.things} of the large one (default a million)"
        parser.add_argument("--count", type=int, default=1_000_000, help=large)
        parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
        parser.add_argument("--rounds", type=int, default=self.rounds)
        options = parser.parse_args(words)
        for name in ("sqlite", "postgresql"):
            if options.database in (name, "both"):
                folder = tempfile.TemporaryDirectory(prefix="vna-bench-", ignore_cleanup_errors=True)
                with folder as path, _urls(name, Path(path)) as urls:
                    self._compare(name, urls, Path(path), options.count, options.rounds)

    def _compare(self, name: str, urls: tuple[str, str], folder: Path, count: int, rounds: int) -> None:
        taken: dict[str, float] = {}
        for url, number in zip(urls, (SMALL, count), strict=True):
            started = time.perf_counter()
            database = Database(url)
            self.fill(database, number)
            database.close()
            print(f"{name}: {number} {self.things} in {time.perf_counter() - started:.0f} s", flush=True)
            place = folder / str(number)
            place.mkdir(exist_ok=True)
            archive = start_archive(Backend(name, place, {"VNA_DATABASE__URL": url}), LOG__LEVEL="error")
            try:
                with httpx.Client(base_url=archive.http, timeout=30) as client:
                    times = self.ask(client, number, rounds)
            finally:
                archive.stop()
            taken |= {f"{what} {number}": median for what, median in times.items()}
            print("    " + ", ".join(f"{what} {median:.2f} ms" for what, median in times.items()), flush=True)
        for what in self.compared:
            small, large = taken[f"{what} {SMALL}"], taken[f"{what} {count}"]
            beside = large / taken[f"/healthz {count}"]
            print(f"    {what}: large / small {large / small:.2f}, large / healthz {beside:.2f}", flush=True)


@contextmanager
def _urls(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    if name == "sqlite":
        yield f"sqlite:///{folder}/small.sqlite", f"sqlite:///{folder}/large.sqlite"
        return
    server = PostgresServer(folder, settings=())
    server.start()
    yield server.new_database(), server.new_database()
    server.stop()

"""The soak test itself: it runs, it reports, and it sees what grows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.archives import LiveArchive
from tests.faults.load import Load
from tests.faults.results import rounds
from tests.faults.soak import MEASURES, growth, plot, soak


def test_a_short_soak_reports(tmp_path: Path, under_load: Callable[..., Load]) -> None:
    """Seconds are too few to see a trend: what was stored has to be there, and the report whole."""

    def begin(live: LiveArchive) -> Load:
        load = under_load(live)
        load.pause = 0.05
        return load

    wrong = soak(tmp_path, tmp_path / "report", rounds(8, 60), begin=begin)
    assert not [line for line in wrong if " grew by " not in line]
    said = (tmp_path / "report" / "soak.md").read_text()
    assert all(f"| {measure.name}" in said for measure in MEASURES)
    assert len(list((tmp_path / "report").glob("*.svg"))) == len(MEASURES)


def test_growth_is_seen_through_noise_and_single_peaks() -> None:
    flat = [(float(n), 100.0 + (n * 7 % 5) + (500.0 if n == 90 else 0.0)) for n in range(120)]
    leaking = [(at, value + at) for at, value in flat]
    assert abs(growth(flat)) < 2
    assert 50 < growth(leaking) < 70
    assert growth(flat[:3]) == 0.0
    assert plot(leaking, MEASURES[0]).startswith("<svg")

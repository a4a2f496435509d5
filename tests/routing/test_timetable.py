"""Rates by the time of day: what is read of a text, and that a rate holds when its time comes while something runs."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from vna.model.errors import BadRequest
from vna.routing.timetable import UNLIMITED, Governor, Rate, read_timetable

EVENING = datetime(2026, 1, 2, 18, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("20MB/s", {0: Rate(bytes=20e6), 1439: Rate(bytes=20e6)}),
        ("1.5 MiB/s", {700: Rate(bytes=1.5 * (1 << 20))}),
        ("50/s", {700: Rate(instances=50)}),
        ("50 instances/s", {700: Rate(instances=50)}),
        ("unlimited", {700: UNLIMITED}),
        ("07:00-19:00=20MB/s, 19:00-07:00=unlimited", {419: UNLIMITED, 420: Rate(bytes=20e6), 1140: UNLIMITED}),
        ("7:00-19:00=0", {419: UNLIMITED, 420: Rate(0, 0), 1139: Rate(0, 0), 1140: UNLIMITED}),
        ("22:00-06:00=500KB/s", {1319: UNLIMITED, 1320: Rate(bytes=5e5), 0: Rate(bytes=5e5), 360: UNLIMITED}),
        ("18:00-24:00=0", {1439: Rate(0, 0), 0: UNLIMITED}),
        ("18:00-00:00=0", {1439: Rate(0, 0), 0: UNLIMITED}),
    ],
)
def test_a_text_says_the_rate_of_every_minute(text: str, rates: dict[int, Rate]) -> None:
    table = read_timetable(text)
    assert {minute: table.at(minute) for minute in rates} == rates


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "MB/s",
        "1e3MB/s",
        "20 MB",
        "NaN/s",
        "07:00=1MB/s",
        "07:00-08:00",
        "07:00-08:00=",
        "-1/s",
        "9" * 13 + "/s",
    ],
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        read_timetable(text)


class Clock:
    """A time of day that passes as quickly as a test says."""

    def __init__(self, begin: datetime) -> None:
        self.now = begin

    def __call__(self) -> datetime:
        return self.now


def test_a_rate_that_begins_later_holds_then_and_what_waits_goes_on_at_once() -> None:
    clock, stopped = Clock(EVENING), threading.Event()
    governor = Governor(read_timetable("07:00-19:00=1KB/s, 19:00-07:00=unlimited"), stopped, now=clock)
    governor.take(100_000)
    waiting = threading.Thread(target=governor.take, args=(1000,), daemon=True)
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive(), "a hundred seconds are to be waited for"
    clock.now += timedelta(seconds=2)
    waiting.join(2)
    assert not waiting.is_alive()


def test_a_pause_is_waited_for_and_ends_when_its_time_is_over() -> None:
    clock, stopped = Clock(EVENING), threading.Event()
    governor = Governor(read_timetable("08:00-19:00=0"), stopped, now=clock)
    assert governor.pause() == "19:00"
    going: list[bool] = []
    waiting = threading.Thread(target=lambda: going.append(governor.wait_turn()), daemon=True)
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    clock.now += timedelta(seconds=2)
    waiting.join(2)
    assert (going, governor.pause()) == ([True], None)


def test_who_waits_for_a_pause_to_end_is_let_go_when_stopped() -> None:
    stopped = threading.Event()
    governor = Governor(read_timetable("08:00-19:00=0"), stopped, now=Clock(EVENING))
    threading.Timer(0.1, stopped.set).start()
    begun = time.monotonic()
    assert not governor.wait_turn()
    assert time.monotonic() - begun < 1


def test_what_has_begun_is_brought_to_its_end_in_a_pause() -> None:
    clock = Clock(EVENING - timedelta(hours=11))
    governor = Governor(read_timetable("08:00-19:00=0"), threading.Event(), now=clock)
    governor.take(1000, 1)
    clock.now = EVENING
    begun = time.monotonic()
    for _ in range(100):
        governor.take(1 << 20, 1)
    assert time.monotonic() - begun < 0.5


def test_threads_share_a_rate() -> None:
    governor = Governor(read_timetable("1MB/s"), threading.Event())

    def take() -> None:
        for _ in range(30):
            governor.take(10_000)

    threads = [threading.Thread(target=take) for _ in range(4)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.9 < time.monotonic() - begun < 3

"""Parts of a list: together they are the whole, each is smaller, and it comes to an end."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from vna.model.query import Key
from vna.routing.scope import Scope
from vna.routing.windows import Kind, Window, read


@pytest.mark.parametrize(
    ("window", "values"),
    [
        (Window(), ()),
        (Window(Kind.DAYS, last=date(1999, 12, 31)), ("-19991231",)),
        (Window(Kind.DAYS, date(2020, 1, 1)), ("20200101-",)),
        (Window(Kind.DAYS, date(2020, 1, 1), date(2020, 1, 31)), ("20200101-20200131",)),
        (Window(Kind.DAYS, date(2020, 1, 1), date(2020, 1, 1)), ("20200101",)),
        (Window(Kind.DAYS), ("00010101-",)),
        (
            Window(Kind.MINUTES, date(2020, 1, 1), date(2020, 1, 1), 60, 119),
            ("20200101", "010000-015959.999999"),
        ),
        (Window(Kind.BEGINNING, text="A1"), ("A1*",)),
        (Window(Kind.EXACTLY, text="A1"), ("A1",)),
    ],
)
def test_a_window_is_asked_for_by_keys_that_every_archive_knows(window: Window, values: tuple[str, ...]) -> None:
    assert tuple(value for key in window.keys for value in key.values) == values
    assert read(window.span) == window


@pytest.mark.parametrize(
    "dates", [(), ("20200101",) * 3, ("20240101", "00010101"), ("99991231",), ("nonsense", "20201340")]
)
def test_parts_have_every_day_once_and_come_to_an_end(dates: tuple[str, ...]) -> None:
    window, depth = Window(), 0
    while window.first < window.last or window.kind is Kind.EVERYTHING:
        left, right = window.parted(dates, ())
        assert (left.first, right.last) == (window.first, window.last)
        assert right.first == left.last + timedelta(days=1)
        window = left if depth % 2 else right
        depth += 1
        if depth > 40:
            window = left
        assert depth < 5000
    assert window.first == window.last


def test_a_day_comes_apart_into_minutes_and_a_minute_into_patients() -> None:
    window = Window(Kind.DAYS, date(2020, 1, 1), date(2020, 1, 1))
    for _ in range(12):
        if window.begin == window.end:
            break
        left, right = window.parted(("20200101",) * 9, ())
        assert (left.begin, right.end, right.begin) == (window.begin, window.end, left.end + 1)
        window = right
    parts = window.parted((), ["ä1", "A2", "*3"])
    assert {part.text for part in parts} >= {"0", "A", "Z", "ä"}
    assert "*" not in {part.text for part in parts}
    assert all(part.keys[:2] == window.keys for part in parts)
    (exactly, *longer) = parts[0].parted((), ["0-7"])
    assert exactly.keys[-1] == Key(("00100020",), "LO", ("0",))
    assert "0-" in {part.text for part in longer}
    assert exactly.parted((), ()) == ()


def test_the_same_choice_is_the_same_takeover() -> None:
    assert Scope(modalities=("CT", "MR")).text == Scope(modalities=("MR", "CT")).text
    assert Scope(patient_id="P1").text != Scope().text
    assert "P1" not in Scope(patient_id="P1").words

"""Callers many of whose look-ups fail are slowed down and told of, in all processes together."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sgk.conftest import AYSE, Archive
from vna.board import OwnBoard, SharedBoard
from vna.teleradiology.guesses import Guesses


def test_a_caller_waits_longer_and_longer_until_a_minute_is_over() -> None:
    now = [1000.0]
    boards: dict[int, OwnBoard] = {}
    guesses = Guesses(lambda part: boards.setdefault(part, OwnBoard()), many=3, clock=lambda: now[0])

    assert [guesses.failed("a") for _ in range(5)] == [0, 0, 3, 0, 0]
    assert guesses.pause("a") == pytest.approx(0.15)
    assert guesses.pause("b") == 0
    for _ in range(100):
        guesses.failed("a")
    assert guesses.pause("a") == 2
    now[0] += 61
    assert guesses.pause("a") == 0
    assert guesses.failed("a") == 0


def test_processes_of_a_node_count_together(tmp_path: Path) -> None:
    one, other = (Guesses(lambda part: SharedBoard(tmp_path, str(part)), many=2) for _ in range(2))

    assert one.failed("a") == 0
    assert other.failed("a") == 2
    assert one.pause("a") > 0


def test_more_callers_than_there_is_room_for_push_out_the_quietest() -> None:
    now = [1000.0]
    board = OwnBoard()
    guesses = Guesses(lambda _: board, many=1, clock=lambda: now[0])
    for number in range(200):
        now[0] += 0.01
        guesses.failed(str(number))

    assert guesses.pause("199") > 0
    assert guesses.pause("0") == 0


def test_guessing_is_slowed_down_and_raises_an_alarm(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("anyio.sleep", sleep)
    alarms: list[str] = []
    monkeypatch.setattr("vna.events.emit", lambda name, **_: alarms.append(name))
    for number in range(32):
        archive.ask("goruntuSorgula", accession=f"GUESS{number}", hastaTCK=AYSE)

    assert alarms.count("lookup.alarm") == 1
    assert len(slept) == 2
    (warned,) = [record for record in caplog.records if record.getMessage() == "many look-ups of one caller fail"]
    assert (warned.__dict__["caller"], warned.__dict__["failures"]) == ("local", 30)
    assert "GUESS" not in caplog.text

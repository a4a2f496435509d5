"""In-process events: whoever counts never disturbs what is counted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from vna import events


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    got: list[dict[str, Any]] = []

    def subscriber(**fields: Any) -> None:
        got.append(fields)

    events.subscribe("worker.started", subscriber)
    yield got
    events.unsubscribe("worker.started", subscriber)


def test_a_subscriber_hears_its_event_with_the_fields(heard: list[dict[str, Any]]) -> None:
    events.emit("worker.started", kind="http", pid=1)
    events.emit("worker.died", kind="http", pid=1)
    assert heard == [{"kind": "http", "pid": 1}]


def test_a_subscriber_that_fails_is_logged_and_harms_nobody(
    heard: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_fields: Any) -> None:
        raise ZeroDivisionError

    events.subscribe("worker.started", broken)
    try:
        with caplog.at_level(logging.ERROR, "vna.events"):
            events.emit("worker.started", kind="http", pid=2)
    finally:
        events.unsubscribe("worker.started", broken)
    assert heard == [{"kind": "http", "pid": 2}]
    assert [record.message for record in caplog.records] == ["subscriber failed"]


def test_nobody_hears_after_unsubscribing() -> None:
    got: list[int] = []

    def subscriber(*, pid: int, **_fields: Any) -> None:
        got.append(pid)

    events.subscribe("worker.died", subscriber)
    events.unsubscribe("worker.died", subscriber)
    events.emit("worker.died", kind="http", pid=3)
    assert got == []

"""Calls to communities: bounded, waited for, and let go of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from vna.documents.calls import Lines
from vna.documents.communities import Asked, Community, Directory
from vna.documents.initiating_gateway import InitiatingGateway
from vna.documents.problems import ErrorCode
from vna.documents.repository import WantedDocument
from vna.model.access import SYSTEM
from vna.model.errors import NotAuthorized, OutOfResources, Unavailable
from vna.security.policy import LocalPolicy

A, B, C = "urn:oid:1.2.1", "urn:oid:1.2.2", "urn:oid:1.2.3"


@dataclass(slots=True)
class Part:
    """What a call brings, and whether it was closed."""

    closed: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        self.closed.set()


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


def test_what_a_call_brings_is_given_and_stays_open() -> None:
    part = Part()
    call = Lines(1, [B]).begin(B, lambda: part)

    assert call.wait(soon()) is part
    call.abandon()
    assert not part.closed.is_set()


def test_what_a_call_raises_is_raised() -> None:
    def ask() -> Part:
        raise OutOfResources("full")

    with pytest.raises(OutOfResources, match="full"):
        Lines(1, [B]).begin(B, ask).wait(soon())


def test_what_nobody_expected_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    def ask() -> Part:
        raise ValueError("of patient 4711")

    with pytest.raises(Unavailable, match="log says why"):
        Lines(1, [B]).begin(B, ask).wait(soon())
    assert "call to a community failed" in caplog.text


def test_what_comes_too_late_is_closed() -> None:
    late, part = threading.Event(), Part()

    def ask() -> Part:
        late.wait(5)
        return part

    call = Lines(1, [B]).begin(B, ask)
    with pytest.raises(Unavailable, match="in time"):
        call.wait(soon(0.05))
    late.set()

    assert part.closed.wait(5)


def test_what_is_there_when_a_call_is_abandoned_is_closed() -> None:
    part = Part()
    call = Lines(1, [B]).begin(B, lambda: part)
    assert call._done.wait(5)

    call.abandon()

    assert part.closed.is_set()
    with pytest.raises(Unavailable):
        call.wait(soon())


def test_a_community_that_hangs_uses_up_its_own_lines_alone() -> None:
    late = threading.Event()

    def hang() -> Part:
        late.wait(10)
        return Part()

    lines = Lines(1, [B, C])
    hung = [lines.begin(B, hang) for _ in range(2)]
    with pytest.raises(Unavailable, match="earlier calls"):
        lines.begin(B, Part)
    assert isinstance(lines.begin(C, Part).wait(soon()), Part)
    late.set()
    for call in hung:
        call.wait(soon())
    deadline = soon()
    while True:
        try:
            lines.begin(B, Part).wait(soon())
            break
        except Unavailable:
            assert time.monotonic() < deadline


def gateway(requests: int = 4) -> InitiatingGateway:
    directory = Directory(A, {home: Community(home, f"http://{home}") for home in (B, C)})
    return InitiatingGateway(directory, LocalPolicy(), requests=requests, seconds=5.0)


def test_when_our_own_community_refuses_the_caller_what_others_gave_is_closed() -> None:
    parts = {B: Part(), C: Part()}

    def refuse() -> Part:
        raise NotAuthorized("no")

    with pytest.raises(NotAuthorized):
        gateway().query(SYSTEM, Asked(by_patient=True), refuse, lambda home: parts[home])

    assert all(part.closed.wait(5) for part in parts.values())


def test_when_one_wait_ends_badly_everything_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = Part(), Part()
    asked = gateway()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vna.documents.calls.Call.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        asked.query(SYSTEM, Asked(by_patient=True), lambda: own, lambda _home: other)

    assert own.closed.is_set()
    assert other.closed.wait(5)


def test_no_room_here_is_not_the_other_communitys_failure() -> None:
    def full(_home: str, _wanted: object) -> Part:
        raise OutOfResources("the spool has no space left")

    here: Callable[[object], Part] = lambda _wanted: Part()  # noqa: E731
    gathered = gateway().retrieve(SYSTEM, [WantedDocument("1", "2", B)], here, full)

    (problem,) = gathered.problems
    assert (problem.code, problem.location) == (ErrorCode.REPOSITORY_OUT_OF_RESOURCES, A)


def test_communities_are_asked_at_the_same_time() -> None:
    both = threading.Barrier(3, timeout=5)

    def meet(*_: object) -> Part:
        both.wait()
        return Part()

    gathered = gateway().query(SYSTEM, Asked(by_patient=True), meet, meet)

    assert (list(gathered.parts), gathered.problems) == ([A, B, C], [])

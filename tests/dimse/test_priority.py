"""Whose turn it is at the DICOM door: what a request says, what its caller may have, and what is bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import FileMetaDataset
from pynetdicom import AE, evt

from dimse.upper_layer.inprocess import listening
from tests.archives import Open
from tests.dimse.clients import CT, EXPLICIT, STUDY_ROOT, Answers, get, identifier, move
from tests.dimse.door import Door
from tests.objects import ct
from tests.peers.processes import wait_for
from vna.app.doors import dimse_server
from vna.app.wiring import SHARED
from vna.board import SharedBoard
from vna.model.access import SYSTEM, Peer
from vna.model.priority import Priority

MEDIUM, HIGH, LOW = 0, 1, 2
STUDY = "1.2.826.7"
UIDS = tuple(f"{STUDY}.1.{number}" for number in range(1, 5))
OpenDoor = Callable[..., Door]


def images(size: int = 512) -> list[Any]:
    uids = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": f"{STUDY}.1"}
    shown = {"Rows": size // 32, "Columns": 16, "PixelData": bytes(size)}
    return [ct(**uids, **shown, SOPInstanceUID=uid) for uid in UIDS]


def wanted() -> Any:
    return identifier(QueryRetrieveLevel="STUDY", StudyInstanceUID=STUDY)


@contextmanager
def getting(
    door: Door, priority: int, **options: Any
) -> Iterator[tuple[threading.Event, threading.Thread, list[Answers]]]:
    """A C-GET that is in the middle of its first instance until the event is set."""
    begun, go, answers = threading.Event(), threading.Event(), list[Answers]()

    def on_store(_: evt.Event) -> int:
        begun.set()
        go.wait(20)
        return 0

    def run() -> None:
        answers.append(get(door.port, STUDY_ROOT, wanted(), on_store=on_store, priority=priority, **options))

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(10)
    try:
        yield go, thread, answers
    finally:
        go.set()
        thread.join()


def test_bulk_waits_while_bulk_is_served_and_others_do_not(open_door: OpenDoor) -> None:
    door = open_door(priority={"bulk_requests": 1})
    door.hold(*images())
    later: list[Answers] = []
    with getting(door, LOW) as (go, _, first):
        waiting = threading.Thread(target=lambda: later.append(get(door.port, STUDY_ROOT, wanted(), priority=LOW)))
        waiting.start()
        for priority in (MEDIUM, HIGH):
            begun = time.monotonic()
            assert get(door.port, STUDY_ROOT, wanted(), priority=priority).counts == (None, 4, 0, 0)
            assert time.monotonic() - begun < 2
        time.sleep(1)
        assert not later
        go.set()
        waiting.join(10)
    assert [one.counts for one in (*first, *later)] == [(None, 4, 0, 0)] * 2


def test_whoever_waits_is_told_pending_and_can_cancel(open_door: OpenDoor) -> None:
    door = open_door(priority={"bulk_requests": 1})
    door.hold(*images())

    def cancel(assoc: Any, _: int) -> None:
        assoc.send_c_cancel(1, query_model=f"{STUDY_ROOT}.3")

    with getting(door, LOW):
        begun = time.monotonic()
        cancelled = get(door.port, STUDY_ROOT, wanted(), priority=LOW, on_pending=cancel)
        assert time.monotonic() - begun < 8
    assert cancelled.statuses[0].Status == 0xFF00
    assert (cancelled.status, cancelled.counts) == (0xFE00, (4, 0, 0, 0))
    assert not cancelled.received


def test_when_too_many_wait_the_next_one_is_told_so(open_door: OpenDoor) -> None:
    door = open_door(priority={"routine_requests": 1})
    door.hold(*images())
    with getting(door, MEDIUM) as (go, _, _):
        waiting = [threading.Thread(target=get, args=(door.port, STUDY_ROOT, wanted())) for _ in range(2)]
        for thread in waiting:
            thread.start()
        time.sleep(1)
        refused = get(door.port, STUDY_ROOT, wanted())
        assert (refused.status, refused.comment) == (0xA701, "too many routine requests at once: ask again later")
        go.set()
        for thread in waiting:
            thread.join(10)
            assert not thread.is_alive()


def test_a_request_is_no_higher_than_its_caller_may_be(open_door: OpenDoor) -> None:
    door = open_door(priority={"bulk_requests": 1})
    door.hold(*images())
    door.knows("NOBODY", 1)
    with getting(door, LOW):
        door.priority = Priority.BULK
        later: list[Answers] = []
        waiting = threading.Thread(
            target=lambda: later.append(move(door.port, STUDY_ROOT, wanted(), "NOBODY", priority=HIGH))
        )
        waiting.start()
        time.sleep(1)
        assert not later
    waiting.join(10)
    assert later[0].status == 0xA702


def send(port: int, ds: Any, priority: int, calling: str = "MODALITY") -> int:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = EXPLICIT
    ae = AE(calling)
    ae.add_requested_context(CT, [EXPLICIT])
    assoc = ae.associate("127.0.0.1", port, ae_title="VNA")
    assert assoc.is_established
    status = assoc.send_c_store(ds, priority=priority).Status
    assoc.release()
    return int(status)


def test_a_bulk_instance_waits_for_its_turn_and_others_pass(open_door: OpenDoor, tmp_path: Path) -> None:
    door = open_door(priority={"bulk_requests": 1})
    low, medium, high, _ = images()
    free = SharedBoard(tmp_path / "data" / SHARED, "C-STORE bulk").take(0)
    assert free is not None, "as if another worker stored one"
    stored: list[int] = []
    thread = threading.Thread(target=lambda: stored.append(send(door.port, low, LOW)))
    thread.start()
    assert [send(door.port, medium, MEDIUM), send(door.port, high, HIGH)] == [0, 0]
    assert not stored
    free()
    thread.join(10)
    assert stored == [0]


def test_a_bulk_instance_whose_turn_does_not_come_leaves_nothing(
    open_door: OpenDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dimse.store._LONGEST_WAIT", 0.2)
    door = open_door(priority={"bulk_requests": 1})
    free = SharedBoard(tmp_path / "data" / SHARED, "C-STORE bulk").take(0)
    assert free is not None
    large = images(1 << 20)[0]
    assert send(door.port, large, LOW) == 0xA700
    assert [path for path in (tmp_path / "data" / "blobs").rglob("*") if path.is_file()] == []
    free()
    assert send(door.port, large, LOW) == 0


def test_bulk_goes_no_faster_than_its_bandwidth_and_others_as_fast_as_they_can(open_door: OpenDoor) -> None:
    door = open_door(priority={"bulk_bandwidth": 256 << 10})
    door.hold(*images(128 << 10))

    def seconds(work: Callable[[], Any]) -> float:
        begun = time.monotonic()
        work()
        return time.monotonic() - begun

    assert 1.6 < seconds(lambda: get(door.port, STUDY_ROOT, wanted(), priority=LOW)) < 4
    assert seconds(lambda: get(door.port, STUDY_ROOT, wanted(), priority=MEDIUM)) < 1.6
    another = ct(StudyInstanceUID="1.2.826.8", Rows=512, Columns=512, PixelData=bytes(512 << 10))
    assert 1.6 < seconds(lambda: send(door.port, another, LOW)) < 4


def test_callers_of_bulk_have_at_most_half_of_the_associations(open_archive: Open) -> None:
    archive = open_archive(dimse={"max_associations": 4})
    archive.peers.add(SYSTEM, Peer("COPIER", priority=Priority.BULK))

    def associate(calling: str) -> Any:
        ae = AE(calling)
        ae.add_requested_context("1.2.840.10008.1.1")
        return ae.associate("127.0.0.1", port, ae_title="VNA")

    with listening(dimse_server(archive), limit=4, grace_seconds=0.2) as port:
        held = [associate("COPIER") for _ in range(2)]
        assert all(assoc.is_established for assoc in held)
        refused = associate("COPIER")
        assert refused.is_rejected
        assert refused.acceptor.primitive.result_str == "Rejected Transient"
        other = associate("READER")
        assert other.is_established
        held[0].release()

        def comes_in() -> bool:
            held[0] = associate("COPIER")
            return bool(held[0].is_established)

        wait_for(comes_in, what="room for one more")
        for assoc in (*held, other):
            assoc.release()

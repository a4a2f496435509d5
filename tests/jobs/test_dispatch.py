"""Events reach every subscriber at least once, in order per study, whatever fails in between."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from pydicom.uid import generate_uid

from storage import journal
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from vna.app import Application
from vna.jobs.dispatch import Dispatcher
from vna.model.events import Event, EventKind


def test_every_store_writes_one_event_that_reaches_the_journal(open_archive: Open) -> None:
    archive = open_archive()
    accepted = put(archive, part10(ct()), source="SCANNER")
    put(archive, part10(ct()))

    archive.dispatcher().drain()

    events = list(journal.read(archive.blobs))
    assert [event.kind for event in events] == [EventKind.INSTANCE_STORED] * 2
    assert events[0].sop_instance_uid == accepted.sop_instance_uid
    assert events[0].detail["source_ae"] == "SCANNER"
    assert rows(archive, "select count(*) from events where pending = 1") == [(0,)]


def test_a_failing_subscriber_gets_its_events_again_in_order_and_holds_up_nobody_else(open_archive: Open) -> None:
    archive = open_archive()
    study = generate_uid()
    good: list[str] = []
    bad: list[str] = []
    failing = True

    def take(batch: Sequence[Event]) -> None:
        good.extend(event.sop_instance_uid for event in batch)

    def fail(batch: Sequence[Event]) -> None:
        if failing:
            raise RuntimeError("not now")
        bad.extend(event.sop_instance_uid for event in batch)

    dispatcher = Dispatcher(archive.database, {"bad": fail, "good": take})
    uids = [put(archive, part10(ct(StudyInstanceUID=study))).sop_instance_uid for _ in range(3)]
    dispatcher.once()
    failing = False
    uids.append(put(archive, part10(ct(StudyInstanceUID=study))).sop_instance_uid)
    _until_due(archive, dispatcher, lambda: len(bad) == 4)

    assert good == uids
    assert bad == uids


def test_a_delivery_that_never_succeeds_is_kept_for_a_person(open_archive: Open) -> None:
    archive = open_archive()

    def fail(_batch: Sequence[Event]) -> None:
        raise RuntimeError("never")

    dispatcher = Dispatcher(archive.database, {"bad": fail})
    put(archive, part10(ct()))
    dispatcher.once()
    for _ in range(8):
        _make_due(archive)
        dispatcher.once()

    assert rows(archive, "select state, last_error from jobs") == [("dead", "RuntimeError: never")]


def test_only_one_dispatcher_works_at_a_time(open_archive: Open) -> None:
    first, second = open_archive(), open_archive()
    seen: list[str] = []
    leader = Dispatcher(first.database, {"x": lambda batch: seen.extend("leader" for _ in batch)})
    other = Dispatcher(second.database, {"x": lambda batch: seen.extend("other" for _ in batch)})
    leader.once()
    put(first, part10(ct()))

    other.once()
    assert seen == []
    leader.drain()
    assert seen == ["leader"]
    put(first, part10(ct()))
    other.once()
    assert seen == ["leader", "other"]


def test_events_survive_a_dispatcher_killed_while_it_hands_them_out(open_archive: Open, tmp_path: Path) -> None:
    archive = open_archive()
    uids = [put(archive, part10(ct())).sop_instance_uid for _ in range(20)]
    got = tmp_path / "got"

    def slow(batch: Sequence[Event]) -> None:
        with got.open("a") as file:
            for event in batch:
                file.write(event.sop_instance_uid + "\n")
                file.flush()
                time.sleep(0.02)

    def work() -> None:
        Dispatcher(open_archive().database, {"slow": slow}).drain()

    child = multiprocessing.get_context("fork").Process(target=work)
    archive.close()
    child.start()
    while not got.exists() or len(got.read_text().splitlines()) < 5:
        time.sleep(0.005)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()

    with archive.database.transaction() as connection:
        connection.execute(sa.text("update leases set until = 0"))  # the dead one's lease has run out by then
    Dispatcher(archive.database, {"slow": slow}).drain()

    lines = got.read_text().splitlines()
    assert set(lines) == set(uids)
    assert lines[-20:] == uids


def _make_due(archive: Application) -> None:
    with archive.database.transaction() as connection:
        connection.execute(sa.text("update jobs set run_after = ''"))


def _until_due(archive: Application, dispatcher: Dispatcher, done: Callable[[], bool]) -> None:
    deadline = datetime.now(UTC).timestamp() + 10
    while not done() and datetime.now(UTC).timestamp() < deadline:
        _make_due(archive)
        dispatcher.once()

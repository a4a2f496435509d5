"""Durable jobs: each done by one worker at a time, in order where one is asked for, across failures and kill -9."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.index import jobs
from storage.index.events import time_text
from tests.archives import Open, rows
from tests.peers.processes import wait_for
from vna.app import Application
from vna.jobs.retries import RETRY_SECONDS, GivenUp
from vna.jobs.workers import Workers
from vna.model.access import SYSTEM
from vna.model.errors import NotFound

Done = list[str]


def queue(archive: Application, *payloads: str, key: str = "", priority: int = 0, run_after: str = "") -> None:
    with archive.database.transaction() as connection:
        for payload in payloads:
            jobs.add(connection, "test", order_key=key, payload=payload, priority=priority, run_after=run_after)


def noting(done: Done) -> Callable[[str], None]:
    def work(payload: str) -> None:
        done.append(payload)

    return work


def make_due(archive: Application) -> None:
    with archive.database.transaction() as connection:
        connection.execute(sa.text("update jobs set run_after = ''"))


def test_jobs_are_done_once_by_priority_and_age(open_archive: Open) -> None:
    archive = open_archive()
    done: Done = []
    queue(archive, "a", "b")
    queue(archive, "urgent", priority=5)
    queue(archive, "later", run_after=time_text(datetime.now(UTC) + timedelta(hours=1)))

    Workers(archive.database, {"test": noting(done)}).drain()

    assert done == ["urgent", "a", "b"]
    assert rows(archive, "select payload from jobs") == [("later",)]


def test_many_workers_do_every_job_once_and_those_of_one_key_in_order(open_archive: Open) -> None:
    archives = [open_archive() for _ in range(4)]
    done: Done = []
    queue(archives[0], *(f"k{number:02}" for number in range(15)), key="one study")
    queue(archives[0], *(f"f{number:02}" for number in range(30)))
    stop = threading.Event()
    busy = [
        threading.Thread(
            target=Workers(archive.database, {"test": noting(done)}).run, args=(stop,), kwargs={"pause": 0.02}
        )
        for archive in archives
    ]
    for thread in busy:
        thread.start()
    deadline = time.monotonic() + 30
    while len(done) < 45 and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    for thread in busy:
        thread.join()

    assert sorted(done) == sorted([f"k{n:02}" for n in range(15)] + [f"f{n:02}" for n in range(30)])
    assert [one for one in done if one[0] == "k"] == [f"k{n:02}" for n in range(15)]
    assert rows(archives[0], "select count(*) from jobs") == [(0,)]


def test_bulk_jobs_never_have_all_workers(open_archive: Open) -> None:
    """Four of them take three threads for ever; what is queued then is done by the fourth."""
    archive = open_archive()
    go, stop, done = threading.Event(), threading.Event(), list[str]()

    def work(payload: str) -> None:
        if payload.startswith("bulk"):
            go.wait(20)
        done.append(payload)

    queue(archive, *(f"bulk{number}" for number in range(4)), priority=jobs.BULK)
    workers = Workers(archive.database, {"test": work}, threads=4)
    running = threading.Thread(target=workers.run, args=(stop,), kwargs={"pause": 0.02})
    running.start()
    wait_for(lambda: rows(archive, "select count(*) from jobs where state = 'running'") == [(3,)], what="three")
    queue(archive, "usual", "another")
    wait_for(lambda: len(done) == 2, what="those that are not bulk")
    go.set()
    wait_for(lambda: len(done) == 6, what="all")
    stop.set()
    running.join()
    assert done[:2] == ["usual", "another"]


def test_one_worker_does_bulk_jobs_too_after_all_others(open_archive: Open) -> None:
    archive = open_archive()
    done: Done = []
    queue(archive, "bulk", priority=jobs.BULK)
    queue(archive, "usual")
    stop = threading.Event()
    workers = Workers(archive.database, {"test": noting(done)}, threads=1)
    running = threading.Thread(target=workers.run, args=(stop,), kwargs={"pause": 0.02})
    running.start()
    wait_for(lambda: len(done) == 2, what="both")
    stop.set()
    running.join()
    assert done == ["usual", "bulk"]


def test_a_long_job_goes_on_step_by_step(open_archive: Open) -> None:
    archive = open_archive()
    steps: Done = []

    def work(payload: str) -> str | None:
        steps.append(payload)
        return str(int(payload) + 1) if int(payload) < 3 else None

    queue(archive, "1")
    Workers(archive.database, {"test": work}).drain()

    assert steps == ["1", "2", "3"]


def test_a_job_that_fails_is_tried_again_later_and_given_up_in_the_end(open_archive: Open) -> None:
    archive = open_archive()

    def work(_payload: str) -> None:
        raise ValueError("not now")

    queue(archive, "a")
    workers = Workers(archive.database, {"test": work})
    for failures in range(1, len(RETRY_SECONDS) + 1):
        before = datetime.now(UTC)
        assert workers.once()
        ((attempts, state, run_after),) = rows(archive, "select attempts, state, run_after from jobs")
        assert (attempts, state) == (failures, "ready")
        assert str(run_after) >= time_text(before + timedelta(seconds=RETRY_SECONDS[failures - 1]))
        make_due(archive)
    workers.drain()

    (job,) = archive.jobs.all(SYSTEM, state="dead")
    assert (job.last_error, archive.jobs.counts(SYSTEM)["dead"]) == ("ValueError: not now", 1)
    done: Done = []
    archive.jobs.retry(SYSTEM, job.job_id)
    Workers(archive.database, {"test": noting(done)}).drain()
    assert done == ["a"]
    with pytest.raises(NotFound):
        archive.jobs.retry(SYSTEM, job.job_id)


def test_a_job_that_no_repetition_helps_is_given_up_at_once_and_can_be_dropped(open_archive: Open) -> None:
    archive = open_archive()

    def work(_payload: str) -> None:
        raise GivenUp("the other side refuses it")

    queue(archive, "a")
    Workers(archive.database, {"test": work}).drain()

    (job,) = archive.jobs.all(SYSTEM, state="dead")
    assert job.attempts == 1
    archive.jobs.drop(SYSTEM, job.job_id)
    assert archive.jobs.all(SYSTEM) == []


def test_what_a_killed_process_was_at_is_done_by_another(open_archive: Open, tmp_path: Path) -> None:
    archive = open_archive()
    queue(archive, "a", key="study")
    begun = tmp_path / "begun"

    def hang(_payload: str) -> None:
        begun.touch()
        time.sleep(60)

    def work() -> None:
        Workers(open_archive().database, {"test": hang}).drain()

    archive.close()
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    while not begun.exists():
        time.sleep(0.005)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    done: Done = []
    other = Workers(archive.database, {"test": noting(done)})
    assert not other.once(), "the dead one's time has not run out"
    with archive.database.transaction() as connection:
        connection.execute(sa.text("update jobs set held_until = 1"))

    other.drain()

    assert done == ["a"]


def test_who_was_thought_dead_and_comes_back_changes_nothing(open_archive: Open) -> None:
    archive = open_archive()
    queue(archive, "a")
    clock = time.time()
    taking = {"now": time_text(datetime.now(UTC)), "seconds": 60.0}
    with archive.database.transaction() as connection:
        slow = jobs.claim(connection, ["test"], clock=clock - 100, holder="slow", **taking)  # type: ignore[arg-type]
        other = jobs.claim(connection, ["test"], clock=clock, holder="other", **taking)  # type: ignore[arg-type]
        assert slow is not None
        assert other is not None
        assert slow.job_id == other.job_id
        jobs.finish(connection, slow)
        jobs.postpone(connection, slow, run_after="", error="late")

    assert rows(archive, "select state, holder, last_error from jobs") == [("running", "other", "")]


def test_what_is_scheduled_again_is_moved_and_not_doubled(open_archive: Open) -> None:
    archive = open_archive()
    with archive.database.transaction() as connection:
        for payload in ("1", "2", "3"):
            jobs.schedule(connection, "test", order_key="study", payload=payload, run_after=payload)
    assert rows(archive, "select payload, run_after from jobs") == [("3", "3")]
    with archive.database.transaction() as connection:
        jobs.claim(connection, ["test"], now="9", clock=time.time(), holder="x", seconds=60)
        jobs.schedule(connection, "test", order_key="study", payload="4")

    assert rows(archive, "select payload, state from jobs order by id") == [("3", "running"), ("4", "ready")]


@pytest.mark.parametrize("given_up", [1, 2])
def test_what_was_given_up_goes_when_the_same_is_done_later(open_archive: Open, given_up: int) -> None:
    archive = open_archive()

    def refuse(_payload: str) -> None:
        raise GivenUp("no")

    queue(archive, *["a"] * given_up, key="study")
    queue(archive, "b", key="study")
    queue(archive, "a", key="another study")
    Workers(archive.database, {"test": refuse}).drain()
    queue(archive, "a", key="study")
    assert archive.jobs.counts(SYSTEM)["dead"] == given_up + 2

    Workers(archive.database, {"test": noting([])}).drain()

    assert rows(archive, "select order_key, payload from jobs order by id") == [("study", "b"), ("another study", "a")]


def test_what_was_given_up_goes_when_the_same_is_asked_for_again(open_archive: Open) -> None:
    archive = open_archive()

    def refuse(_payload: str) -> None:
        raise GivenUp("no")

    for _ in range(2):
        with archive.database.transaction() as connection:
            jobs.schedule(connection, "test", order_key="study", payload="a")
        assert rows(archive, "select state from jobs") == [("ready",)]
        Workers(archive.database, {"test": refuse}).drain()
        assert rows(archive, "select state from jobs") == [("dead",)]


def test_what_a_clock_held_that_has_been_set_back_since_is_free(open_archive: Open) -> None:
    """The holder may be dead, and its time is not to come for a year."""
    archive = open_archive()
    queue(archive, "a")
    now, ahead = time.time(), time.time() + 365 * 86400
    with archive.database.transaction() as connection:
        assert jobs.take_lease(connection, "x", "dead", ahead, 10)
        claim = partial(jobs.claim, connection, ["test"], now=time_text(datetime.now(UTC)), seconds=60)
        assert claim(clock=ahead, holder="dead")

        assert not jobs.lease_is_held(connection, "x", now)
        assert jobs.take_lease(connection, "x", "alive", now, 10)
        assert not jobs.take_lease(connection, "x", "another", now, 10)
        assert claim(clock=now, holder="alive")
        assert claim(clock=now, holder="another") is None

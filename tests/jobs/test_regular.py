"""What is done at regular times, and the nodes that do it, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.blobs.filesystem import FilesystemBlobs
from storage.index import regular
from tests.archives import Open, rows
from vna.archive.nodes import Nodes, is_alive, nothing_waits
from vna.jobs.regular import Regular, Regularly, was_done
from vna.model.access import SYSTEM
from vna.model.errors import Conflict, NotFound
from vna.security.policy import LocalPolicy

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_what_is_due_becomes_a_job_once_however_many_nodes_look(open_archive: Open) -> None:
    archive = open_archive()
    first, second = (Regularly(archive.database, {"tidy": Regular(HOUR)}) for _ in range(2))

    assert first.once(NOW) == ["tidy"]
    assert second.once(NOW) == []
    assert first.once(NOW + HOUR) == []  # it still waits: not begun again
    assert rows(archive, "select kind, order_key from jobs") == [("tidy", "tidy")]


def test_what_is_not_done_at_once_waits_for_a_period(open_archive: Open) -> None:
    archive = open_archive()
    tidying = Regularly(archive.database, {"tidy": Regular(HOUR, at_once=False)})

    assert tidying.once(NOW) == []
    assert tidying.once(NOW + HOUR / 2) == []
    assert tidying.once(NOW + HOUR) == ["tidy"]


def test_what_was_done_by_hand_is_due_a_period_later(open_archive: Open) -> None:
    archive = open_archive()
    kinds = {"tidy": Regular(HOUR, at_once=False), "sweep": Regular(HOUR)}
    regularly = Regularly(archive.database, kinds)
    with archive.database.transaction() as connection:
        for kind in kinds:
            was_done(connection, kind, "by hand")

    assert regularly.once(NOW) == []
    assert regularly.once(NOW + HOUR / 2) == []
    assert regularly.once(NOW + HOUR) == ["tidy", "sweep"]


def test_what_was_done_is_known_also_when_it_was_never_due(open_archive: Open) -> None:
    archive = open_archive()
    with archive.database.transaction() as connection:
        was_done(connection, "tidy", "all is tidy")
    with archive.database.read() as connection:
        last = regular.last(connection, "tidy")
        assert regular.last(connection, "other") is None
    assert last is not None
    assert (last.outcome, last.done_at > "2026") == ("all is tidy", True)


def test_nodes_say_that_they_are_there_and_are_forgotten_only_when_nothing_waits(open_archive: Open) -> None:
    archive = open_archive()
    waiting = [(2, 500)]
    node = Nodes(archive.database, LocalPolicy(), name="one", url="http://10.0.0.1:8080", waiting=lambda: waiting[0])
    node.beat()
    (known,) = node.all(SYSTEM)
    assert (known.name, known.url, known.waiting, known.waiting_bytes) == ("one", "http://10.0.0.1:8080", 2, 500)
    assert is_alive(known)
    assert not is_alive(known, datetime.now(UTC) + timedelta(minutes=1))
    with pytest.raises(Conflict, match="running"):
        node.forget(SYSTEM, "one")
    with pytest.raises(NotFound):
        node.forget(SYSTEM, "two")

    def age() -> None:
        with archive.database.transaction() as connection:
            connection.exec_driver_sql("update nodes set seen_at = '2026-01-01T00:00:00.000000Z'")

    age()
    with pytest.raises(Conflict, match="2 objects lie in the spool"):
        node.forget(SYSTEM, "one")
    waiting[0] = (0, 0)
    node.beat()
    age()
    node.forget(SYSTEM, "one")
    assert node.all(SYSTEM) == []


def test_a_node_that_keeps_its_objects_elsewhere_than_one_that_runs_does_not_start(
    open_archive: Open, tmp_path: Path
) -> None:
    archive = open_archive()

    def named(name: str) -> Nodes:
        where = "http://10.0.0.1:8080"
        return Nodes(
            archive.database, LocalPolicy(), name=name, url=where, waiting=nothing_waits, identity=lambda: name
        )

    first, second = named("one"), named("two")
    first.require_store(archive.blobs)
    first.beat()
    second.require_store(archive.blobs)
    second.require_store(archive.blobs)
    with pytest.raises(Conflict, match="the node one, which runs, keeps its objects elsewhere"):
        second.require_store(FilesystemBlobs(tmp_path / "elsewhere"))
    first.leave()
    second.require_store(FilesystemBlobs(tmp_path / "elsewhere"))


def test_of_a_node_that_was_killed_something_may_wait_and_of_one_that_stopped_in_good_order_nothing(
    open_archive: Open,
) -> None:
    archive = open_archive()

    def named(identity: str) -> Nodes:
        return Nodes(
            archive.database,
            LocalPolicy(),
            name="one",
            url="http://10.0.0.1:8080",
            waiting=nothing_waits,
            identity=lambda: identity,
            spools=True,
        )

    node = named("a")
    node.beat()
    with pytest.raises(Conflict, match="another node is called one"):
        named("b").require_name()
    named("a").require_name()  # the same, started again
    with archive.database.transaction() as connection:
        connection.exec_driver_sql("update nodes set seen_at = '2026-01-01T00:00:00.000000Z'")
    named("b").require_name()
    with pytest.raises(Conflict, match="did not stop in good order"):
        node.forget(SYSTEM, "one")
    node.beat()
    node.leave()
    named("b").require_name()
    (known,) = node.all(SYSTEM)
    assert not known.may_wait
    assert not is_alive(known)
    node.forget(SYSTEM, "one")
    node.beat()
    with archive.database.transaction() as connection:
        connection.exec_driver_sql("update nodes set seen_at = '2026-01-01T00:00:00.000000Z'")
    node.forget(SYSTEM, "one", lost=True)
    assert node.all(SYSTEM) == []

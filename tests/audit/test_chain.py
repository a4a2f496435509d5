"""The chain: what the owner of the database does to the trail shows, and the first altered entry is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from storage.blobs.base import BlobStore
from storage.blobs.filesystem import FilesystemBlobs
from storage.index import audit, audit_chain
from storage.index.audit_schema import audit_batches, audit_records, audit_seals
from storage.index.engine import Database
from tests.archives import open_index
from vna.audit import key as keys
from vna.audit import seals
from vna.audit.chain import Chain
from vna.audit.expiring import SHORT, Expiring
from vna.audit.key import AuditKey
from vna.audit.seals import Sealing
from vna.audit.trail import AuditTrail
from vna.audit.verifying import Verification, Verified, Wrong, told
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.audit import AuditKind, AuditRecord
from vna.security.policy import LocalPolicy

DOCTOR = Actor(ActorKind.USER, "doctor", frozenset({Action.RETRIEVE}))
NOW = datetime.now(UTC)


@dataclass(slots=True)
class Written:
    """A trail, its chain, and the hands of the database's owner."""

    database: Database
    blobs: BlobStore
    key: AuditKey
    trail: AuditTrail

    def write(self, count: int, *, kind: AuditKind = AuditKind.QUERY, at: datetime = NOW) -> None:
        for _ in range(count):
            self.trail.record(AuditRecord(kind, "C-FIND", DOCTOR, at, patient="P1"))

    def chain(self) -> None:
        Chain(self.database, self.key, Sealing(self.database, self.blobs, self.key, None, timedelta(0)))("")

    def verified(self) -> Verified:
        found = Verification(self.database, self.blobs, LocalPolicy(), self.key, None)
        return found.run(SYSTEM, lambda _done, _total: None)

    def found(self) -> list[tuple[int, Wrong]]:
        return [(one.record, one.wrong) for one in told(self.verified().findings)]

    def sql(self, statement: Any) -> None:
        with self.database.transaction() as connection:
            connection.execute(statement)


@pytest.fixture(params=["sqlite", "postgresql"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Written]:
    """Nine records in three sealed batches, and one that is in none yet."""
    database = open_index(request, tmp_path)
    keys.make(tmp_path / "audit.key")
    key = keys.read(tmp_path / "audit.key")
    made = Written(database, FilesystemBlobs(tmp_path / "blobs"), key, AuditTrail(database, key))
    for _ in range(3):
        made.write(3)
        made.chain()
    made.write(1)
    yield made
    database.close()


def test_a_trail_that_nobody_touched_is_whole(written: Written) -> None:
    found = written.verified()
    assert found.is_whole
    assert (found.rows, found.batches, found.unchained, found.seals) == (10, 3, 1, 3)


@pytest.mark.parametrize("column", ["actor", "patient", "at", "outcome", "detail", "reason", "event_id"])
def test_an_edited_record_is_named(written: Written, column: str) -> None:
    value = 8 if column in {"outcome", "event_id"} else "2020"
    for record in (9, 5):
        written.sql(sa.update(audit_records).where(audit_records.c.id == record).values({column: value}))
    assert written.found() == [(5, Wrong.ALTERED), (9, Wrong.ALTERED)]
    assert written.verified().first.record == 5  # type: ignore[union-attr]


def test_an_edit_of_a_record_that_is_in_no_batch_yet_is_found(written: Written) -> None:
    written.sql(sa.update(audit_records).where(audit_records.c.id == 10).values(actor="nobody"))
    assert written.found() == [(10, Wrong.ALTERED)]


def test_a_deleted_record_is_named(written: Written) -> None:
    written.sql(sa.delete(audit_records).where(audit_records.c.id.in_([4, 8])))
    assert written.found() == [(4, Wrong.DELETED), (8, Wrong.DELETED)]


def test_a_copied_record_is_no_record_wherever_it_is_put(written: Written) -> None:
    with written.database.read() as connection:
        row = connection.execute(sa.select(audit_records).where(audit_records.c.id == 2)).one()
    for place in (11, 100):
        written.sql(sa.insert(audit_records).values({**row._mapping, "id": place}))
    assert written.found() == [(11, Wrong.ALTERED), (100, Wrong.ALTERED)]
    written.chain()
    assert written.found() == [(11, Wrong.ALTERED), (100, Wrong.ALTERED)]


def test_a_record_between_others_is_inserted(written: Written) -> None:
    written.sql(sa.delete(audit_records).where(audit_records.c.id == 5))
    with written.database.read() as connection:
        row = connection.execute(sa.select(audit_records).where(audit_records.c.id == 6)).one()
    written.sql(sa.insert(audit_records).values({**row._mapping, "id": 5}))
    assert (5, Wrong.ALTERED) in written.found()
    written.sql(sa.insert(audit_records).values({**row._mapping, "id": -3}))
    assert written.found()[0] == (-3, Wrong.INSERTED)


def test_records_that_change_places_are_both_named(written: Written) -> None:
    for before, after in ((2, 1000), (3, 2), (1000, 3)):
        written.sql(sa.update(audit_records).where(audit_records.c.id == before).values(id=after))
    assert written.found() == [(2, Wrong.ALTERED), (3, Wrong.ALTERED)]


def test_a_batch_that_is_gone_or_altered_breaks_the_chain(written: Written) -> None:
    written.sql(sa.update(audit_batches).where(audit_batches.c.number == 3).values(at="2020"))
    assert written.found()[0] == (7, Wrong.CHAIN)
    written.sql(sa.delete(audit_batches).where(audit_batches.c.number == 2))
    assert written.found()[0] == (4, Wrong.CHAIN)


def test_a_tail_that_was_cut_off_shows_by_the_seals_in_the_object_store(written: Written) -> None:
    written.sql(sa.delete(audit_seals).where(audit_seals.c.number >= 2))
    written.sql(sa.delete(audit_batches).where(audit_batches.c.number >= 2))
    written.sql(sa.delete(audit_records).where(audit_records.c.id >= 4))
    assert written.found() == [(4, Wrong.CUT)]
    written.write(2)
    written.chain()  # what comes in their place does not hide it
    found = written.verified()
    assert found.first is not None
    assert found.first.record <= 11
    assert {one.wrong for one in found.findings} == {Wrong.SEAL, Wrong.CUT}


def test_a_trail_that_was_emptied_shows(written: Written) -> None:
    for table in (audit_seals, audit_batches, audit_records):
        written.sql(sa.delete(table))
    assert written.found() == [(1, Wrong.CUT)]
    written.write(1)
    written.chain()
    with written.database.read() as connection:
        assert audit_chain.newest(connection).number == 4  # type: ignore[union-attr]  # after the last seal
    assert written.found()[0] == (1, Wrong.CHAIN)


def test_an_altered_seal_shows(written: Written) -> None:
    written.sql(sa.update(audit_seals).where(audit_seals.c.number == 2).values(digest=bytes(32)))
    assert written.found() == [(4, Wrong.SEAL)]
    newest = list(seals.named(written.blobs))[-1]
    sealed = seals.read(written.blobs, newest.name)
    assert sealed is not None
    written.blobs.delete(newest.name)
    written.blobs.put(newest.name, [seals.write(replace(sealed, last_id=7))])
    assert (7, Wrong.SEAL) in written.found()


def test_a_row_by_a_key_that_is_not_here_is_told_of(written: Written, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("11" * 32)
    AuditTrail(written.database, keys.read(tmp_path / "other")).record(
        AuditRecord(AuditKind.QUERY, "C-FIND", DOCTOR, NOW)
    )
    assert written.found() == [(11, Wrong.KEY)]


def test_a_record_that_is_committed_late_is_in_the_next_batch(written: Written, request: Any) -> None:
    if written.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    with written.database.transaction() as slow:
        written.trail.write_in(slow, [AuditRecord(AuditKind.QUERY, "C-FIND", DOCTOR, NOW)])
        written.write(2)
        written.chain()
        assert written.verified().is_whole
    written.chain()
    found = written.verified()
    assert found.is_whole
    assert (found.rows, found.unchained) == (13, 0)


def test_records_go_class_by_class_when_their_time_is_over_and_the_rest_verifies(written: Written) -> None:
    written.write(2, kind=AuditKind.LOGIN, at=NOW - timedelta(days=3 * 365))
    written.write(2, at=NOW - timedelta(days=3 * 365))
    written.write(1, kind=AuditKind.LOGIN, at=NOW - timedelta(days=365))
    written.chain()
    ages = {kind: timedelta(days=365 * (2 if kind in SHORT else 5)) for kind in AuditKind}
    Expiring(written.database, written.blobs, written.key, written.trail, ages)("")
    with written.database.read() as connection:
        rows = audit.after(connection, 0, 100)
    assert [row.id for row in rows] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16]
    assert rows[-1].what == "audit.expired"
    assert written.verified().is_whole
    written.sql(sa.delete(audit_records).where(audit_records.c.id == 14))
    assert written.found() == [(14, Wrong.DELETED)]


def test_a_chain_of_which_the_beginning_has_expired_begins_later(written: Written) -> None:
    written.write(1, at=NOW + timedelta(days=400))
    written.chain()
    ages = dict.fromkeys(AuditKind, timedelta(days=-300))  # everything of today is over, and what is written now too
    Expiring(written.database, written.blobs, written.key, written.trail, ages)("")
    found = written.verified()
    assert found.is_whole
    with written.database.read() as connection:
        assert [batch.number for batch in audit_chain.batches(connection, 0, 9)] == [3, 4]
    assert [one.number for one in seals.named(written.blobs)] == [3, 4]
    written.sql(sa.delete(audit_batches).where(audit_batches.c.number == 3))
    assert written.found()[0][1] is Wrong.CHAIN

"""The audit trail as a queue for the audit record repository: a mark in the chain says how far it was sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import orjson
import sqlalchemy as sa

from storage.index import audit, audit_chain
from storage.index.audit import AuditRow
from storage.index.audit_chain import Batch
from storage.index.audit_expiry import put_standing, standing
from storage.index.audit_schema import audit_records
from storage.index.events import read_time

_NAME = "syslog"
_MOST_COUNTED = 1_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """What was sent: every batch of the chain before `batch`, and of that one `rows`. `last_id` is the highest id."""

    batch: int = 0
    rows: int = 0
    last_id: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Rows to send next, in the order of the chain, and the mark behind them."""

    rows: list[AuditRow]
    behind: Mark


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many rows were not sent, and when the oldest of them was written; None where there is none."""

    rows: int
    oldest: datetime | None


def mark(connection: sa.Connection) -> Mark:
    """How far it was sent."""
    value = standing(connection, _NAME)
    return Mark(**orjson.loads(value)) if value else Mark()


def move(connection: sa.Connection, behind: Mark) -> None:
    """What is before it was sent."""
    put_standing(connection, _NAME, orjson.dumps(behind).decode())


def unsent(connection: sa.Connection, limit: int) -> Part | None:
    """The next rows, of one batch; None where nothing waits in the chain.

    In the order of the chain none is passed over, however late it was committed. Those whose time is over are not there
    any more.
    """
    done = mark(connection)
    for batch in _batches(connection, done.batch):
        begun = done.rows if batch.number == done.batch else 0
        ids = batch.ids[begun : begun + limit]
        if ids:
            rows = {row.id: row for row in audit.by_ids(connection, ids)}
            behind = Mark(batch.number, begun + len(ids), max(done.last_id, *ids))
            return Part([rows[one] for one in ids if one in rows], behind)
    return None


def _batches(connection: sa.Connection, number: int) -> Iterator[Batch]:
    """From a number on."""
    while some := audit_chain.batches(connection, number - 1, 2):
        yield from some
        number = some[-1].number + 1


def waiting(connection: sa.Connection) -> Waiting:
    """What waits; more than a million are not counted."""
    after = audit_records.c.id > mark(connection).last_id
    some = sa.select(audit_records.c.id).where(after).limit(_MOST_COUNTED).subquery()
    rows = int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())
    first = sa.select(audit_records.c.at).where(after).order_by(audit_records.c.id).limit(1)
    oldest = connection.execute(first).scalar()
    return Waiting(rows, read_time(oldest) if oldest else None)

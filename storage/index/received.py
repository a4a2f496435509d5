"""HL7 messages that were done: by sender and MSH-10, with what was answered."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.national_schema import received_messages as table
from storage.index.prepared import Prepared

_WRITTEN = ("source", "control_id", "digest", "code", "answer", "at")
_VALUES: dict[str, sa.BindParameter[object]] = {name: sa.bindparam(name) for name in _WRITTEN}
_CLAIM = {
    "sqlite": Prepared(sqlite.insert(table).values(_VALUES).on_conflict_do_nothing()),
    "postgresql": Prepared(postgresql.insert(table).values(_VALUES).on_conflict_do_nothing()),
}
_RENEWED = ("digest", "code", "answer", "at")


def _renewing(dialect: Any) -> Prepared:
    insert = dialect.insert(table).values(_VALUES)
    renewed = {name: insert.excluded[name] for name in _RENEWED}
    return Prepared(insert.on_conflict_do_update(index_elements=["source", "control_id"], set_=renewed))


_NOTE = {"sqlite": _renewing(sqlite), "postgresql": _renewing(postgresql)}
_BY_ID = Prepared(
    sa.select(table.c.digest, table.c.answer).where(
        table.c.source == sa.bindparam("source"), table.c.control_id == sa.bindparam("control_id")
    )
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message by who sent it and MSH-10: the digest of what it says, and the answer to it with its code."""

    source: str
    control_id: str
    digest: bytes
    code: str
    answer: str


def claim(connection: sa.Connection, receipt: Receipt, at: str) -> bool:
    """Note a message; False when one of this sender and identifier is known. One that another transaction is noting is
    waited for."""
    values = {name: getattr(receipt, name) for name in _WRITTEN[:-1]}
    return bool(_CLAIM[connection.dialect.name].run(connection, **values, at=at).rowcount)


def note(connection: sa.Connection, receipt: Receipt, at: str) -> None:
    """Note a message in the place of what came under its identifier before."""
    values = {name: getattr(receipt, name) for name in _WRITTEN[:-1]}
    _NOTE[connection.dialect.name].run(connection, **values, at=at)


def find(connection: sa.Connection, source: str, control_id: str) -> tuple[bytes, str] | None:
    """Digest and answer of a message that was done."""
    row = _BY_ID.run(connection, source=source, control_id=control_id).fetchone()
    return None if row is None else (bytes(row[0]), str(row[1]))


def prune(connection: sa.Connection, before: str, limit: int) -> int:
    """Forget the oldest of those noted before a time, at most so many; how many it were."""
    old = sa.select(table.c.id).where(table.c.at < before).order_by(table.c.at).limit(limit)
    return connection.execute(sa.delete(table).where(table.c.id.in_(old.scalar_subquery()))).rowcount

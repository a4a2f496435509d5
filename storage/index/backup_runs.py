"""Backups and restore tests that were done: what operators are told of them."""

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from storage.index.backup_schema import backup_runs

BACKUP, TEST = "backup", "test"


@dataclass(frozen=True, slots=True)
class Run:
    """One that ended; times are ISO 8601 UTC, and `outcome` is a sentence without patient data."""

    kind: str
    place: str
    stamp: str
    began_at: str
    ended_at: str
    failed: int
    outcome: str


_COLUMNS = tuple(backup_runs.c[name] for name in Run.__slots__)


def add(connection: sa.Connection, run: Run) -> None:
    """Remember one."""
    connection.execute(sa.insert(backup_runs).values(**asdict(run)))


def newest(connection: sa.Connection, kind: str, place: str = "", *, good: bool = False) -> Run | None:
    """The last one of a kind, of one place or any, or the last that did not fail."""
    statement = sa.select(*_COLUMNS).where(backup_runs.c.kind == kind)
    if place:
        statement = statement.where(backup_runs.c.place == place)
    if good:
        statement = statement.where(backup_runs.c.failed == 0)
    row = connection.execute(statement.order_by(backup_runs.c.id.desc()).limit(1)).first()
    return Run(*row) if row else None


def first(connection: sa.Connection, kind: str) -> Run | None:
    """The first one of a kind."""
    statement = sa.select(*_COLUMNS).where(backup_runs.c.kind == kind)
    row = connection.execute(statement.order_by(backup_runs.c.id).limit(1)).first()
    return Run(*row) if row else None


def latest(connection: sa.Connection, limit: int) -> list[Run]:
    """The newest of all kinds, newest first."""
    rows = connection.execute(sa.select(*_COLUMNS).order_by(backup_runs.c.id.desc()).limit(limit))
    return [Run(*row) for row in rows]

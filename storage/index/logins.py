"""Failed logins and sessions of browsers: rows in, values out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.login_schema import login_failures, login_sessions


@dataclass(frozen=True, slots=True)
class FailureRow:
    """How often logins of an account, or from an address, failed since they last counted anew."""

    subject: str
    failures: int
    last_at: str
    locked_until: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A browser in which somebody is logged in."""

    digest: bytes
    session_id: str
    user_name: str
    mark: bytes
    rights: str
    facility: str
    role: str
    person: str
    address: str
    created_at: str
    seen_at: str
    expires_at: str


def failures(connection: sa.Connection, subjects: Sequence[str]) -> list[FailureRow]:
    """What is known of these."""
    table = login_failures
    return [FailureRow(*row) for row in connection.execute(sa.select(table).where(table.c.subject.in_(subjects)))]


def fail(connection: sa.Connection, subject: str, most: int, *, since: str, now: str, until: str) -> int:
    """Count one more, and lock until then from the `most`th on; how many there are. What failed last before `since`,
    and a lock that is over, count no more."""
    table = login_failures
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    is_over = sa.or_(table.c.last_at < since, sa.and_(table.c.locked_until != "", table.c.locked_until <= now))
    counted = sa.case((is_over, 1), else_=table.c.failures + 1)
    first = {"subject": subject, "failures": 1, "last_at": now, "locked_until": until if most <= 1 else ""}
    changed = {
        "failures": counted,
        "last_at": now,
        "locked_until": sa.case((counted >= most, until), else_=sa.literal("")),
    }
    statement = module.insert(table).values(**first).on_conflict_do_update(index_elements=["subject"], set_=changed)
    return int(connection.execute(statement.returning(table.c.failures)).scalar_one())


def forget(connection: sa.Connection, subject: str) -> bool:
    """A login came through, or somebody unlocked it; False when nothing was known."""
    return bool(connection.execute(sa.delete(login_failures).where(login_failures.c.subject == subject)).rowcount)


def tidy_failures(connection: sa.Connection, *, since: str, now: str) -> None:
    """Remove what no longer counts."""
    table = login_failures
    connection.execute(sa.delete(table).where(table.c.last_at < since, table.c.locked_until <= now))


def put_session(connection: sa.Connection, row: SessionRow, *, now: str, keep: int) -> None:
    """Add a session; those that are over go, and of its user's all but the newest `keep`."""
    table = login_sessions
    connection.execute(sa.delete(table).where(table.c.expires_at <= now))
    own = sa.select(table.c.digest).where(table.c.user_name == row.user_name).order_by(table.c.created_at.desc())
    surplus = connection.execute(own.offset(keep - 1)).scalars().all()
    if surplus:
        connection.execute(sa.delete(table).where(table.c.digest.in_(surplus)))
    connection.execute(sa.insert(table).values({name: getattr(row, name) for name in SessionRow.__slots__}))


def session(connection: sa.Connection, digest: bytes) -> SessionRow | None:
    """One session by the digest of its secret."""
    row = connection.execute(sa.select(login_sessions).where(login_sessions.c.digest == digest)).one_or_none()
    return SessionRow(*row) if row is not None else None


def seen(connection: sa.Connection, digest: bytes, at: str) -> None:
    """It was used."""
    connection.execute(sa.update(login_sessions).where(login_sessions.c.digest == digest).values(seen_at=at))


def end_session(connection: sa.Connection, digest: bytes) -> bool:
    """Somebody logged out; False when there is no such session."""
    return bool(connection.execute(sa.delete(login_sessions).where(login_sessions.c.digest == digest)).rowcount)


def end_sessions(connection: sa.Connection, user_name: str) -> int:
    """End all sessions of a user; how many there were."""
    return connection.execute(sa.delete(login_sessions).where(login_sessions.c.user_name == user_name)).rowcount

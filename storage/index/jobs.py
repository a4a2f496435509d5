"""Durable jobs and leases: rows that outlive the process that made them."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.schema import jobs, leases


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done later; `order_key` keeps those of one kind and key in order."""

    job_id: int
    kind: str
    order_key: str
    payload: str
    attempts: int
    run_after: str
    state: str
    last_error: str


READY, DEAD = "ready", "dead"


def add(connection: sa.Connection, kind: str, *, order_key: str = "", payload: str = "", run_after: str = "") -> None:
    """Queue one job in the caller's transaction."""
    connection.execute(sa.insert(jobs).values(kind=kind, order_key=order_key, payload=payload, run_after=run_after))


def due(connection: sa.Connection, now: str, limit: int) -> list[Job]:
    """Jobs whose time has come and that no earlier one of their kind and key holds up."""
    earlier = jobs.alias()
    blocked = sa.exists().where(
        earlier.c.kind == jobs.c.kind,
        earlier.c.order_key == jobs.c.order_key,
        earlier.c.order_key != "",
        earlier.c.state == READY,
        earlier.c.id < jobs.c.id,
    )
    rows = connection.execute(
        sa.select(jobs)
        .where(jobs.c.state == READY, jobs.c.run_after <= now, ~blocked)
        .order_by(jobs.c.priority.desc(), jobs.c.id)
        .limit(limit)
    )
    return [_job(row) for row in rows]


def waiting(connection: sa.Connection, kind: str, order_key: str) -> bool:
    """Whether jobs of this kind and key are still to be done."""
    found = connection.execute(
        sa.select(jobs.c.id).where(jobs.c.kind == kind, jobs.c.order_key == order_key, jobs.c.state == READY).limit(1)
    ).first()
    return found is not None


def finish(connection: sa.Connection, job_id: int) -> None:
    """Done: the row goes."""
    connection.execute(sa.delete(jobs).where(jobs.c.id == job_id))


def advance(connection: sa.Connection, job_id: int, payload: str) -> None:
    """A step is done: this is what the next one gets."""
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(payload=payload, attempts=0))


def postpone(connection: sa.Connection, job_id: int, *, run_after: str, error: str) -> None:
    """Failed: try again later."""
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job_id)
        .values(attempts=jobs.c.attempts + 1, run_after=run_after, last_error=error[:500])
    )


def bury(connection: sa.Connection, job_id: int, error: str) -> None:
    """Failed for good: kept for a person to look at."""
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job_id)
        .values(attempts=jobs.c.attempts + 1, state=DEAD, last_error=error[:500])
    )


def take_lease(connection: sa.Connection, name: str, holder: str, now: float, seconds: float) -> bool:
    """Become or stay the one holder of a name until `now + seconds`; False while another holds it."""
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = module.insert(leases).values(name=name, holder=holder, until=now + seconds)
    statement = insert.on_conflict_do_update(
        index_elements=["name"],
        set_={"holder": holder, "until": now + seconds},
        where=sa.or_(leases.c.holder == holder, leases.c.until < now),
    )
    return connection.execute(statement.returning(leases.c.name)).first() is not None


def lease_is_held(connection: sa.Connection, name: str, now: float) -> bool:
    """Whether somebody holds the name."""
    found = connection.execute(sa.select(leases.c.until).where(leases.c.name == name)).scalar_one_or_none()
    return found is not None and found > now


def release_lease(connection: sa.Connection, name: str, holder: str) -> None:
    """Let go at once instead of letting it run out."""
    connection.execute(sa.delete(leases).where(leases.c.name == name, leases.c.holder == holder))


def _job(row: Any) -> Job:
    return Job(row.id, row.kind, row.order_key, row.payload, row.attempts, row.run_after, row.state, row.last_error)

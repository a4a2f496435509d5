"""Durable jobs and leases: rows that outlive the process that made them."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.events import time_text
from storage.index.schema import jobs, leases


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done; `order_key` keeps those of one kind and key in order. `holder` is who is at it."""

    job_id: int
    kind: str
    order_key: str
    payload: str
    state: str
    priority: int
    attempts: int
    run_after: str
    last_error: str
    created_at: str
    holder: str


_FARTHEST = 600.0
"""Nothing is held for so long (seconds): what is held longer was taken by a clock that has been set back since."""

_COLUMNS = (
    jobs.c.id,
    jobs.c.kind,
    jobs.c.order_key,
    jobs.c.payload,
    jobs.c.state,
    jobs.c.priority,
    jobs.c.attempts,
    jobs.c.run_after,
    jobs.c.last_error,
    jobs.c.created_at,
    jobs.c.holder,
)
BULK = -1
"""The priority of jobs that can wait for all others, as those below it; 0 is the usual one."""
READY, RUNNING, DEAD = "ready", "running", "dead"
_WAITING = (READY, DEAD)


def add(
    connection: sa.Connection,
    kind: str,
    *,
    order_key: str = "",
    payload: str = "",
    run_after: str = "",
    priority: int = 0,
) -> int:
    """Queue one job in the caller's transaction, and give its number. Greater priorities go first."""
    added = connection.execute(
        sa.insert(jobs).values(
            kind=kind,
            order_key=order_key,
            payload=payload,
            run_after=run_after,
            priority=priority,
            created_at=time_text(datetime.now(UTC)),
        )
    )
    assert added.inserted_primary_key is not None
    return int(added.inserted_primary_key[0])


def schedule(
    connection: sa.Connection, kind: str, *, order_key: str, payload: str = "", run_after: str = "", priority: int = 0
) -> None:
    """Have one job of this kind and key waiting, and move it when there is one: for what is done once for many causes.

    One that is being done already is not the one that waits. Those that were given up are forgotten.
    """
    waits = (jobs.c.kind == kind, jobs.c.order_key == order_key, jobs.c.state == READY)
    held = sa.select(jobs.c.id).where(*waits).order_by(jobs.c.id.desc()).limit(1).with_for_update()
    key = connection.execute(held).scalar()
    moved = 0
    if key is not None:
        changes = {"payload": payload, "run_after": run_after, "priority": priority}
        moved = connection.execute(
            sa.update(jobs).where(jobs.c.id == key, jobs.c.state == READY).values(**changes)
        ).rowcount
    if not moved:
        add(connection, kind, order_key=order_key, payload=payload, run_after=run_after, priority=priority)
    _forget_dead(connection, kind, order_key, payload)


def _forget_dead(connection: sa.Connection, kind: str, order_key: str, payload: str) -> None:
    """Another job does the very same, or has done it: nobody has to look at those that were given up."""
    same = (jobs.c.kind == kind, jobs.c.order_key == order_key, jobs.c.order_key != "", jobs.c.payload == payload)
    connection.execute(sa.delete(jobs).where(*same, jobs.c.state == DEAD))


def _blocked() -> sa.ColumnElement[bool]:
    """Whether an earlier job of the same kind and key is still to be done."""
    earlier = jobs.alias()
    return sa.exists().where(
        earlier.c.kind == jobs.c.kind,
        earlier.c.order_key == jobs.c.order_key,
        earlier.c.order_key != "",
        earlier.c.state.in_((READY, RUNNING)),
        earlier.c.id < jobs.c.id,
    )


def due(connection: sa.Connection, now: str, limit: int) -> list[Job]:
    """Jobs whose time has come and that no earlier one of their kind and key holds up."""
    rows = connection.execute(
        sa.select(*_COLUMNS)
        .where(jobs.c.state == READY, jobs.c.run_after <= now, ~_blocked())
        .order_by(jobs.c.priority.desc(), jobs.c.id)
        .limit(limit)
    )
    return [Job(*row) for row in rows]


def any_due(connection: sa.Connection, kinds: Sequence[str], now: str, clock: float, *, bulk: bool = True) -> bool:
    """Whether `claim` may find something."""
    return connection.execute(_claimable(kinds, now, clock, bulk=bulk).limit(1)).first() is not None


def claim(
    connection: sa.Connection,
    kinds: Sequence[str],
    *,
    now: str,
    clock: float,
    holder: str,
    seconds: float,
    bulk: bool = True,
) -> Job | None:
    """Take the first job that is due, or whose holder has not been heard of in time, until `clock + seconds`.

    Without `bulk` those of that priority are left.
    """
    wanted = _claimable(kinds, now, clock, bulk=bulk).order_by(jobs.c.priority.desc(), jobs.c.id).limit(1)
    key = connection.execute(wanted.with_for_update(skip_locked=True, of=jobs)).scalar()
    if key is None:
        return None
    held = {"state": RUNNING, "holder": holder, "held_until": clock + seconds}
    row = connection.execute(sa.update(jobs).where(jobs.c.id == key).values(**held).returning(*_COLUMNS)).one()
    return Job(*row)


def _claimable(kinds: Sequence[str], now: str, clock: float, *, bulk: bool) -> sa.Select[tuple[int]]:
    ready = sa.and_(jobs.c.state == READY, jobs.c.run_after <= now)
    lost = sa.and_(jobs.c.state == RUNNING, ~_is_held(jobs.c.held_until, clock))
    found = sa.select(jobs.c.id).where(sa.or_(ready, lost), jobs.c.kind.in_(kinds), ~_blocked())
    return found if bulk else found.where(jobs.c.priority > BULK)


def waiting(connection: sa.Connection, kind: str, order_key: str) -> bool:
    """Whether jobs of this kind and key are still to be done."""
    return bool(waiting_keys(connection, kind, (order_key,)))


def waiting_keys(connection: sa.Connection, kind: str, order_keys: Collection[str]) -> set[str]:
    """For which of these keys jobs of this kind are still to be done."""
    found: set[str] = set()
    keys = list(order_keys)
    for start in range(0, len(keys), 500):
        wanted = sa.select(jobs.c.order_key).where(
            jobs.c.kind == kind,
            jobs.c.order_key.in_(keys[start : start + 500]),
            jobs.c.state.in_((READY, RUNNING)),
        )
        found.update(connection.execute(wanted).scalars())
    return found


def numbers(connection: sa.Connection, kind: str, order_key: str) -> set[int]:
    """The jobs of one kind and key, those that were given up too."""
    wanted = sa.select(jobs.c.id).where(jobs.c.kind == kind, jobs.c.order_key == order_key)
    return set(connection.execute(wanted).scalars())


def _mine(job: Job) -> tuple[sa.ColumnElement[bool], ...]:
    """The row as long as nobody else took it."""
    return jobs.c.id == job.job_id, jobs.c.holder == job.holder


def extend(connection: sa.Connection, job: Job, until: float) -> None:
    """Its holder is still at it."""
    connection.execute(sa.update(jobs).where(*_mine(job)).values(held_until=until))


def finish(connection: sa.Connection, job: Job) -> None:
    """Done: the row goes, and with it those of the same work that were given up before."""
    if connection.execute(sa.delete(jobs).where(*_mine(job))).rowcount:
        _forget_dead(connection, job.kind, job.order_key, job.payload)


def advance(connection: sa.Connection, job: Job, payload: str) -> None:
    """A step is done: this is what the next one gets."""
    connection.execute(sa.update(jobs).where(*_mine(job)).values(payload=payload, attempts=0, state=READY, holder=""))


def postpone(connection: sa.Connection, job: Job, *, run_after: str, error: str) -> None:
    """Failed: try again later."""
    connection.execute(
        sa.update(jobs)
        .where(*_mine(job))
        .values(attempts=jobs.c.attempts + 1, run_after=run_after, last_error=error[:500], state=READY, holder="")
    )


def bury(connection: sa.Connection, job: Job, error: str) -> None:
    """Failed for good: kept for a person to look at."""
    connection.execute(
        sa.update(jobs)
        .where(*_mine(job))
        .values(attempts=jobs.c.attempts + 1, state=DEAD, last_error=error[:500], holder="")
    )


def listed(connection: sa.Connection, *, state: str, kind: str, limit: int) -> list[Job]:
    """The oldest jobs, of a state or kind where one is given."""
    statement = sa.select(*_COLUMNS).order_by(jobs.c.id).limit(limit)
    if state:
        statement = statement.where(jobs.c.state == state)
    if kind:
        statement = statement.where(jobs.c.kind == kind)
    return [Job(*row) for row in connection.execute(statement)]


def counts(connection: sa.Connection) -> dict[str, int]:
    """How many jobs each state has."""
    rows = connection.execute(sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state))
    return {str(state): int(count) for state, count in rows}


def counts_by_kind(connection: sa.Connection) -> dict[tuple[str, str], int]:
    """How many jobs each kind has in each state; what there is none of is left out."""
    columns = (jobs.c.kind, jobs.c.state)
    rows = connection.execute(sa.select(*columns, sa.func.count()).group_by(*columns).order_by(*columns))
    return {(str(kind), str(state)): int(count) for kind, state, count in rows}


def again(connection: sa.Connection, job_id: int) -> bool:
    """Due at once, as if new; False when there is no such job, or somebody is at it."""
    changed = connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state.in_(_WAITING))
        .values(state=READY, attempts=0, run_after="")
    )
    return changed.rowcount == 1


def drop(connection: sa.Connection, job_id: int) -> bool:
    """Forget it undone; False when there is no such job, or somebody is at it."""
    return connection.execute(sa.delete(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(_WAITING))).rowcount == 1


def _is_held(until: sa.ColumnElement[float], now: float) -> sa.ColumnElement[bool]:
    """Whether the time until which something is held is to come, and was said by a clock that is right."""
    return sa.and_(until >= now, until <= now + _FARTHEST)


def clock(connection: sa.Connection) -> float:
    """Seconds since 1970 as leases are judged by: the database's own, which is one for all nodes, where it has one."""
    if connection.dialect.name == "sqlite":
        return time.time()
    return float(connection.execute(sa.select(sa.extract("epoch", sa.func.clock_timestamp()))).scalar_one())


def take_lease(connection: sa.Connection, name: str, holder: str, now: float, seconds: float) -> bool:
    """Become or stay the one holder of a name until `now + seconds`; False while another holds it."""
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = module.insert(leases).values(name=name, holder=holder, until=now + seconds)
    statement = insert.on_conflict_do_update(
        index_elements=["name"],
        set_={"holder": holder, "until": now + seconds},
        where=sa.or_(leases.c.holder == holder, ~_is_held(leases.c.until, now)),
    )
    return connection.execute(statement.returning(leases.c.name)).first() is not None


def lease_is_held(connection: sa.Connection, name: str, now: float) -> bool:
    """Whether somebody holds the name."""
    return bool(holder_of(connection, name, now))


def holder_of(connection: sa.Connection, name: str, now: float) -> str:
    """Who holds the name, "" when nobody does."""
    wanted = sa.select(leases.c.holder).where(leases.c.name == name, _is_held(leases.c.until, now))
    return connection.execute(wanted).scalar_one_or_none() or ""


def release_lease(connection: sa.Connection, name: str, holder: str) -> None:
    """Let go at once instead of letting it run out."""
    connection.execute(sa.delete(leases).where(leases.c.name == name, leases.c.holder == holder))


def release_all(connection: sa.Connection) -> None:
    """Nobody holds anything: the holders belong to another archive."""
    connection.execute(sa.delete(leases))


def remove_kind(connection: sa.Connection, kind: str) -> None:
    """Take all jobs of a kind away, whatever their state."""
    connection.execute(sa.delete(jobs).where(jobs.c.kind == kind))

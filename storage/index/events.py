"""Event rows: written with the change, pending until every subscriber has them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from storage.index.prepared import Prepared
from storage.index.schema import events
from vna.model.events import Event, EventKind

_WRITTEN = ("kind", "at", "study_instance_uid", "sop_instance_uid", "actor", "detail", "pending")


def inserting(prefix: str = "") -> sa.Insert:
    """How an event is written, its parameters named by column behind a prefix: for statements that write more."""
    return sa.insert(events).values({name: sa.bindparam(f"{prefix}{name}") for name in _WRITTEN}).inline()


_APPEND = Prepared(inserting())


def append(
    connection: sa.Connection,
    kind: EventKind,
    *,
    at: datetime,
    actor: str,
    detail: Mapping[str, Any],
    study_instance_uid: str = "",
    sop_instance_uid: str = "",
    pending: bool = True,
) -> None:
    """Write one event in the caller's transaction; after the study's row is locked, so that ids follow commits per
    study."""
    said = values(kind, at=at, actor=actor, detail=detail)
    said |= {"study_instance_uid": study_instance_uid, "sop_instance_uid": sop_instance_uid, "pending": int(pending)}
    _APPEND.run(connection, **said)


def values(kind: EventKind, *, at: datetime, actor: str, detail: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The parameters of `inserting` for an event of no study."""
    said = (kind.value, time_text(at), "", "", actor, orjson.dumps(detail).decode(), 1)
    return {f"{prefix}{name}": value for name, value in zip(_WRITTEN, said, strict=True)}


def pending(connection: sa.Connection, limit: int) -> list[Event]:
    """The oldest events that some subscriber has not had."""
    rows = connection.execute(sa.select(events).where(events.c.pending == 1).order_by(events.c.id).limit(limit))
    return [_event(row) for row in rows]


def number(connection: sa.Connection, batch: Sequence[Event]) -> list[Event]:
    """Give those that have none the next sequence numbers; for the one dispatcher alone."""
    last = connection.execute(sa.select(sa.func.max(events.c.sequence))).scalar_one() or 0
    numbered = []
    for event in batch:
        if not event.sequence:
            last += 1
            event = replace(event, sequence=last)
            connection.execute(sa.update(events).where(events.c.id == event.event_id).values(sequence=last))
        numbered.append(event)
    return numbered


def handed_out(
    connection: sa.Connection,
    kinds: Iterable[EventKind],
    after: int,
    limit: int,
    of: sa.Select[tuple[str]] | None = None,
) -> list[Event]:
    """Events that every subscriber has, in the order of their sequence numbers, from one on; `of` these studies."""
    wanted = [events.c.sequence > after, events.c.pending == 0, events.c.kind.in_([kind.value for kind in kinds])]
    if of is not None:
        wanted.append(events.c.study_instance_uid.in_(of))
    rows = connection.execute(sa.select(events).where(*wanted).order_by(events.c.sequence).limit(limit))
    return [_event(row) for row in rows]


def last_handed_out(connection: sa.Connection) -> int:
    """The sequence number of the newest event that every subscriber has; 0 when there is none."""
    newest = sa.select(events.c.sequence).where(events.c.sequence.is_not(None), events.c.pending == 0)
    return int(connection.execute(newest.order_by(events.c.sequence.desc()).limit(1)).scalar() or 0)


def done(connection: sa.Connection, event_ids: Iterable[int]) -> None:
    """Every subscriber has them, or a job of its own for them."""
    ids = list(event_ids)
    for start in range(0, len(ids), 500):
        connection.execute(sa.update(events).where(events.c.id.in_(ids[start : start + 500])).values(pending=0))


def by_id(connection: sa.Connection, event_id: int) -> Event | None:
    """One event, whatever its state."""
    row = connection.execute(sa.select(events).where(events.c.id == event_id)).one_or_none()
    return _event(row) if row is not None else None


def after(connection: sa.Connection, event_id: int, limit: int) -> list[Event]:
    """Events in the order of their ids, from one on."""
    rows = connection.execute(sa.select(events).where(events.c.id > event_id).order_by(events.c.id).limit(limit))
    return [_event(row) for row in rows]


def are_pending(connection: sa.Connection, event_ids: Sequence[int]) -> bool:
    """Whether some subscriber has not had one of some hundred events."""
    waiting = sa.select(events.c.id).where(events.c.id.in_(event_ids), events.c.pending == 1)
    return connection.execute(waiting.limit(1)).first() is not None


def of_kind(connection: sa.Connection, kind: EventKind) -> list[Event]:
    """Every event of one kind, in the order of their ids: for kinds that are rare."""
    rows = connection.execute(sa.select(events).where(events.c.kind == kind.value).order_by(events.c.id))
    return [_event(row) for row in rows]


def _event(row: sa.Row[Any]) -> Event:
    return Event(
        event_id=row.id,
        kind=EventKind(row.kind),
        at=read_time(row.at),
        study_instance_uid=row.study_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        actor=row.actor,
        detail=orjson.loads(row.detail),
        sequence=row.sequence or 0,
    )


def time_text(at: datetime) -> str:
    """ISO 8601 with microseconds always, so that texts sort as times do. `at` is aware, in UTC."""
    return at.isoformat(timespec="microseconds")


def read_time(text: str) -> datetime:
    """The time that `time_text` wrote."""
    return datetime.fromisoformat(text)

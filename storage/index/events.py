"""Event rows: written with the change, pending until every subscriber has them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from storage.index.prepared import Prepared
from storage.index.schema import events
from vna.model.events import Event, EventKind

_APPEND = Prepared(
    sa.insert(events)
    .values(
        kind=sa.bindparam("kind"),
        at=sa.bindparam("at"),
        study_instance_uid=sa.bindparam("study_instance_uid"),
        sop_instance_uid=sa.bindparam("sop_instance_uid"),
        actor=sa.bindparam("actor"),
        detail=sa.bindparam("detail"),
        pending=sa.bindparam("pending"),
    )
    .inline()
)


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
    _APPEND.run(
        connection,
        kind=kind.value,
        at=time_text(at),
        study_instance_uid=study_instance_uid,
        sop_instance_uid=sop_instance_uid,
        actor=actor,
        detail=orjson.dumps(detail).decode(),
        pending=int(pending),
    )


def pending(connection: sa.Connection, limit: int) -> list[Event]:
    """The oldest events that some subscriber has not had."""
    rows = connection.execute(sa.select(events).where(events.c.pending == 1).order_by(events.c.id).limit(limit))
    return [_event(row) for row in rows]


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
    )


def time_text(at: datetime) -> str:
    """ISO 8601 with microseconds always, so that texts sort as times do. `at` is aware, in UTC."""
    return at.isoformat(timespec="microseconds")


def read_time(text: str) -> datetime:
    """The time that `time_text` wrote."""
    return datetime.fromisoformat(text)

"""Removing for good: what was deleted leaves the index, and a row says that nothing of it is lost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from storage.index.care_schema import purged
from storage.index.corrections_schema import rejections
from storage.index.events import time_text
from storage.index.schema import deleted, events, instances, superseded
from storage.index.upserts import insert_new
from vna.model.events import Event
from vna.model.instances import QUARANTINED
from vna.model.rejections import EXPIRED, HIDDEN, NoteState


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that was deleted; `deleted_at` is a `time_text`."""

    key: int
    study_instance_uid: str
    sop_instance_uid: str
    blob: str
    size: int
    deleted_at: str
    reason: str


_COLUMNS = (deleted.c.id, *(deleted.c[name] for name in Candidate.__slots__[1:]))


_REVOCABLE = sa.and_(deleted.c.reason.like(f"{HIDDEN}%"), ~deleted.c.reason.like(f"{HIDDEN}{EXPIRED} %"))
"""Hidden by a rejection note that does not say that its time is over: revoking the note brings it back."""
_STANDING = sa.exists().where(
    rejections.c.note == deleted.c.sop_instance_uid, rejections.c.state == NoteState.STANDING.value
)
"""A note that holds: without it what it names would come back."""


def candidates(
    connection: sa.Connection,
    *,
    before: str,
    study: str = "",
    reason: str = "",
    rejected: bool = False,
    after: int = 0,
    limit: int,
) -> list[Candidate]:
    """What was deleted before a time, oldest first, from a key on; what is in quarantine only waits, and what is
    hidden by a rejection note that may be revoked is left out unless it is `rejected` that is wanted too."""
    conditions = _asked(before, study, reason)
    if not rejected:
        conditions.append(~_REVOCABLE)
    conditions.append(deleted.c.id > after)
    rows = connection.execute(sa.select(*_COLUMNS).where(*conditions).order_by(deleted.c.id).limit(limit))
    return [Candidate(*row) for row in rows]


def revocable(connection: sa.Connection, *, before: str, study: str = "", reason: str = "") -> int:
    """How many `candidates` leaves out because a rejection note hides them."""
    rows = sa.select(sa.func.count()).select_from(deleted).where(*_asked(before, study, reason), _REVOCABLE)
    return int(connection.execute(rows).scalar_one())


def _asked(before: str, study: str, reason: str) -> list[sa.ColumnElement[bool]]:
    conditions = [deleted.c.deleted_at < before, deleted.c.reason != QUARANTINED, ~_STANDING]
    if study:
        conditions.append(deleted.c.study_instance_uid == study)
    if reason:
        conditions.append(deleted.c.reason == reason)
    return conditions


def lock(connection: sa.Connection, keys: Sequence[int]) -> list[Candidate]:
    """Those of some hundred that are deleted still; nobody puts them back meanwhile."""
    rows = sa.select(*_COLUMNS).where(deleted.c.id.in_(keys)).order_by(deleted.c.id).with_for_update()
    return [Candidate(*row) for row in connection.execute(rows)]


def older_versions(connection: sa.Connection, uids: Sequence[str]) -> list[tuple[str, str, int]]:
    """SOP Instance UID, blob and size of older versions of what is not held any more, nor deleted otherwise."""
    held = sa.exists().where(instances.c.sop_instance_uid == superseded.c.sop_instance_uid)
    kept = sa.exists().where(deleted.c.sop_instance_uid == superseded.c.sop_instance_uid)
    columns = (superseded.c.sop_instance_uid, superseded.c.blob, superseded.c.size)
    rows = connection.execute(sa.select(*columns).where(superseded.c.sop_instance_uid.in_(uids), ~held, ~kept))
    return [(row[0], row[1], row[2]) for row in rows]


def remove(connection: sa.Connection, blobs: Sequence[str]) -> None:
    """The rows of some hundred go."""
    for table in (deleted, superseded):
        connection.execute(sa.delete(table).where(table.c.blob.in_(blobs)))


def tell(connection: sa.Connection, event: Event) -> int:
    """Write an event, and give its number."""
    said = {
        "kind": event.kind.value,
        "at": time_text(event.at),
        "study_instance_uid": event.study_instance_uid,
        "actor": event.actor,
        "detail": orjson.dumps(event.detail).decode(),
    }
    return int(connection.execute(sa.insert(events).values(**said).returning(events.c.id)).scalar_one())


def note(connection: sa.Connection, study: str, objects: Iterable[dict[str, Any]], event_id: int) -> None:
    """They are removed for good."""
    for one in objects:
        row = {"blob": one["blob"], "sop_instance_uid": one["uid"], "size": one["size"]}
        insert_new(connection, purged, {**row, "study_instance_uid": study, "event_fk": event_id})


def known(connection: sa.Connection, blobs: Sequence[str]) -> set[str]:
    """Which of some hundred were removed for good."""
    return set(connection.execute(sa.select(purged.c.blob).where(purged.c.blob.in_(blobs))).scalars())


def left(connection: sa.Connection, limit: int) -> list[tuple[str, int]]:
    """Blobs that are there yet though they were removed for good, with the number of the event that tells of it."""
    rows = connection.execute(
        sa.select(purged.c.blob, purged.c.event_fk).where(purged.c.erased == 0).order_by(purged.c.id).limit(limit)
    )
    return [(row[0], row[1]) for row in rows]


def erased(connection: sa.Connection, blobs: Sequence[str]) -> None:
    """Their bytes are gone."""
    connection.execute(sa.update(purged).where(purged.c.blob.in_(blobs)).values(erased=1))

"""Rejection notes, and the instances that they name."""

from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa

from storage.index.corrections_schema import rejected, rejections
from storage.index.lookup import Content
from storage.index.prepared import Prepared
from storage.index.schema import deleted, instances, series, studies
from storage.index.upserts import insert_new, upsert
from vna.model.errors import NotFound
from vna.model.rejections import HIDDEN, NoteState, Rejection

_COLUMNS = tuple(rejections.c[name] for name in Rejection.__slots__)
_ANY = Prepared(sa.select(rejections.c.note).limit(1))
_OF_INSTANCE = Prepared(
    sa.select(*_COLUMNS)
    .join(rejected, rejected.c.note == rejections.c.note)
    .where(rejected.c.sop_instance_uid == sa.bindparam("uid"))
    .order_by(rejections.c.made_at, rejections.c.note)
)


def put(connection: sa.Connection, rejection: Rejection) -> None:
    """Note it, or how it stands now."""
    values = {name: getattr(rejection, name) for name in Rejection.__slots__} | {"state": rejection.state.value}
    upsert(connection, rejections, values, key=["note"])


def name(connection: sa.Connection, note: str, uids: Iterable[str]) -> None:
    """A note names these instances."""
    for uid in uids:
        insert_new(connection, rejected, {"note": note, "sop_instance_uid": uid})


def find(connection: sa.Connection, note: str) -> Rejection | None:
    """A note by its SOP Instance UID; None when it is not known as one."""
    return next(_read(connection.execute(sa.select(*_COLUMNS).where(rejections.c.note == note))), None)


def every(connection: sa.Connection, after: str = "", limit: int = 1000) -> list[Rejection]:
    """All of them by UID, from one on."""
    wanted = sa.select(*_COLUMNS).where(rejections.c.note > after).order_by(rejections.c.note).limit(limit)
    return list(_read(connection.execute(wanted)))


def any_known(connection: sa.Connection) -> bool:
    """Whether there ever was a note."""
    return _ANY.run(connection).fetchone() is not None


def standing(connection: sa.Connection, sop_instance_uid: str) -> list[Rejection]:
    """The notes that hold and name this instance, oldest first."""
    found = _read(_OF_INSTANCE.run(connection, uid=sop_instance_uid).fetchall())
    return [one for one in found if one.state is NoteState.STANDING]


def origin(connection: sa.Connection, note: str) -> tuple[str, str]:
    """Whose a note is, and which AE title sent it; NotFound when it is gone."""
    wanted = sa.select(instances.c.facility, instances.c.source_ae).where(instances.c.sop_instance_uid == note)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise NotFound("the note is gone")
    return str(row[0]), str(row[1])


def named(connection: sa.Connection, note: str, after: int, limit: int) -> list[tuple[int, str]]:
    """Key and UID of the next instances that a note names."""
    wanted = sa.select(rejected.c.id, rejected.c.sop_instance_uid).where(rejected.c.note == note, rejected.c.id > after)
    return [(row[0], row[1]) for row in connection.execute(wanted.order_by(rejected.c.id).limit(limit))]


def seen(connection: sa.Connection, uids: Sequence[str], facility: str) -> dict[str, list[str]]:
    """Those of these instances that searches find, of one facility or of any, by the study that they are in."""
    wanted = (
        sa.select(studies.c.study_instance_uid, instances.c.sop_instance_uid)
        .select_from(instances.join(series).join(studies))
        .where(instances.c.sop_instance_uid.in_(uids))
    )
    if facility:
        wanted = wanted.where(instances.c.facility.in_([facility, ""]))
    found: dict[str, list[str]] = {}
    for study, uid in connection.execute(wanted.order_by(studies.c.study_instance_uid, instances.c.id)):
        found.setdefault(study, []).append(uid)
    return found


def hidden(connection: sa.Connection, sop_instance_uid: str) -> Content | None:
    """What is held of an instance that a note has hidden; its transfer syntax is not said."""
    wanted = sa.select(deleted).where(
        deleted.c.sop_instance_uid == sop_instance_uid, deleted.c.reason.like(f"{HIDDEN}%")
    )
    row = connection.execute(wanted.order_by(deleted.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return Content(
        blob=row.blob,
        sha256=bytes(row.sha256),
        size=row.size,
        transfer_syntax_uid="",
        dataset_offset=0,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        door=row.door,
    )


def lift(connection: sa.Connection, note: str, sop_instance_uid: str) -> None:
    """A note holds no longer for this instance."""
    connection.execute(
        sa.delete(rejected).where(rejected.c.note == note, rejected.c.sop_instance_uid == sop_instance_uid)
    )


def _read(rows: Iterable[Sequence[object]]) -> Iterator[Rejection]:
    for row in rows:
        values = dict(zip(Rejection.__slots__, row, strict=True))
        values["state"] = NoteState(str(values["state"]))
        yield Rejection(**values)  # type: ignore[arg-type]

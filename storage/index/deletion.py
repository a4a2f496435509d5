"""Deleting softly: rows leave the index that is searched, and keep what is needed to put them back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.index.events import read_time
from storage.index.schema import coercions, deleted, instances, patients, search_tags, series, studies, tag_values
from vna.model.instances import DeletedInstance
from vna.model.query import Level

_BATCH = 500
_KEPT = ("sop_instance_uid", "blob", "size", "sha256", "door", "source_ae", "source_address", "facility", "received_at")
_COPIED = (*_KEPT, "coercion_fk")


@dataclass(frozen=True, slots=True)
class Gone:
    """One instance that was hidden just now."""

    series_instance_uid: str
    sop_instance_uid: str
    blob: str


def delete(
    connection: sa.Connection,
    study: str,
    series_uid: str = "",
    instance: str = "",
    *,
    among: Sequence[str] = (),
    unless: Callable[[], None] | None = None,
    at: str,
    by: str,
    reason: str,
) -> list[Gone]:
    """Hide a study, a series of it or one instance, and what is empty then; the instances concerned.

    `among` narrows to some hundred instances; `unless` raises what forbids it, asked when the rows are locked.
    Rows are locked upwards, as storing locks them, so that neither waits for the other for ever.
    """
    of_series = _series_of(study, series_uid)
    chosen: list[sa.ColumnElement[bool]] = [instances.c.series_fk.in_(sa.select(of_series.c.id))]
    if instance:
        chosen.append(instances.c.sop_instance_uid == instance)
    if among:
        chosen.append(instances.c.sop_instance_uid.in_(among))
    columns = [instances.c[name] for name in ("id", "series_fk", *_COPIED)]
    rows = connection.execute(sa.select(*columns).where(*chosen).order_by(instances.c.id).with_for_update()).all()
    if not rows:
        return []
    places = {row.id: row for row in connection.execute(sa.select(of_series))}
    concerned = sorted({row.series_fk for row in rows})
    _lock(connection, series, concerned)
    study_fk = places[concerned[0]].study_fk
    _lock(connection, studies, [study_fk])
    patient_fk = connection.execute(sa.select(studies.c.patient_fk).where(studies.c.id == study_fk)).scalar_one()
    _lock(connection, patients, [patient_fk])
    if unless is not None:
        unless()
    _keep(connection, study, places, rows, {"deleted_at": at, "deleted_by": by, "reason": reason})
    _remove(connection, Level.IMAGE, [row.id for row in rows])
    empty = [key for key in concerned if not _recounted(connection, key)]
    _remove(connection, Level.SERIES, empty)
    no_study = not _study_recounted(connection, study_fk)
    if no_study:
        _remove(connection, Level.STUDY, [study_fk])
    _count_patient(connection, patient_fk, len(rows), len(empty), int(no_study))
    return [Gone(places[row.series_fk].series_instance_uid, row.sop_instance_uid, row.blob) for row in rows]


def listed(
    connection: sa.Connection,
    study: str = "",
    series_uid: str = "",
    instance: str = "",
    *,
    reason: str = "",
    after: int = 0,
    limit: int,
) -> list[DeletedInstance]:
    """What was deleted, for one reason or any, oldest first, from a key on."""
    statement = sa.select(deleted, coercions.c.rules).outerjoin(coercions, coercions.c.id == deleted.c.coercion_fk)
    for column, uid in (
        (deleted.c.study_instance_uid, study),
        (deleted.c.series_instance_uid, series_uid),
        (deleted.c.sop_instance_uid, instance),
        (deleted.c.reason, reason),
    ):
        if uid:
            statement = statement.where(column == uid)
    rows = connection.execute(statement.where(deleted.c.id > after).order_by(deleted.c.id).limit(limit))
    return [_deleted(row) for row in rows]


def forget(connection: sa.Connection, blob: str) -> bool:
    """It was put back: the row goes. False when another was quicker."""
    return connection.execute(sa.delete(deleted).where(deleted.c.blob == blob)).rowcount == 1


def _deleted(row: sa.Row[Any]) -> DeletedInstance:
    return DeletedInstance(
        key=row.id,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        blob=row.blob,
        size=row.size,
        sha256=bytes(row.sha256),
        door=row.door,
        source_ae=row.source_ae,
        source_address=row.source_address,
        facility=row.facility,
        received_at=read_time(row.received_at),
        rules=row.rules or "",
        deleted_at=read_time(row.deleted_at),
        deleted_by=row.deleted_by,
        reason=row.reason,
    )


def _series_of(study: str, series_uid: str) -> sa.Subquery:
    statement = (
        sa.select(series.c.id, series.c.study_fk, series.c.series_instance_uid)
        .join(studies, studies.c.id == series.c.study_fk)
        .where(studies.c.study_instance_uid == study)
    )
    if series_uid:
        statement = statement.where(series.c.series_instance_uid == series_uid)
    return statement.subquery()


def _lock(connection: sa.Connection, table: sa.Table, keys: Sequence[int]) -> None:
    for batch in _batches(keys):
        connection.execute(sa.select(table.c.id).where(table.c.id.in_(batch)).order_by(table.c.id).with_for_update())


def _keep(
    connection: sa.Connection,
    study: str,
    places: dict[int, sa.Row[Any]],
    rows: Sequence[sa.Row[Any]],
    more: dict[str, str],
) -> None:
    kept = [
        {name: row._mapping[name] for name in _COPIED}
        | {"study_instance_uid": study, "series_instance_uid": places[row.series_fk].series_instance_uid}
        | more
        for row in rows
        if row.blob  # of what is kept elsewhere there is nothing to put back
    ]
    if kept:
        connection.execute(sa.insert(deleted), kept)


_TABLES = {Level.IMAGE: instances, Level.SERIES: series, Level.STUDY: studies}


def _remove(connection: sa.Connection, level: Level, keys: Sequence[int]) -> None:
    """Rows of a level, with what search tags keep of them."""
    of_level = sa.select(search_tags.c.id).where(search_tags.c.level == int(level))
    for batch in _batches(keys):
        connection.execute(
            sa.delete(tag_values).where(tag_values.c.row_fk.in_(batch), tag_values.c.tag_fk.in_(of_level))
        )
        connection.execute(sa.delete(_TABLES[level]).where(_TABLES[level].c.id.in_(batch)))


def _recounted(connection: sa.Connection, key: int) -> int:
    """Instances that a series has left."""
    count = sa.select(sa.func.count()).select_from(instances).where(instances.c.series_fk == key)
    left = int(connection.execute(count).scalar_one())
    connection.execute(
        sa.update(series).where(series.c.id == key).values(number_of_instances=left, version=series.c.version + 1)
    )
    return left


def _study_recounted(connection: sa.Connection, key: int) -> int:
    """Series that a study has left; it lists the modalities and SOP Classes that are left."""
    left = connection.execute(
        sa.select(series.c.modality, series.c.number_of_instances).where(series.c.study_fk == key)
    ).all()
    classes = connection.execute(
        sa.select(instances.c.sop_class_uid).distinct().join(series).where(series.c.study_fk == key)
    ).scalars()
    held = connection.execute(sa.select(studies.c.modalities, studies.c.sop_classes).where(studies.c.id == key)).one()
    connection.execute(
        sa.update(studies)
        .where(studies.c.id == key)
        .values(
            number_of_series=len(left),
            number_of_instances=sum(row.number_of_instances for row in left),
            modalities=_only(held.modalities, {row.modality for row in left}),
            sop_classes=_only(held.sop_classes, set(classes)),
            version=studies.c.version + 1,
        )
    )
    return len(left)


def _only(entries: str, left: set[str]) -> str:
    """A list such as `\\CT\\MR\\` without what is not left."""
    kept = [entry for entry in entries.strip("\\").split("\\") if entry in left and entry]
    return "\\".join(["", *kept, ""]) if kept else ""


def _count_patient(connection: sa.Connection, key: int, gone: int, series_gone: int, studies_gone: int) -> None:
    connection.execute(
        sa.update(patients)
        .where(patients.c.id == key)
        .values(
            number_of_instances=patients.c.number_of_instances - gone,
            number_of_series=patients.c.number_of_series - series_gone,
            number_of_studies=patients.c.number_of_studies - studies_gone,
            version=patients.c.version + 1,
        )
    )
    connection.execute(sa.delete(patients).where(patients.c.id == key, patients.c.number_of_studies == 0))


def _batches(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    return (keys[at : at + _BATCH] for at in range(0, len(keys), _BATCH))

"""Reading instances back: by unique keys, as model values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import sqlalchemy as sa

from storage.index.events import read_time
from storage.index.prepared import Prepared
from storage.index.schema import (
    coercions,
    conflicts,
    deleted,
    held_documents,
    instances,
    patients,
    series,
    studies,
    superseded,
)
from vna.model.instances import Instance, Selection
from vna.model.query import Level

_IN_BATCH = 500
_ROWS = 1000
_MOST_UIDS = 5000

_JOINED = (
    instances.join(series, series.c.id == instances.c.series_fk)
    .join(studies, studies.c.id == series.c.study_fk)
    .outerjoin(coercions, coercions.c.id == instances.c.coercion_fk)
)
_COLUMNS = (
    instances.c.id,
    instances.c.sop_instance_uid,
    instances.c.sop_class_uid,
    series.c.series_instance_uid,
    studies.c.study_instance_uid,
    instances.c.transfer_syntax_uid,
    instances.c.blob,
    instances.c.size,
    instances.c.sha256,
    instances.c.dataset_offset,
    instances.c.header_end,
    instances.c.number_of_frames,
    instances.c.source_ae,
    instances.c.facility,
    instances.c.received_at,
    instances.c.version,
    instances.c.instance_number,
    coercions.c.rules,
)
_ORDER = (studies.c.id, series.c.series_number, series.c.id, instances.c.instance_number, instances.c.id)


@dataclass(frozen=True, slots=True)
class Held:
    """An instance and its coercion as text: `vna.archive.overlay` reads it."""

    instance: Instance
    rules: str


@dataclass(frozen=True, slots=True)
class Content:
    """What tells one content from another under the same SOP Instance UID; `door` is how it came."""

    blob: str
    sha256: bytes
    size: int
    transfer_syntax_uid: str
    dataset_offset: int
    study_instance_uid: str
    series_instance_uid: str
    door: str = ""


_CONTENT = Prepared(
    sa.select(
        instances.c.blob,
        instances.c.sha256,
        instances.c.size,
        instances.c.transfer_syntax_uid,
        instances.c.dataset_offset,
        studies.c.study_instance_uid,
        series.c.series_instance_uid,
        instances.c.door,
    )
    .join(series, series.c.id == instances.c.series_fk)
    .join(studies, studies.c.id == series.c.study_fk)
    .where(instances.c.sop_instance_uid == sa.bindparam("uid"))
)


def content(connection: sa.Connection, sop_instance_uid: str) -> Content | None:
    """What is held under a SOP Instance UID."""
    row = _CONTENT.run(connection, uid=sop_instance_uid).fetchone()
    return Content(*row) if row is not None else None


def is_held(connection: sa.Connection, sop_instance_uid: str, sha256: bytes) -> bool:
    """Whether exactly this content is held under a SOP Instance UID, or as the document of that uniqueId."""
    held = content(connection, sop_instance_uid)
    if held is not None and held.blob and held.sha256 == sha256:
        return True
    same = sa.select(held_documents.c.id).where(
        held_documents.c.unique_id == sop_instance_uid, held_documents.c.sha256 == sha256
    )
    return connection.execute(same.limit(1)).first() is not None


_ONE = Prepared(sa.select(*_COLUMNS).select_from(_JOINED).where(instances.c.sop_instance_uid == sa.bindparam("uid")))
_NAMES = [column.name for column in _COLUMNS]
_ONE_AND_OFFSETS = Prepared(
    sa.select(*_COLUMNS, instances.c.frames)
    .select_from(_JOINED)
    .where(instances.c.sop_instance_uid == sa.bindparam("uid"))
)


def one_and_offsets(connection: sa.Connection, study: str, series_uid: str, instance: str) -> tuple[Held, bytes] | None:
    """An instance with its packed frame and bulk offset tables, by one statement; None when it is not held there."""
    row = _ONE_AND_OFFSETS.run(connection, uid=instance).fetchone()
    if row is None:
        return None
    held = _held(dict(zip(_NAMES, row[:-1], strict=True)))
    if (held.instance.study_instance_uid, held.instance.series_instance_uid) != (study, series_uid):
        return None
    return held, bytes(row[-1])


def select(connection: sa.Connection, selection: Selection) -> Iterator[Held]:
    """The instances meant, by study, series number and instance number; streamed.

    Of more than some thousand UIDs each few thousand are in order.
    """
    if len(selection.sop_instance_uids) == 1 and selection.patient_id is None:
        yield from _one(connection, selection)
        return
    lists = selection.study_uids, selection.series_uids, selection.sop_instance_uids
    for study_uids, series_uids, sop_instance_uids in product(*map(_batches, lists)):
        yield from _some(connection, selection.patient_id, study_uids, series_uids, sop_instance_uids)


def _one(connection: sa.Connection, selection: Selection) -> Iterator[Held]:
    """The look-up of every frame and every instance: compiled once."""
    row = _ONE.run(connection, uid=selection.sop_instance_uids[0]).fetchone()
    if row is None:
        return
    held = _held(dict(zip(_NAMES, row, strict=True)))
    for uid, wanted in (
        (held.instance.study_instance_uid, selection.study_uids),
        (held.instance.series_instance_uid, selection.series_uids),
    ):
        if wanted and uid not in wanted:
            return
    yield held


def _batches(uids: Sequence[str]) -> list[Sequence[str]]:
    """Databases bound the number of parameters of a statement."""
    return [uids[at : at + _MOST_UIDS] for at in range(0, len(uids), _MOST_UIDS)] or [()]


def _some(
    connection: sa.Connection,
    patient_id: str | None,
    study_uids: Sequence[str],
    series_uids: Sequence[str],
    sop_instance_uids: Sequence[str],
) -> Iterator[Held]:
    statement = sa.select(*_COLUMNS).select_from(_JOINED).order_by(*_ORDER)
    if patient_id is not None:
        statement = statement.join(patients, patients.c.id == studies.c.patient_fk).where(
            patients.c.patient_id == patient_id
        )
    for column, uids in (
        (studies.c.study_instance_uid, study_uids),
        (series.c.series_instance_uid, series_uids),
        (instances.c.sop_instance_uid, sop_instance_uids),
    ):
        if uids:
            statement = statement.where(column.in_(uids))
    for row in connection.execute(statement.execution_options(yield_per=_ROWS)):
        yield _held(row._mapping)


def _held(values: Mapping[Any, Any]) -> Held:
    return Held(
        Instance(
            sop_instance_uid=values["sop_instance_uid"],
            sop_class_uid=values["sop_class_uid"],
            series_instance_uid=values["series_instance_uid"],
            study_instance_uid=values["study_instance_uid"],
            transfer_syntax_uid=values["transfer_syntax_uid"],
            blob=values["blob"],
            size=values["size"],
            sha256=values["sha256"].hex(),
            dataset_offset=values["dataset_offset"],
            header_end=values["header_end"],
            number_of_frames=values["number_of_frames"],
            source_ae=values["source_ae"],
            facility=values["facility"],
            received_at=read_time(values["received_at"]),
            version=values["version"],
            instance_number=values["instance_number"],
        ),
        values["rules"] or "",
    )


@dataclass(frozen=True, slots=True)
class State:
    """How a study, series or instance stands: another state, another answer. `instances` are those below it.

    `availability` is the worst of them; for an instance, whether it is here.
    """

    key: int
    version: int
    changed_at: str
    instances: int
    availability: int

    @property
    def only_grew(self) -> bool:
        """Whether nothing but instances that came made it what it is: only then `changed_at` tells of every change."""
        return self.version == self.instances + 1


_STATES = {
    Level.STUDY: Prepared(
        sa.select(
            studies.c.id,
            studies.c.version,
            studies.c.last_received_at,
            studies.c.number_of_instances,
            studies.c.availability,
        ).where(studies.c.study_instance_uid == sa.bindparam("study"))
    ),
    Level.SERIES: Prepared(
        sa.select(
            series.c.id,
            series.c.version,
            series.c.last_received_at,
            series.c.number_of_instances,
            series.c.availability,
        )
        .join(studies, studies.c.id == series.c.study_fk)
        .where(
            studies.c.study_instance_uid == sa.bindparam("study"),
            series.c.series_instance_uid == sa.bindparam("series"),
        )
    ),
    Level.IMAGE: Prepared(
        sa.select(
            instances.c.id,
            instances.c.version,
            instances.c.received_at,
            sa.literal_column("0"),
            sa.case(
                (instances.c.blob != sa.literal_column("''"), sa.literal_column("0")), else_=sa.literal_column("1")
            ),
        )
        .select_from(_JOINED)
        .where(
            studies.c.study_instance_uid == sa.bindparam("study"),
            series.c.series_instance_uid == sa.bindparam("series"),
            instances.c.sop_instance_uid == sa.bindparam("instance"),
        )
    ),
}
_PLACE_COLUMNS = (instances.c.sop_instance_uid, series.c.series_instance_uid)
_PLACES = {
    Level.STUDY: Prepared(
        sa.select(*_PLACE_COLUMNS)
        .select_from(_JOINED)
        .where(studies.c.study_instance_uid == sa.bindparam("study"))
        .order_by(*_ORDER)
    ),
    Level.SERIES: Prepared(
        sa.select(*_PLACE_COLUMNS)
        .select_from(_JOINED)
        .where(
            studies.c.study_instance_uid == sa.bindparam("study"),
            series.c.series_instance_uid == sa.bindparam("series"),
        )
        .order_by(*_ORDER)
    ),
    Level.IMAGE: Prepared(
        sa.select(*_PLACE_COLUMNS)
        .select_from(_JOINED)
        .where(
            studies.c.study_instance_uid == sa.bindparam("study"),
            series.c.series_instance_uid == sa.bindparam("series"),
            instances.c.sop_instance_uid == sa.bindparam("instance"),
        )
    ),
}


def _target(study: str, series_uid: str, instance: str) -> tuple[Level, dict[str, str]]:
    if instance:
        return Level.IMAGE, {"study": study, "series": series_uid, "instance": instance}
    return (Level.SERIES, {"study": study, "series": series_uid}) if series_uid else (Level.STUDY, {"study": study})


def state(connection: sa.Connection, study: str, series_uid: str = "", instance: str = "") -> State | None:
    """The state of the study, of its series, or of that one's instance; None when it is not held."""
    level, values = _target(study, series_uid, instance)
    row = _STATES[level].run(connection, **values).fetchone()
    return None if row is None else State(*row)


def places(connection: sa.Connection, study: str, series_uid: str = "", instance: str = "") -> list[tuple[str, str]]:
    """SOP Instance UID and Series Instance UID of each instance, in order."""
    level, values = _target(study, series_uid, instance)
    return [(row[0], row[1]) for row in _PLACES[level].run(connection, **values)]


def headers(connection: sa.Connection, sop_instance_uids: list[str]) -> dict[str, bytes]:
    """Packed headers by SOP Instance UID."""
    found: dict[str, bytes] = {}
    for start in range(0, len(sop_instance_uids), _IN_BATCH):
        batch = sop_instance_uids[start : start + _IN_BATCH]
        rows = connection.execute(
            sa.select(instances.c.sop_instance_uid, instances.c.header).where(instances.c.sop_instance_uid.in_(batch))
        )
        found.update({row.sop_instance_uid: row.header for row in rows})
    return found


_BY_UID = instances.c.sop_instance_uid == sa.bindparam("uid")
_OFFSETS = Prepared(sa.select(instances.c.blob, instances.c.frames).where(_BY_UID))
_HEADER = Prepared(sa.select(instances.c.blob, instances.c.header).where(_BY_UID))


def offsets(connection: sa.Connection, sop_instance_uid: str) -> tuple[str, bytes] | None:
    """The packed frame and bulk offset tables of one instance, and the blob that they are about."""
    return _about_blob(_OFFSETS, connection, sop_instance_uid)


def header(connection: sa.Connection, sop_instance_uid: str) -> tuple[str, bytes] | None:
    """The packed header of one instance, and the blob that it is about."""
    return _about_blob(_HEADER, connection, sop_instance_uid)


def _about_blob(statement: Prepared, connection: sa.Connection, uid: str) -> tuple[str, bytes] | None:
    row = statement.run(connection, uid=uid).fetchone()
    return None if row is None else (row[0], bytes(row[1]))


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """One object that the index says is in the blob store; a document has its uniqueId for `sop_instance_uid`."""

    key: int
    blob: str
    size: int
    sha256: bytes
    sop_instance_uid: str


Table = sa.Table

KEPT = (instances, superseded, deleted, held_documents)
"""Tables that name objects in the blob store: current versions, older ones, what was deleted; and documents."""


def _uid(table: sa.Table) -> sa.Column[str]:
    return table.c.unique_id if table is held_documents else table.c.sop_instance_uid


def stored_blobs(connection: sa.Connection, table: sa.Table, *, after: int, limit: int) -> list[StoredBlob]:
    """Objects that one of the KEPT tables names in the order of their keys, from one on."""
    rows = connection.execute(
        sa.select(table.c.id, table.c.blob, table.c.size, table.c.sha256, _uid(table))
        .where(table.c.id > after, table.c.blob != "")
        .order_by(table.c.id)
        .limit(limit)
    )
    return [StoredBlob(*row) for row in rows]


def blobs_of(connection: sa.Connection, sop_instance_uid: str) -> list[StoredBlob]:
    """The objects of one instance or document: what is current, then older versions, then what was deleted."""
    found: list[StoredBlob] = []
    for table in KEPT:
        rows = connection.execute(
            sa.select(table.c.id, table.c.blob, table.c.size, table.c.sha256, _uid(table))
            .where(_uid(table) == sop_instance_uid, table.c.blob != "")
            .order_by(table.c.id)
        )
        found += [StoredBlob(*row) for row in rows]
    return found


def known_blobs(connection: sa.Connection, names: list[str]) -> set[str]:
    """Which of these names some row has."""
    known: set[str] = set()
    for table in KEPT:
        known.update(connection.execute(sa.select(table.c.blob).where(table.c.blob.in_(names))).scalars())
    return known


def amount(connection: sa.Connection) -> tuple[int, int]:
    """How many objects the KEPT tables name, and their bytes."""
    return _summed(connection, ((table, table.c.blob != "") for table in KEPT))


def amount_of_study(connection: sa.Connection, study: str) -> tuple[int, int]:
    """The same of one study."""
    return _summed(connection, _of_study(study))


def blobs_of_study(connection: sa.Connection, study: str) -> list[StoredBlob]:
    """The objects of a study, in order: what is current, then older versions, then what was deleted."""
    found: list[StoredBlob] = []
    for table, condition in _of_study(study):
        columns = (table.c.id, table.c.blob, table.c.size, table.c.sha256, table.c.sop_instance_uid)
        rows = connection.execute(sa.select(*columns).where(condition).order_by(table.c.id))
        found += [StoredBlob(*row) for row in rows]
    return found


def _of_study(study: str) -> tuple[tuple[sa.Table, sa.ColumnElement[bool]], ...]:
    keys = (
        sa.select(series.c.id)
        .join(studies, studies.c.id == series.c.study_fk)
        .where(studies.c.study_instance_uid == study)
    )
    current = sa.select(instances.c.sop_instance_uid).where(instances.c.series_fk.in_(keys))
    gone = sa.select(deleted.c.sop_instance_uid).where(deleted.c.study_instance_uid == study)
    return (
        (instances, sa.and_(instances.c.series_fk.in_(keys), instances.c.blob != "")),
        (superseded, sa.or_(superseded.c.sop_instance_uid.in_(current), superseded.c.sop_instance_uid.in_(gone))),
        (deleted, deleted.c.study_instance_uid == study),
    )


def _summed(connection: sa.Connection, parts: Iterable[tuple[sa.Table, sa.ColumnElement[bool]]]) -> tuple[int, int]:
    objects = size = 0
    for table, condition in parts:
        columns = (sa.func.count(), sa.func.coalesce(sa.func.sum(table.c.size), 0))
        row = connection.execute(sa.select(*columns).select_from(table).where(condition)).one()
        objects, size = objects + int(row[0]), size + int(row[1])
    return objects, size


def ping(connection: sa.Connection) -> None:
    """The index answers, and has its tables."""
    connection.execute(sa.select(instances.c.id).limit(1)).first()


def counts(connection: sa.Connection) -> dict[str, int]:
    """How many rows each level has; small enough to ask for a status page, not for every request."""
    return {
        table.name: int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
        for table in (patients, studies, series, instances, conflicts)
    }


@dataclass(frozen=True, slots=True)
class ListedConflict:
    """A study that also came under another patient."""

    study_instance_uid: str
    patient_id: str
    issuer: str
    first_sop_instance_uid: str
    source_ae: str
    at: str


def listed_conflicts(connection: sa.Connection, limit: int) -> list[ListedConflict]:
    """The newest conflicts."""
    columns = [conflicts.c[name] for name in ListedConflict.__slots__]
    return [
        ListedConflict(*row)
        for row in connection.execute(sa.select(*columns).order_by(conflicts.c.id.desc()).limit(limit))
    ]

"""Instances that are kept elsewhere: rows without bytes, which become whole when those come, and lose them again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index import events, tags
from storage.index.instances import InstanceWriter, NewInstance, Places, fill, with_entry
from storage.index.prepared import Prepared, bindings
from storage.index.schema import instances, patients, series, studies
from vna.model.access import SYSTEM
from vna.model.events import EventKind
from vna.model.identifiers import PatientKey
from vna.model.instances import Availability, Door

_BATCH = 500
ABSENT = -1
"""The size of an instance that is not where it should be."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One instance that is kept elsewhere: `size` and `sha256` of when it was here last, 0 or less and empty before."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    size: int
    sha256: bytes
    facility: str

    @property
    def is_absent(self) -> bool:
        """Whether it is known not to be where it should be."""
        return self.size == ABSENT


def add(connection: sa.Connection, writer: InstanceWriter, rows: Sequence[NewInstance]) -> int:
    """Note instances of one series that are kept elsewhere, as far as they are unknown; how many those are.

    They come in one order with stores (patient, study, series, instances, counts upwards). Raises Raced.
    """
    if not rows:
        return 0
    places, new_study, new_series = writer.file(connection, rows[0])
    added = 0
    for batch in _batches(rows):
        known = _known(connection, [one.sop_instance_uid for one in batch])
        fresh = [one for one in batch if one.sop_instance_uid not in known]
        if fresh:
            connection.execute(_insert(connection), [{**one.instance, "series_fk": places.series_fk} for one in fresh])
            added += len(fresh)
    _count(connection, places, added, new_study=new_study, new_series=new_series, rows=rows if added else ())
    return added


def _insert(connection: sa.Connection) -> Any:
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    return module.insert(instances)


def _known(connection: sa.Connection, uids: Sequence[str]) -> set[str]:
    found = sa.select(instances.c.sop_instance_uid).where(instances.c.sop_instance_uid.in_(uids))
    return set(connection.execute(found).scalars())


def _count(
    connection: sa.Connection,
    places: Places,
    added: int,
    *,
    new_study: bool,
    new_series: bool,
    rows: Sequence[NewInstance],
) -> None:
    grown = {"number_of_instances": series.c.number_of_instances + added, "version": series.c.version + int(added > 0)}
    connection.execute(sa.update(series).where(series.c.id == places.series_fk).values(**grown))
    values: dict[str, Any] = {
        "number_of_instances": studies.c.number_of_instances + added,
        "number_of_series": studies.c.number_of_series + int(new_series),
        "version": studies.c.version + int(added > 0),
    }
    connection.execute(sa.update(studies).where(studies.c.id == places.study_fk).values(**values))
    for entries in sorted({(one.modality, one.sop_class_uid) for one in rows}):
        modality, sop_class = entries
        connection.execute(
            sa.update(studies)
            .where(studies.c.id == places.study_fk)
            .values(
                modalities=with_entry(studies.c.modalities, "modality"),
                sop_classes=with_entry(studies.c.sop_classes, "sop_class"),
            ),
            {"modality": modality, "sop_class": sop_class},
        )
    connection.execute(
        sa.update(patients)
        .where(patients.c.id == places.patient_fk)
        .values(
            number_of_instances=patients.c.number_of_instances + added,
            number_of_series=patients.c.number_of_series + int(new_series),
            number_of_studies=patients.c.number_of_studies + int(new_study),
            version=patients.c.version + int(added > 0),
        )
    )


_FIND = Prepared(
    sa.select(
        instances.c.id,
        instances.c.series_fk,
        series.c.study_fk,
        series.c.series_instance_uid,
        studies.c.study_instance_uid,
        series.c.last_received_at,
        studies.c.patient_fk,
        instances.c.coercion_fk,
    )
    .join(series, series.c.id == instances.c.series_fk)
    .join(studies, studies.c.id == series.c.study_fk)
    .where(instances.c.sop_instance_uid == sa.bindparam("uid"), instances.c.blob == sa.literal_column("''"))
)
_COLUMNS = {
    name: parameter for name, parameter in bindings(instances).items() if name not in ("series_fk", "sop_instance_uid")
}
_ARRIVE = Prepared(
    sa.update(instances)
    .where(instances.c.id == sa.bindparam("key"), instances.c.blob == sa.literal_column("''"))
    .values(**{**_COLUMNS, "version": instances.c.version + 1})
)
_TOUCH_SERIES = Prepared(
    sa.update(series)
    .where(series.c.id == sa.bindparam("key"))
    .values(version=series.c.version + 1, last_received_at=sa.bindparam("received"))
)
_TOUCH_STUDY = Prepared(
    sa.update(studies)
    .where(studies.c.id == sa.bindparam("key"))
    .values(
        version=studies.c.version + 1,
        last_received_at=sa.bindparam("received"),
        modalities=with_entry(studies.c.modalities, "modality"),
        sop_classes=with_entry(studies.c.sop_classes, "sop_class"),
    )
)


def arrive(connection: sa.Connection, new: NewInstance) -> bool:
    """The bytes of an instance that was kept elsewhere came. False when it was known under another study or series, or
    came meanwhile: then nothing is written.

    The first that comes of a series says what the series is, and fills what is not known of its study: manifests say
    little.
    """
    row = _FIND.run(connection, uid=new.sop_instance_uid).fetchone()
    if row is None or (row[3], row[4]) != (new.series_instance_uid, new.study_instance_uid):
        return False
    key, series_fk, study_fk, _, _, series_received, patient_fk, coercion_fk = row
    values = {name: value for name, value in new.instance.items() if name in _COLUMNS and name != "version"}
    values["coercion_fk"] = values.get("coercion_fk") or coercion_fk
    if _ARRIVE.run(connection, key=key, **values).rowcount != 1:
        return False
    if not series_received:
        parents = new.parents()
        _say(connection, series, series_fk, parents.series)
        fill(connection, studies, study_fk, parents.study)
        if _is_of(connection, patient_fk, new.patient_key):
            fill(connection, patients, patient_fk, parents.patient)
    _TOUCH_SERIES.run(connection, key=series_fk, received=new.received_at)
    _TOUCH_STUDY.run(
        connection, key=study_fk, received=new.received_at, modality=new.modality, sop_class=new.sop_class_uid
    )
    tags.note(connection, new.sop_instance_uid, new.instance["header"], tags.known(connection))
    return True


_NOT_SAID = frozenset(
    ("number_of_instances", "version", "availability", "last_received_at", "series_instance_uid", "study_fk")
)


def _say(connection: sa.Connection, table: sa.Table, key: int, row: dict[str, Any]) -> None:
    """What the images say in the place of what the manifest said."""
    changes = {name: value for name, value in row.items() if name in table.c and name not in _NOT_SAID}
    connection.execute(sa.update(table).where(table.c.id == key).values(**changes))


def _is_of(connection: sa.Connection, patient_fk: int, key: PatientKey) -> bool:
    named = sa.select(patients.c.id).where(
        patients.c.id == patient_fk, patients.c.patient_id == key.patient_id, patients.c.issuer == key.issuer
    )
    return connection.execute(named).first() is not None


def forget(connection: sa.Connection, sop_instance_uid: str) -> bool:
    """Take a row without bytes away, and leave what is above it: for an instance that came in another place."""
    row = _FIND.run(connection, uid=sop_instance_uid).fetchone()
    if row is None:
        return False
    key, series_fk, study_fk, *_, patient_fk, _ = row
    connection.execute(sa.delete(instances).where(instances.c.id == key))
    for table, above in ((series, series_fk), (studies, study_fk), (patients, patient_fk)):
        less = {"number_of_instances": table.c.number_of_instances - 1, "version": table.c.version + 1}
        connection.execute(sa.update(table).where(table.c.id == above).values(**less))
    return True


_OF = instances.join(series, series.c.id == instances.c.series_fk).join(studies, studies.c.id == series.c.study_fk)
_KEPT = sa.select(
    studies.c.study_instance_uid,
    series.c.series_instance_uid,
    instances.c.sop_instance_uid,
    instances.c.sop_class_uid,
    instances.c.size,
    instances.c.sha256,
    instances.c.facility,
).select_from(_OF)


_COPIES = (instances.c.door == sa.literal_column(f"'{Door.FETCH.value}'"), instances.c.blob != sa.literal_column("''"))
"""As `ix_instances_copies` says it."""


def kept(
    connection: sa.Connection, study: str, series_uid: str = "", instance: str = "", *, never_here: bool = False
) -> list[Kept]:
    """What is kept elsewhere of a study, series or instance, in order; with `never_here` only what never came."""
    wanted = [instances.c.blob == "", *_of(study, series_uid, instance)]
    if never_here:
        wanted.append(instances.c.size <= 0)
    rows = connection.execute(_KEPT.where(*wanted).order_by(series.c.series_number, series.c.id, *_NUMBERED))
    return [_kept(row) for row in rows]


def copies(connection: sa.Connection, study: str) -> list[Kept]:
    """Those of a study that are here and were fetched from elsewhere."""
    return [_kept(row) for row in connection.execute(_KEPT.where(*_COPIES, *_of(study)).order_by(instances.c.id))]


_NUMBERED = (instances.c.instance_number, instances.c.id)


def _of(study: str, series_uid: str = "", instance: str = "") -> list[sa.ColumnElement[bool]]:
    given = ((studies.c.study_instance_uid, study), (series.c.series_instance_uid, series_uid))
    wanted = [column == uid for column, uid in (*given, (instances.c.sop_instance_uid, instance)) if uid]
    return list(wanted)


def _kept(row: Sequence[Any]) -> Kept:
    study, series_uid, uid, sop_class, size, sha256, facility = row
    return Kept(study, series_uid, uid, sop_class, size, bytes(sha256), facility)


def count(connection: sa.Connection, study: str, series_uid: str = "", instance: str = "") -> int:
    """How many instances of a study, series or as an instance are kept elsewhere, whether a copy is here or not."""
    wanted = [instances.c.door == Door.FETCH.value, *_of(study, series_uid, instance)]
    return int(connection.execute(sa.select(sa.func.count()).select_from(_OF).where(*wanted)).scalar_one())


def here(connection: sa.Connection, uids: Sequence[str]) -> set[str]:
    """Which of these instances have bytes here."""
    found: set[str] = set()
    for batch in _batches(uids):
        wanted = sa.select(instances.c.sop_instance_uid).where(
            instances.c.sop_instance_uid.in_(batch), instances.c.blob != ""
        )
        found.update(connection.execute(wanted).scalars())
    return found


def count_outside(connection: sa.Connection, uids: Sequence[str], study: str, series_uid: str) -> int:
    """How many of these instances are known under another study or series."""
    place = sa.and_(studies.c.study_instance_uid == study, series.c.series_instance_uid == series_uid)
    wanted = sa.select(sa.func.count()).select_from(_OF).where(instances.c.sop_instance_uid.in_(uids), ~place)
    return int(connection.execute(wanted).scalar_one())


def fetched_or_kept(connection: sa.Connection, study: str, uids: Sequence[str]) -> list[str]:
    """Which of these instances of a study are kept elsewhere, whether a copy is here or not."""
    wanted = sa.select(instances.c.sop_instance_uid).select_from(_OF)
    wanted = wanted.where(
        studies.c.study_instance_uid == study,
        instances.c.sop_instance_uid.in_(uids),
        instances.c.door == Door.FETCH.value,
    )
    return list(connection.execute(wanted).scalars())


def mark(connection: sa.Connection, uids: Iterable[str], *, absent: bool) -> None:
    """Say of instances that they are not where they should be; or of those that never came that they are."""
    for batch in _batches(list(uids)):
        connection.execute(
            sa.update(instances)
            .where(
                instances.c.sop_instance_uid.in_(batch),
                instances.c.blob == "",
                sa.true() if absent else instances.c.size <= 0,
            )
            .values(size=ABSENT if absent else 0)
        )


def number(connection: sa.Connection, numbers: dict[str, int]) -> None:
    """Instance Numbers of what never came, as a search elsewhere says them."""
    for uid, value in numbers.items():
        connection.execute(
            sa.update(instances)
            .where(instances.c.sop_instance_uid == uid, instances.c.blob == "", instances.c.instance_number.is_(None))
            .values(instance_number=value)
        )


def describe(connection: sa.Connection, study: str, series_uid: str, row: dict[str, Any]) -> None:
    """What a search elsewhere says of a series of which nothing ever came."""
    found = connection.execute(
        sa.select(series.c.id, series.c.study_fk)
        .join(studies, studies.c.id == series.c.study_fk)
        .where(
            studies.c.study_instance_uid == study,
            series.c.series_instance_uid == series_uid,
            series.c.last_received_at == "",
        )
    ).one_or_none()
    if found is None:
        return
    _say(connection, series, found.id, row)
    connection.execute(sa.update(series).where(series.c.id == found.id).values(version=series.c.version + 1))
    connection.execute(
        sa.update(studies)
        .where(studies.c.id == found.study_fk)
        .values(modalities=with_entry(studies.c.modalities, "modality"), version=studies.c.version + 1),
        {"modality": row.get("modality", "")},
    )


def rate(connection: sa.Connection, study: str, series_uid: str, state: Availability) -> None:
    """How a series' instances that are not here can be had; its study's availability follows, and an event tells of a
    change."""
    key = connection.execute(sa.select(studies.c.id).where(studies.c.study_instance_uid == study)).scalar()
    if key is None:
        return
    changed = False
    elsewhere = sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(sa.case((instances.c.size < 0, 1), else_=0)), 0)
    )
    for one in connection.execute(
        sa.select(series.c.id).where(series.c.study_fk == key, series.c.series_instance_uid == series_uid)
    ).scalars():
        gone, absent = connection.execute(elsewhere.where(instances.c.series_fk == one, instances.c.blob == "")).one()
        value = Availability.ONLINE if not gone else Availability.UNAVAILABLE if absent == gone else state
        other = (series.c.id == one, series.c.availability != int(value))
        changed |= connection.execute(sa.update(series).where(*other).values(availability=int(value))).rowcount > 0
    _worst(connection, key)
    if changed:
        detail = {"series": series_uid, "availability": state.name}
        at = datetime.now(UTC)
        kind = EventKind.AVAILABILITY_CHANGED
        events.append(connection, kind, at=at, actor=SYSTEM.name, study_instance_uid=study, detail=detail)


def _worst(connection: sa.Connection, study_fk: int) -> None:
    """A study is what the worst of its series is.

    Locked first: on PostgreSQL only a statement after that sees what another transaction has said of another series.
    """
    connection.execute(sa.select(studies.c.id).where(studies.c.id == study_fk).with_for_update())
    worst = sa.select(sa.func.max(series.c.availability)).where(series.c.study_fk == study_fk).scalar_subquery()
    connection.execute(sa.update(studies).where(studies.c.id == study_fk).values(availability=worst))


def copied_bytes(connection: sa.Connection) -> int:
    """What copies of other archives' images take."""
    return int(
        connection.execute(sa.select(sa.func.coalesce(sa.func.sum(instances.c.size), 0)).where(*_COPIES)).scalar_one()
    )


def oldest_copied(connection: sa.Connection, before: str, *, after: int, limit: int) -> list[tuple[int, str]]:
    """Studies of which the last copy came before a time, each with its key, from a key on."""
    wanted = (
        sa.select(studies.c.id, studies.c.study_instance_uid)
        .select_from(_OF)
        .where(*_COPIES, studies.c.id > after)
        .group_by(studies.c.id, studies.c.study_instance_uid)
        .having(sa.func.max(instances.c.received_at) < before)
        .order_by(studies.c.id)
        .limit(limit)
    )
    return [(key, uid) for key, uid in connection.execute(wanted)]


def own(connection: sa.Connection, sop_instance_uid: str, blob: str, values: dict[str, Any]) -> bool:
    """A copy was sent here too: it is this archive's own from now on, by `values` of how it came. False when it is no
    copy any more."""
    copy = (instances.c.sop_instance_uid == sop_instance_uid, instances.c.blob == blob, *_COPIES)
    return connection.execute(sa.update(instances).where(*copy).values(**values)).rowcount == 1


def refresh(connection: sa.Connection, study: str, series_uid: str) -> None:
    """Something that was elsewhere came by another way: a series of which nothing is elsewhere any more is here."""
    here = sa.select(series.c.id, series.c.study_fk).join(studies, studies.c.id == series.c.study_fk)
    row = connection.execute(
        here.where(
            studies.c.study_instance_uid == study, series.c.series_instance_uid == series_uid, series.c.availability > 0
        )
    ).one_or_none()
    if row is None:
        return
    left = sa.select(instances.c.id).where(instances.c.series_fk == row.id, instances.c.blob == "").limit(1)
    if connection.execute(left).first() is None:
        connection.execute(sa.update(series).where(series.c.id == row.id).values(availability=0))
        _worst(connection, row.study_fk)


def let_go(connection: sa.Connection, uids: Sequence[str]) -> list[str]:
    """Copies become what is kept elsewhere again; the blobs that nothing names any more. What came by another door
    than a fetch stays."""
    blobs: list[str] = []
    for batch in _batches(uids):
        wanted = (instances.c.sop_instance_uid.in_(batch), *_COPIES)
        rows = connection.execute(
            sa.select(instances.c.id, instances.c.blob).where(*wanted).order_by(instances.c.id).with_for_update()
        ).all()
        blobs += [row.blob for row in rows]
        connection.execute(
            sa.update(instances)
            .where(instances.c.id.in_([row.id for row in rows]))
            .values(blob="", version=instances.c.version + 1)
        )
    return blobs


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[at : at + _BATCH] for at in range(0, len(items), _BATCH))

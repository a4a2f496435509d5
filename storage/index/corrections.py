"""Corrections and moves that a person made, and what of images they concern."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from storage.index import tags
from storage.index.corrections_schema import corrections as table
from storage.index.instances import InstanceWriter, NewInstance, fill
from storage.index.prepared import Prepared
from storage.index.schema import coercions, conflicts, instances, patients, series, studies
from storage.index.upserts import insert_new
from vna.model.corrections import Correction, CorrectionKind
from vna.model.identifiers import PatientKey

_ANY = Prepared(sa.select(table.c.id).limit(1))
_NEWEST = Prepared(sa.select(sa.func.max(table.c.made_at), sa.func.max(table.c.revoked_at)))
_STANDING = Prepared(
    sa.select(table)
    .where(table.c.study_instance_uid == sa.bindparam("study"), table.c.revoked_at == sa.literal_column("''"))
    .order_by(table.c.id)
)


def add(connection: sa.Connection, one: Correction) -> None:
    """Note a correction."""
    connection.execute(
        sa.insert(table).values(
            **{name: getattr(one, name) for name in Correction.__slots__ if name not in ("said", "kind")},
            kind=one.kind.value,
            target_study_uid=one.target_study_uid,
            said=orjson.dumps(dict(one.said), option=orjson.OPT_SORT_KEYS).decode(),
        )
    )


def revoke(connection: sa.Connection, name: str, *, at: str, by: str) -> list[Correction]:
    """Corrections of one name hold no longer; those that did."""
    of_name = table.c.name == name, table.c.revoked_at == ""
    found = [_read(row) for row in connection.execute(sa.select(table).where(*of_name).order_by(table.c.id))]
    connection.execute(sa.update(table).where(*of_name).values(revoked_at=at, revoked_by=by))
    return found


def of_study(connection: sa.Connection, study: str) -> list[Correction]:
    """Everything that was ever said of a study, or moved into it, oldest first."""
    wanted = sa.select(table).where(sa.or_(table.c.study_instance_uid == study, table.c.target_study_uid == study))
    return [_read(row) for row in connection.execute(wanted.order_by(table.c.id))]


def standing(connection: sa.Connection, study: str) -> list[tuple[int, Correction]]:
    """What holds of images that are, or were, in a study, and in those that they were moved to: each with its place in
    the order in which they were made."""
    found: dict[int, Correction] = {}
    wanted, known = {study}, set[str]()
    while wanted - known:
        one = (wanted - known).pop()
        known.add(one)
        for row in _STANDING.run(connection, study=one).fetchall():
            values = dict(zip(table.c.keys(), row, strict=True))
            found[values["id"]] = _read(values)
            wanted.update({found[values["id"]].target_study_uid} - {""})
    return sorted(found.items(), key=lambda item: item[0])


def any_made(connection: sa.Connection) -> bool:
    """Whether there ever was a correction."""
    return _ANY.run(connection).fetchone() is not None


def newest(connection: sa.Connection) -> str:
    """When something was corrected or revoked last."""
    row = _NEWEST.run(connection).fetchone()
    return max(filter(None, row or ()), default="")


def studies_concerned(connection: sa.Connection) -> list[str]:
    """The studies that corrections were made in, or moved to."""
    both = sa.union(sa.select(table.c.study_instance_uid), sa.select(table.c.target_study_uid))
    return sorted(uid for uid in connection.execute(both).scalars() if uid)


def _read(row: Any) -> Correction:
    values = row._mapping if isinstance(row, sa.Row) else row
    said = {name: values[name] for name in Correction.__slots__ if name not in ("said", "kind")}
    return Correction(**said, kind=CorrectionKind(values["kind"]), said=orjson.loads(values["said"]))


@dataclass(frozen=True, slots=True)
class Refilable:
    """An instance that is held, with what it takes to index it anew."""

    key: int
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    blob: str
    size: int
    sha256: bytes
    door: str
    source_ae: str
    source_address: str
    facility: str
    received_at: str
    rules: str
    header: bytes


_COLUMNS = (
    instances.c.id,
    studies.c.study_instance_uid,
    series.c.series_instance_uid,
    *(instances.c[name] for name in Refilable.__slots__[3:12]),
    sa.func.coalesce(coercions.c.rules, ""),
    instances.c.header,
)
_JOINED = (
    instances.join(series, series.c.id == instances.c.series_fk)
    .join(studies, studies.c.id == series.c.study_fk)
    .outerjoin(coercions, coercions.c.id == instances.c.coercion_fk)
)


def refilable(connection: sa.Connection, study: str, after: int, limit: int) -> list[Refilable]:
    """The next instances of a study whose bytes are here, by key."""
    wanted = sa.select(*_COLUMNS).select_from(_JOINED)
    here = studies.c.study_instance_uid == study, instances.c.id > after, instances.c.blob != ""
    return [Refilable(*row) for row in connection.execute(wanted.where(*here).order_by(instances.c.id).limit(limit))]


def lock(connection: sa.Connection, keys: Iterable[int], study_uids: Iterable[str]) -> None:
    """Nobody else changes these instances, or what is above and beside them in these studies, until the transaction
    ends; locked upwards, as storing does."""
    _lock(connection, instances, instances.c.id.in_(sorted(keys)))
    of_studies = sa.select(studies.c.id).where(studies.c.study_instance_uid.in_(sorted(study_uids)))
    _lock(connection, series, series.c.study_fk.in_(of_studies))
    _lock(connection, studies, studies.c.study_instance_uid.in_(sorted(study_uids)))
    of_patients = sa.select(studies.c.patient_fk).where(studies.c.study_instance_uid.in_(sorted(study_uids)))
    _lock(connection, patients, patients.c.id.in_(of_patients))


def _lock(connection: sa.Connection, rows: sa.Table, which: sa.ColumnElement[bool]) -> None:
    connection.execute(sa.select(rows.c.id).where(which).order_by(rows.c.id).with_for_update()).all()


def rewrite(connection: sa.Connection, key: int, blob: str, new: Mapping[str, Any]) -> bool:
    """Say of an instance what its rows are to say now, where it is; False when it changed meanwhile."""
    mine = sa.update(instances).where(instances.c.id == key, instances.c.blob == blob)
    if connection.execute(mine.values(**{**new, "version": instances.c.version + 1})).rowcount != 1:
        return False
    tags.note(connection, new["sop_instance_uid"], new["header"], tags.known(connection), again=True)
    series_fk = sa.select(instances.c.series_fk).where(instances.c.id == key).scalar_subquery()
    study_fk = sa.select(series.c.study_fk).where(series.c.id == series_fk).scalar_subquery()
    connection.execute(sa.update(series).where(series.c.id == series_fk).values(version=series.c.version + 1))
    connection.execute(sa.update(studies).where(studies.c.id == study_fk).values(version=studies.c.version + 1))
    return True


def file(connection: sa.Connection, new: NewInstance) -> None:
    """Put an instance where its rows say; raises AlreadyHeld and Raced as storing does."""
    InstanceWriter().add(connection, new)


def firsts(connection: sa.Connection, study: str) -> list[tuple[int, bytes, str]]:
    """For each series of a study, as they came, its key, and header and facility of its first instance: what the rows
    above were made of."""
    first = (
        sa.select(series.c.id, sa.func.min(instances.c.id).label("first"))
        .select_from(instances.join(series).join(studies))
        .where(studies.c.study_instance_uid == study)
        .group_by(series.c.id)
        .subquery()
    )
    wanted = sa.select(first.c.id, instances.c.header, instances.c.facility).join(
        first, first.c.first == instances.c.id
    )
    return [(row[0], bytes(row[1]), row[2]) for row in connection.execute(wanted.order_by(instances.c.id))]


def headers(connection: sa.Connection, study: str) -> Iterator[tuple[str, bytes, str, str, str]]:
    """UID, packed header, facility, AE title and time of every instance of a study, as they came."""
    wanted = (
        sa.select(
            instances.c.sop_instance_uid,
            instances.c.header,
            instances.c.facility,
            instances.c.source_ae,
            instances.c.received_at,
        )
        .select_from(_JOINED)
        .where(studies.c.study_instance_uid == study)
    )
    for row in connection.execute(wanted.order_by(instances.c.id)):
        yield row[0], bytes(row[1]), row[2], row[3], row[4]


def first_study_of(connection: sa.Connection, study: str) -> str:
    """The first study of whoever a study is filed under."""
    mine = sa.select(studies.c.patient_fk).where(studies.c.study_instance_uid == study).scalar_subquery()
    wanted = sa.select(studies.c.study_instance_uid).where(studies.c.patient_fk == mine)
    return str(connection.execute(wanted.order_by(studies.c.id).limit(1)).scalar() or study)


def studies_of_same(connection: sa.Connection, study: str, limit: int) -> list[str]:
    """The studies of whoever a study is filed under, as they came."""
    mine = sa.select(studies.c.patient_fk).where(studies.c.study_instance_uid == study).scalar_subquery()
    wanted = sa.select(studies.c.study_instance_uid).where(studies.c.patient_fk == mine)
    return list(connection.execute(wanted.order_by(studies.c.id).limit(limit)).scalars())


_MADE = {
    "patient": frozenset({"id", "patient_id", "issuer", "version"}),
    "study": frozenset({"id", "patient_fk", "facility", "modalities", "sop_classes", "version", "availability"}),
    "series": frozenset({"id", "study_fk", "version", "availability"}),
}


def say_series(connection: sa.Connection, key: int, row: Mapping[str, Any]) -> None:
    """A series' row says this."""
    _say(connection, series, key, row, _MADE["series"])


def say_study(connection: sa.Connection, study: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A study's row says what the first of these does, and of the others what it leaves out."""
    key = connection.execute(sa.select(studies.c.id).where(studies.c.study_instance_uid == study)).scalar()
    if key is not None and rows:
        _say(connection, studies, key, rows[0], _MADE["study"])
        for row in rows[1:]:
            fill(connection, studies, key, dict(row))


def say_patient(connection: sa.Connection, study: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """The row of whoever a study is filed under says this, in the same way."""
    mine = sa.select(studies.c.patient_fk).where(studies.c.study_instance_uid == study)
    key = connection.execute(mine).scalar()
    if key is not None and rows:
        _say(connection, patients, key, rows[0], _MADE["patient"])
        for row in rows[1:]:
            fill(connection, patients, key, dict(row))


def _say(connection: sa.Connection, rows: sa.Table, key: int, row: Mapping[str, Any], own: frozenset[str]) -> None:
    held = connection.execute(sa.select(rows).where(rows.c.id == key)).one()._mapping
    kept = own | {"first_received_at", "last_received_at", "study_instance_uid", "series_instance_uid"}
    said = {n: v for n, v in row.items() if n not in kept and not n.startswith("number_of_") and held[n] != v}
    if said:
        connection.execute(sa.update(rows).where(rows.c.id == key).values(**said, version=rows.c.version + 1))


def say_conflicts(connection: sa.Connection, study: str, found: Mapping[PatientKey, Mapping[str, str]]) -> None:
    """Images came in a study under these patients, beside the one it is filed under, and under no others."""
    mine = conflicts.c.study_instance_uid == study
    for row in connection.execute(sa.select(conflicts).where(mine)).all():
        if PatientKey(row.patient_id, row.issuer) not in found:
            connection.execute(sa.delete(conflicts).where(conflicts.c.id == row.id))
    for key, values in found.items():
        row_ = {"study_instance_uid": study, "patient_id": key.patient_id, "issuer": key.issuer, **values}
        insert_new(connection, conflicts, row_)

"""Patients of the images: which there are, what is filed under them, and what becomes another's."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index import holds, tags
from storage.index.instances import Raced
from storage.index.prepared import Prepared
from storage.index.schema import coercions, conflicts, instances, patients, series, studies
from vna.model.identifiers import PatientKey

_KEYS = Prepared(
    sa.select(patients.c.patient_id, patients.c.issuer)
    .where(patients.c.patient_id == sa.bindparam("value"))
    .order_by(patients.c.id)
)
_OF_STUDY = Prepared(
    sa.select(patients.c.patient_id, patients.c.issuer)
    .join(studies, studies.c.patient_fk == patients.c.id)
    .where(studies.c.study_instance_uid == sa.bindparam("uid"))
)


def having(connection: sa.Connection, patient_id: str) -> list[PatientKey]:
    """The patients with this Patient ID, of whatever issuer, the one that came first before the others."""
    return [PatientKey(*row) for row in _KEYS.run(connection, value=patient_id).fetchall()]


def of_study(connection: sa.Connection, study_instance_uid: str) -> PatientKey | None:
    """Who a study is filed under; None when it is not held."""
    row = _OF_STUDY.run(connection, uid=study_instance_uid).fetchone()
    return None if row is None else PatientKey(*row)


def attributes_of(connection: sa.Connection, key: PatientKey) -> str:
    """What is said of a patient, as DICOM JSON; empty when he is not known."""
    mine = patients.c.patient_id == key.patient_id, patients.c.issuer == key.issuer
    return connection.execute(sa.select(patients.c.attributes).where(*mine)).scalar() or ""


_FACILITY = Prepared(sa.select(studies.c.facility).where(studies.c.study_instance_uid == sa.bindparam("uid")))


def facility_of(connection: sa.Connection, study_instance_uid: str) -> str | None:
    """Whose study it is; None when it is not held."""
    row = _FACILITY.run(connection, uid=study_instance_uid).fetchone()
    return None if row is None else str(row[0])


def has_others(connection: sa.Connection, key: PatientKey, facility: str) -> bool:
    """Whether studies of other facilities are filed under this patient."""
    others = (
        sa.select(studies.c.id)
        .join(patients, patients.c.id == studies.c.patient_fk)
        .where(patients.c.patient_id == key.patient_id, patients.c.issuer == key.issuer, studies.c.facility != facility)
    )
    return connection.execute(others.limit(1)).first() is not None


def said(connection: sa.Connection, patient_id: str) -> list[PatientKey]:
    """The same as `having`, with patients of whom there are only images in studies of others."""
    in_others = sa.select(conflicts.c.patient_id, conflicts.c.issuer).where(conflicts.c.patient_id == patient_id)
    return list(dict.fromkeys([*having(connection, patient_id), *_listed(connection, in_others)]))


def in_study(connection: sa.Connection, study_instance_uid: str) -> list[PatientKey]:
    """Everybody whose images came in a study; the one it is filed under first."""
    filed = of_study(connection, study_instance_uid)
    others = (
        sa.select(conflicts.c.patient_id, conflicts.c.issuer)
        .where(conflicts.c.study_instance_uid == study_instance_uid)
        .order_by(conflicts.c.id)
    )
    return [*([filed] if filed is not None else []), *_listed(connection, others)]


def study_with(connection: sa.Connection, key: PatientKey, facility: str = "") -> str | None:
    """A study in which images of this patient are, of one facility or of any: its UID; None when there is none."""
    filed = (
        sa.select(studies.c.study_instance_uid)
        .join(patients, patients.c.id == studies.c.patient_fk)
        .where(patients.c.patient_id == key.patient_id, patients.c.issuer == key.issuer)
    )
    listed = (
        sa.select(studies.c.study_instance_uid)
        .join(conflicts, conflicts.c.study_instance_uid == studies.c.study_instance_uid)
        .where(conflicts.c.patient_id == key.patient_id, conflicts.c.issuer == key.issuer)
    )
    both = (one.where(_of_facility(facility)).order_by(studies.c.id).limit(1) for one in (filed, listed))
    found = (connection.execute(one).scalar() for one in both)
    return next(filter(None, found), None)


def reassign(
    connection: sa.Connection,
    study_instance_uid: str,
    old: PatientKey,
    new: PatientKey,
    renamed: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> bool:
    """What is `old`'s in a study is `new`'s: the study where it is filed so, and that images came under him; False when
    nothing is.

    A patient of whom nothing was held yet is what `renamed` makes of the row of the other; the row of one of whom
    nothing is left goes. From now on nobody files by what he remembers of the study. Raises Raced.
    """
    lock = sa.select(studies).where(studies.c.study_instance_uid == study_instance_uid).with_for_update()
    study = connection.execute(lock).one_or_none()
    if study is None:
        return False
    source = connection.execute(sa.select(patients).where(patients.c.id == study.patient_fk)).one()
    moves = PatientKey(source.patient_id, source.issuer) == old
    if moves:
        _move(connection, study, source.id, _target(connection, new, renamed(dict(source._mapping))))
    return _rename_conflict(connection, study_instance_uid, old, new) or moves


def revise(
    connection: sa.Connection,
    study_instance_uid: str,
    key: PatientKey,
    revised: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> bool:
    """Whoever a study is filed under is said to be something else, where that is `key`; False when nothing changes."""
    lock = sa.select(studies.c.patient_fk).where(studies.c.study_instance_uid == study_instance_uid).with_for_update()
    patient_fk = connection.execute(lock).scalar()
    found = connection.execute(sa.select(patients).where(patients.c.id == patient_fk).with_for_update()).one_or_none()
    if found is None or PatientKey(found.patient_id, found.issuer) != key:
        return False
    row = dict(found._mapping)
    changed = {name: value for name, value in revised(row).items() if row[name] != value}
    if changed:
        mine = sa.update(patients).where(patients.c.id == patient_fk)
        connection.execute(mine.values(**changed, version=patients.c.version + 1))
    return bool(changed)


def study_after(
    connection: sa.Connection, keys: Iterable[PatientKey], after: int, facility: str = ""
) -> tuple[int, str] | None:
    """The next study in which images of these patients are, of one facility or of any, by its row's key: that and its
    UID."""
    found: list[tuple[int, str]] = []
    for key in keys:
        filed = studies.c.patient_fk.in_(
            sa.select(patients.c.id).where(patients.c.patient_id == key.patient_id, patients.c.issuer == key.issuer)
        )
        listed = studies.c.study_instance_uid.in_(
            sa.select(conflicts.c.study_instance_uid).where(
                conflicts.c.patient_id == key.patient_id, conflicts.c.issuer == key.issuer
            )
        )
        for where in (filed, listed):
            statement = sa.select(studies.c.id, studies.c.study_instance_uid).where(
                where, studies.c.id > after, _of_facility(facility)
            )
            found += [(row[0], row[1]) for row in connection.execute(statement.order_by(studies.c.id).limit(1))]
    return min(found, default=None)


def _of_facility(facility: str) -> sa.ColumnElement[bool]:
    return studies.c.facility == facility if facility else sa.true()


def _target(connection: sa.Connection, key: PatientKey, row: dict[str, Any]) -> int:
    """The key of a patient's row, made when there is none."""
    counts = {"number_of_studies": 0, "number_of_series": 0, "number_of_instances": 0, "version": 1}
    values = {name: value for name, value in row.items() if name != "id"} | counts
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(
        module.insert(patients).values(**values).on_conflict_do_nothing(index_elements=["patient_id", "issuer"])
    )
    found = sa.select(patients.c.id).where(patients.c.patient_id == key.patient_id, patients.c.issuer == key.issuer)
    target = connection.execute(found).scalar()
    if target is None:
        raise Raced
    return int(target)


def _move(connection: sa.Connection, study: sa.Row[Any], source: int, target: int) -> None:
    both = sa.select(patients.c.id).where(patients.c.id.in_([source, target])).order_by(patients.c.id)
    if len(connection.execute(both.with_for_update()).all()) != 2:
        raise Raced
    left = connection.execute(sa.select(patients.c.patient_id, patients.c.issuer).where(patients.c.id == source)).one()
    holds.follow(connection, study.study_instance_uid, *left)
    connection.execute(
        sa.update(studies).where(studies.c.id == study.id).values(patient_fk=target, version=studies.c.version + 1)
    )
    for key, sign in ((source, -1), (target, 1)):
        connection.execute(
            sa.update(patients)
            .where(patients.c.id == key)
            .values(
                number_of_studies=patients.c.number_of_studies + sign,
                number_of_series=patients.c.number_of_series + sign * study.number_of_series,
                number_of_instances=patients.c.number_of_instances + sign * study.number_of_instances,
                version=patients.c.version + 1,
            )
        )
    connection.execute(sa.delete(patients).where(patients.c.id == source, patients.c.number_of_studies == 0))


def _rename_conflict(connection: sa.Connection, study_instance_uid: str, old: PatientKey, new: PatientKey) -> bool:
    """A study that came under another patient came under the one who stands for him now; under its own it is none."""
    filed = of_study(connection, study_instance_uid)
    mine = conflicts.c.study_instance_uid == study_instance_uid

    def under(key: PatientKey) -> sa.ColumnElement[bool]:
        return sa.and_(mine, conflicts.c.patient_id == key.patient_id, conflicts.c.issuer == key.issuer)

    held = connection.execute(sa.select(conflicts.c.id).where(under(old))).scalar()
    if held is not None and connection.execute(sa.select(conflicts.c.id).where(under(new))).first() is None:
        connection.execute(
            sa.update(conflicts).where(conflicts.c.id == held).values(patient_id=new.patient_id, issuer=new.issuer)
        )
    connection.execute(sa.delete(conflicts).where(under(old)))
    if filed is not None:
        connection.execute(sa.delete(conflicts).where(under(filed)))
    return held is not None


@dataclass(frozen=True, slots=True)
class Corrigible:
    """An instance as a correction finds it: who it is of is said by `header` (packed) and, without an issuer there, by
    `facility`; `rules` are its coercion as text."""

    key: int
    sop_instance_uid: str
    series_fk: int
    series_instance_uid: str
    study_fk: int
    facility: str
    rules: str
    header: bytes


_JOINED = (
    instances.join(series, series.c.id == instances.c.series_fk)
    .join(studies, studies.c.id == series.c.study_fk)
    .outerjoin(coercions, coercions.c.id == instances.c.coercion_fk)
)


def own_headers(connection: sa.Connection, key: PatientKey, facility: str, most: int) -> list[tuple[bytes, str]]:
    """Header (packed) and coercion (as text) of the first instance of each study filed under a patient, of one facility
    or of any; of the first so many studies."""
    first = (
        sa.select(sa.func.min(instances.c.id).label("id"))
        .select_from(_JOINED.join(patients, patients.c.id == studies.c.patient_fk))
        .where(patients.c.patient_id == key.patient_id, patients.c.issuer == key.issuer, _of_facility(facility))
        .group_by(studies.c.id)
        .order_by(studies.c.id)
        .limit(most)
        .subquery()
    )
    columns = instances.c.header, sa.func.coalesce(coercions.c.rules, "")
    found = sa.select(*columns).select_from(_JOINED.join(first, first.c.id == instances.c.id))
    return [(bytes(row[0]), str(row[1])) for row in connection.execute(found.order_by(studies.c.id))]


def uids_of(connection: sa.Connection, study_instance_uid: str) -> list[str]:
    """The SOP Instance UIDs of a study, in the order in which they came."""
    statement = (
        sa.select(instances.c.sop_instance_uid)
        .select_from(_JOINED)
        .where(studies.c.study_instance_uid == study_instance_uid)
    )
    return list(connection.execute(statement.order_by(instances.c.id)).scalars())


def corrigible(connection: sa.Connection, uids: Sequence[str], study_instance_uid: str) -> list[Corrigible]:
    """These instances of a study, in the order in which they came."""
    named = instances.c.sop_instance_uid.in_(uids)
    columns = (
        instances.c.id,
        instances.c.sop_instance_uid,
        instances.c.series_fk,
        series.c.series_instance_uid,
        series.c.study_fk,
        instances.c.facility,
        sa.func.coalesce(coercions.c.rules, ""),
        instances.c.header,
    )
    of_study = studies.c.study_instance_uid == study_instance_uid
    rows = connection.execute(sa.select(*columns).select_from(_JOINED).where(named, of_study).order_by(instances.c.id))
    return [Corrigible(*row) for row in rows]


def lock(connection: sa.Connection, found: Sequence[Corrigible]) -> None:
    """Nobody else changes these instances, their series and study until the transaction ends; locked upwards."""
    _lock(connection, instances, {one.key for one in found})
    _lock(connection, series, {one.series_fk for one in found})
    _lock(connection, studies, {one.study_fk for one in found})


def correct(connection: sa.Connection, one: Corrigible, coercion_fk: int, header: bytes) -> None:
    """Give an instance other rules and the header that they make; search tags follow."""
    connection.execute(
        sa.update(instances)
        .where(instances.c.id == one.key)
        .values(coercion_fk=coercion_fk, header=header, version=instances.c.version + 1)
    )
    tags.follow(connection, one.sop_instance_uid, one.header, header)
    for table, key in ((series, one.series_fk), (studies, one.study_fk)):
        connection.execute(sa.update(table).where(table.c.id == key).values(version=table.c.version + 1))


def _lock(connection: sa.Connection, table: sa.Table, keys: Iterable[int]) -> None:
    wanted = sa.select(table.c.id).where(table.c.id.in_(sorted(keys))).order_by(table.c.id)
    connection.execute(wanted.with_for_update()).all()


def _listed(connection: sa.Connection, statement: sa.Select[tuple[str, str]]) -> list[PatientKey]:
    return [PatientKey(row.patient_id, row.issuer) for row in connection.execute(statement)]

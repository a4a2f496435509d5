"""Whose a study is, by everything that says it: for one study, and as a condition on many.

A national number is a patient's by Patient ID, by Other Patient IDs, by orders that images were matched to, and by what
orders call the patient's file at the facility of the study.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from storage.index.grams import Dialect
from storage.index.national_schema import order_matches, orders
from storage.index.national_schema import other_patient_ids as other_ids
from storage.index.prepared import Prepared
from storage.index.schema import patients, studies
from vna.model.reach import Reach

Clause = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose a study is: facilities, and what may be national numbers of its patient."""

    facilities: frozenset[str]
    numbers: frozenset[str]


_UID: sa.BindParameter[str] = sa.bindparam("uid", type_=sa.Text)
_FILED = studies.join(patients, patients.c.id == studies.c.patient_fk)
_NONE: sa.ColumnElement[str] = sa.literal_column("''")
_ORDERED = order_matches.join(
    orders,
    (orders.c.facility == order_matches.c.facility) & (orders.c.accession_number == order_matches.c.accession_number),
)
_WHOSE = Prepared(
    sa.union_all(
        sa.select(sa.literal_column("1"), studies.c.facility, patients.c.patient_id)
        .select_from(_FILED)
        .where(studies.c.study_instance_uid == _UID),
        sa.select(sa.literal_column("0"), _NONE, other_ids.c.number).where(other_ids.c.study_instance_uid == _UID),
        sa.select(sa.literal_column("0"), orders.c.facility, orders.c.national_number)
        .select_from(_ORDERED)
        .where(order_matches.c.study_instance_uid == _UID, order_matches.c.released == 0),
        sa.select(sa.literal_column("0"), orders.c.performing_facility, _NONE)
        .select_from(_ORDERED)
        .where(order_matches.c.study_instance_uid == _UID, order_matches.c.released == 0),
        sa.select(sa.literal_column("0"), _NONE, orders.c.national_number)
        .distinct()
        .select_from(
            _FILED.join(
                orders, (orders.c.patient_id == patients.c.patient_id) & (orders.c.facility == studies.c.facility)
            )
        )
        .where(studies.c.study_instance_uid == _UID, patients.c.patient_id != "", studies.c.facility != ""),
    )
)


def whose(connection: sa.Connection, study_instance_uid: str) -> Whose | None:
    """Whose a study is; None when nothing is known of it."""
    rows = _WHOSE.run(connection, uid=study_instance_uid).fetchall()
    if not any(int(is_study) for is_study, _, _ in rows):
        return None
    return Whose(
        frozenset(facility for _, facility, _ in rows if facility) - {"*"},
        frozenset(number for _, _, number in rows if number),
    )


def studies_of(connection: sa.Connection, keys: Iterable[tuple[str, str]]) -> set[str]:
    """The studies that were matched to orders: facility and accession number of each."""
    listed = list(keys)
    if not listed:
        return set()
    key = sa.tuple_(order_matches.c.facility, order_matches.c.accession_number)
    statement = sa.select(order_matches.c.study_instance_uid).where(key.in_(listed), order_matches.c.released == 0)
    return set(connection.execute(statement).scalars())


def among(column: sa.ColumnElement[str], values: Collection[str], *, sqlite: bool) -> Clause:
    """Whether a column is one of these, which go as one parameter however many they are."""
    listed = sorted(values)
    if len(listed) == 1:
        return column == listed[0]
    if sqlite:
        return column.in_(sa.select(sa.func.json_each(orjson.dumps(listed).decode()).table_valued("value").c.value))
    return column == sa.any_(sa.cast(listed, sa.ARRAY(sa.Text)))


def within(reach: Reach, dialect: Dialect) -> Clause:
    """The condition on a row of studies. It is asked of each where many are passed; `probes` find them by indexes."""
    parts: list[Clause] = []
    if reach.studies:
        parts.append(among(studies.c.study_instance_uid, reach.studies, sqlite=dialect.sqlite))
    if reach.facilities:
        parts.append(among(studies.c.facility, reach.facilities, sqlite=dialect.sqlite))
        parts.append(_ordered_by(reach.facilities, dialect))
    if reach.numbers:
        parts.append(studies.c.id.in_(sa.union(*_of_numbers(reach.numbers, dialect))))
    return sa.or_(*parts) if parts else sa.false()


def probes(reach: Reach, dialect: Dialect, key: str = "id") -> tuple[sa.Select[Any], ...]:
    """Keys of the same rows, or of their patients (`patient_fk`), each part from an index."""
    found: list[sa.Select[Any]] = []
    if reach.studies:
        uids = among(studies.c.study_instance_uid, reach.studies, sqlite=dialect.sqlite)
        found.append(sa.select(studies.c[key]).where(uids))
    if reach.facilities:
        made = among(studies.c.facility, reach.facilities, sqlite=dialect.sqlite)
        found.append(sa.select(studies.c[key]).where(made))
        by = (orders.c.facility, orders.c.performing_facility)
        found += [_matched(among(column, reach.facilities, sqlite=dialect.sqlite), key) for column in by]
    if reach.numbers:
        found += _of_numbers(reach.numbers, dialect, key)
    return tuple(found)


def uids(reach: Reach, dialect: Dialect) -> sa.Select[tuple[str]]:
    """The Study Instance UIDs that are within."""
    return sa.select(studies.c.study_instance_uid).where(within(reach, dialect))


def patients_within(reach: Reach, dialect: Dialect) -> Clause:
    """The condition on a row of patients: something of theirs is within."""
    own = sa.exists().where(studies.c.patient_fk == patients.c.id, within(reach, dialect)).correlate(patients)
    return own if reach != Reach() else sa.false()


def _ordered_by(facilities: Collection[str], dialect: Dialect) -> Clause:
    by = sa.or_(
        among(orders.c.facility, facilities, sqlite=dialect.sqlite),
        among(orders.c.performing_facility, facilities, sqlite=dialect.sqlite),
    )
    return (
        sa.exists()
        .select_from(_ORDERED)
        .where(order_matches.c.study_instance_uid == studies.c.study_instance_uid, order_matches.c.released == 0, by)
        .correlate(studies)
    )


def _of_numbers(numbers: Collection[str], dialect: Dialect, key: str = "id") -> Sequence[sa.Select[Any]]:
    """Keys of studies of who has one of these national numbers; under names of their own, so that they stand alone."""
    study, patient = studies.alias(), patients.alias()
    filed = study.join(patient, patient.c.id == study.c.patient_fk)
    of_file = filed.join(
        orders, (orders.c.patient_id == patient.c.patient_id) & (orders.c.facility == study.c.facility)
    )
    named = study.join(other_ids, other_ids.c.study_instance_uid == study.c.study_instance_uid)
    is_of = among(orders.c.national_number, numbers, sqlite=dialect.sqlite)
    return (
        sa.select(study.c[key]).select_from(filed).where(among(patient.c.patient_id, numbers, sqlite=dialect.sqlite)),
        sa.select(study.c[key]).select_from(named).where(among(other_ids.c.number, numbers, sqlite=dialect.sqlite)),
        _matched(is_of, key),
        sa.select(study.c[key]).select_from(of_file).where(is_of, orders.c.patient_id != "", study.c.facility != ""),
    )


def _matched(of_orders: Clause, key: str) -> sa.Select[Any]:
    study = studies.alias()
    found = _ORDERED.join(study, study.c.study_instance_uid == order_matches.c.study_instance_uid)
    return sa.select(study.c[key]).select_from(found).where(of_orders, order_matches.c.released == 0)

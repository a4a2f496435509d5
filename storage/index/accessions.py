"""Studies by accession number and by patient, as national look-ups ask: of every facility, held here or elsewhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from storage.index import other_patient_ids
from storage.index.national_schema import order_matches, orders
from storage.index.prepared import Prepared
from storage.index.schema import patients, series, studies
from vna.model.orders import OrderKey

OTHER_IDS, OTHER_IDS_SEQUENCE, PATIENT_ID = "00101000", "00101002", "00100020"
_MOST_FILES = 1000


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study as look-ups see it; `other_ids` are what its patient is called beside Patient ID."""

    study_instance_uid: str
    facility: str
    accession_number: str
    modalities: tuple[str, ...]
    study_date: str
    study_time: str
    description: str
    series: int
    instances: int
    patient_id: str = field(repr=False)
    other_ids: tuple[str, ...] = field(repr=False)


_READ = (
    studies.c.study_instance_uid,
    studies.c.facility,
    studies.c.accession_number,
    studies.c.modalities,
    studies.c.study_date,
    studies.c.study_time,
    studies.c.study_description,
    studies.c.number_of_series,
    studies.c.number_of_instances,
    patients.c.patient_id,
    patients.c.attributes,
)
_JOINED = studies.join(patients, patients.c.id == studies.c.patient_fk)
_BY_ACCESSION = Prepared(
    sa.select(*_READ)
    .select_from(_JOINED)
    .where(studies.c.accession_number == sa.bindparam("accession_number"))
    .order_by(studies.c.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_MATCHED = Prepared(
    sa.select(*_READ)
    .select_from(_JOINED.join(order_matches, order_matches.c.study_instance_uid == studies.c.study_instance_uid))
    .where(
        order_matches.c.facility == sa.bindparam("facility"),
        order_matches.c.accession_number == sa.bindparam("accession_number"),
        order_matches.c.released == 0,
    )
    .order_by(studies.c.id)
)
_FILES = Prepared(
    sa.select(orders.c.facility, orders.c.patient_id)
    .distinct()
    .where(orders.c.national_number == sa.bindparam("national_number"), orders.c.patient_id != "")
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_PERFORMERS = Prepared(
    sa.select(orders.c.id)
    .where(
        orders.c.national_number == sa.bindparam("national_number"),
        (orders.c.facility == sa.bindparam("facility")) | (orders.c.performing_facility == sa.bindparam("facility")),
    )
    .limit(1)
)


def with_accession(connection: sa.Connection, accession_number: str, most: int) -> list[FoundStudy]:
    """Studies with this accession number, of every facility, the oldest first."""
    found = _BY_ACCESSION.run(connection, accession_number=accession_number, most=most).fetchall()
    return [_study(row) for row in found]


def matched(connection: sa.Connection, key: OrderKey) -> list[FoundStudy]:
    """Studies that are of an order, whatever their accession number says."""
    found = _MATCHED.run(connection, facility=key.facility, accession_number=key.accession_number).fetchall()
    return [_study(row) for row in found]


def counts_without(
    connection: sa.Connection, study_instance_uids: Sequence[str], modalities: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """Series and instances of studies that are of no such modality; studies of which no series is known are left
    out."""
    if not study_instance_uids:
        return {}
    counted = sa.case((series.c.modality.in_(modalities), 0), else_=1)
    statement = (
        sa.select(
            studies.c.study_instance_uid, sa.func.sum(counted), sa.func.sum(counted * series.c.number_of_instances)
        )
        .select_from(studies.join(series, series.c.study_fk == studies.c.id))
        .where(studies.c.study_instance_uid.in_(study_instance_uids))
        .group_by(studies.c.study_instance_uid)
    )
    return {uid: (int(several), int(instances)) for uid, several, instances in connection.execute(statement)}


def file_numbers(connection: sa.Connection, numbers: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Facilities and what the file of who has these national numbers is called there, as orders say."""
    return frozenset(
        (facility, patient_id)
        for number in numbers
        for facility, patient_id in _FILES.run(connection, national_number=number, most=_MOST_FILES).fetchall()
    )


def is_known_at(connection: sa.Connection, numbers: Iterable[str], facility: str) -> bool:
    """Whether something was ordered by a facility for who has one of these national numbers, or is to be done there."""
    found = (_PERFORMERS.run(connection, national_number=number, facility=facility).fetchone() for number in numbers)
    return any(row is not None for row in found)


def of_patient(
    connection: sa.Connection,
    numbers: Sequence[str],
    *,
    since: str = "",
    until: str = "",
    modality: str = "",
    without: Sequence[str] = (),
    limit: int,
) -> tuple[list[FoundStudy], int]:
    """The newest studies of who has these national numbers, and how many there are: dates are days (`YYYYMMDD`),
    `modality` one of the study's. Those that have no modality but `without` are passed over."""
    conditions = [_is_of(connection, numbers)]
    if since:
        conditions.append(studies.c.study_date >= since)
    if until:
        conditions.append((studies.c.study_date <= until) & (studies.c.study_date != ""))
    if modality:
        conditions.append(studies.c.modalities.contains(f"\\{modality}\\", autoescape=True))
    rest: Any = studies.c.modalities
    for name in without:
        rest = sa.func.replace(rest, f"\\{name}\\", "\\")
    if without:
        conditions.append(rest != "\\")
    total = connection.execute(sa.select(sa.func.count()).select_from(_JOINED).where(*conditions)).scalar_one()
    newest = (studies.c.study_date.desc(), studies.c.study_time.desc(), studies.c.id.desc())
    rows = connection.execute(sa.select(*_READ).select_from(_JOINED).where(*conditions).order_by(*newest).limit(limit))
    return [_study(row) for row in rows], int(total)


def _is_of(connection: sa.Connection, numbers: Sequence[str]) -> sa.ColumnElement[bool]:
    """By Patient ID, by Other Patient IDs, by what orders say of it, or by file number at a facility."""
    matched = (
        sa.select(studies.c.id)
        .join(order_matches, order_matches.c.study_instance_uid == studies.c.study_instance_uid)
        .join(
            orders,
            (orders.c.facility == order_matches.c.facility)
            & (orders.c.accession_number == order_matches.c.accession_number),
        )
        .where(orders.c.national_number.in_(numbers), order_matches.c.released == 0)
    )
    files = file_numbers(connection, numbers)
    of_files = [(studies.c.facility == facility) & (patients.c.patient_id == number) for facility, number in files]
    called = (
        sa.select(studies.c.id)
        .select_from(_JOINED)
        .where(
            patients.c.patient_id.in_({*numbers, *(number for _, number in files)}),
            sa.or_(patients.c.patient_id.in_(numbers), *of_files),
        )
    )
    named = sa.select(studies.c.id).where(studies.c.study_instance_uid.in_(other_patient_ids.studies(numbers)))
    return studies.c.id.in_(sa.union(called, matched, named))


def _study(row: Sequence[Any]) -> FoundStudy:
    uid, facility, accession, modalities, date, time, description, series, instances, patient_id, attributes = row
    return FoundStudy(
        study_instance_uid=uid,
        facility=facility,
        accession_number=accession,
        modalities=tuple(filter(None, modalities.split("\\"))),
        study_date=date,
        study_time=time,
        description=description,
        series=series,
        instances=instances,
        patient_id=patient_id,
        other_ids=_other_ids(attributes),
    )


def _other_ids(attributes: str) -> tuple[str, ...]:
    if OTHER_IDS not in attributes and OTHER_IDS_SEQUENCE not in attributes:
        return ()
    said = orjson.loads(attributes)
    items = said.get(OTHER_IDS_SEQUENCE, {}).get("Value", ())
    named = [value for item in items for value in (item or {}).get(PATIENT_ID, {}).get("Value", ())]
    return tuple(str(value).strip() for value in (*said.get(OTHER_IDS, {}).get("Value", ()), *named) if value)

"""Orders and studies that nothing was matched with, a page at a time, along indexes of time."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.index.matches import OF_ORDER
from storage.index.national_schema import order_matches, orders
from storage.index.national_schema import quarantine as quarantined
from storage.index.schema import patients, studies
from vna.model.orders import OrderState


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A study of no order; `place` parts those of one day. What is in quarantine is as its first instance says."""

    place: int
    study_instance_uid: str
    accession_number: str
    patient_id: str
    modalities: str
    study_date: str
    study_time: str = ""
    is_quarantined: bool = False


_ORDER = ("id", "facility", "accession_number", "requested_at", "sut_code")


def of_orders(
    connection: sa.Connection, facility: str, begin: str, end: str, modality: str, after: tuple[str, int], limit: int
) -> list[sa.Row[Any]]:
    """Orders of a facility that were asked for between two local times, the oldest first, from a position on."""
    at, key = orders.c.requested_at, orders.c.id
    matched = sa.exists().where(OF_ORDER, order_matches.c.released == 0)
    wanted = sa.select(*(orders.c[name] for name in _ORDER)).where(
        orders.c.facility == facility,
        at >= max(begin, after[0]),
        at <= end,
        sa.or_(at > after[0], key > after[1]),
        orders.c.state != OrderState.CANCELLED.value,
        orders.c.matched == sa.literal_column("0"),  # as `ix_orders_unmatched` says it; kept up a moment later
        ~matched,
    )
    if modality:
        wanted = wanted.where(orders.c.modality == modality)
    return list(connection.execute(wanted.order_by(at, key).limit(limit)))


def of_studies(
    connection: sa.Connection, facility: str, begin: str, end: str, modality: str, after: tuple[str, int], limit: int
) -> list[StudyRow]:
    """Studies of a facility that were made on the days from one local time to another, the oldest first, from a
    position on; what is in quarantine among them."""
    asked = (facility, begin, end, modality, after, limit)
    found = [*_seen(connection, *asked), *_quarantined(connection, *asked)]
    return sorted(found, key=lambda row: (row.study_date, row.place))[:limit]


def _seen(
    connection: sa.Connection, facility: str, begin: str, end: str, modality: str, after: tuple[str, int], limit: int
) -> list[StudyRow]:
    """Each has an even place."""
    day, key = studies.c.study_date, studies.c.id
    matched = sa.exists().where(
        order_matches.c.study_instance_uid == studies.c.study_instance_uid, order_matches.c.released == 0
    )
    columns = ("id", "study_instance_uid", "accession_number", "modalities", "study_date", "study_time")
    wanted = (
        sa.select(*(studies.c[name] for name in columns), patients.c.patient_id)
        .join(patients, patients.c.id == studies.c.patient_fk)
        .where(
            studies.c.facility == facility,
            day >= max(begin[:8], after[0]),
            day <= end[:8],
            sa.or_(day > after[0], key > after[1] // 2),
            ~matched,
        )
    )
    if modality:
        wanted = wanted.where(studies.c.modalities.contains(f"\\{modality}\\", autoescape=True))
    return [
        StudyRow(
            place=2 * row.id,
            study_instance_uid=row.study_instance_uid,
            accession_number=row.accession_number,
            patient_id=row.patient_id,
            modalities=row.modalities,
            study_date=row.study_date,
            study_time=row.study_time,
        )
        for row in connection.execute(wanted.order_by(day, key).limit(limit))
    ]


def _quarantined(
    connection: sa.Connection, facility: str, begin: str, end: str, modality: str, after: tuple[str, int], limit: int
) -> list[StudyRow]:
    """Each has an odd place. What is seen all the same is listed with the others."""
    day, key = quarantined.c.study_date, quarantined.c.id
    seen = sa.exists().where(studies.c.study_instance_uid == quarantined.c.study_instance_uid)
    wanted = sa.select(quarantined).where(
        quarantined.c.facility == facility,
        day >= max(begin[:8], after[0]),
        day <= end[:8],
        sa.or_(day > after[0], key > (after[1] - 1) // 2),
        ~seen,
    )
    if modality:
        wanted = wanted.where(quarantined.c.modality == modality)
    return [
        StudyRow(
            place=2 * row.id + 1,
            study_instance_uid=row.study_instance_uid,
            accession_number=row.accession_number,
            patient_id=row.patient_id,
            modalities=row.modality,
            study_date=row.study_date,
            is_quarantined=True,
        )
        for row in connection.execute(wanted.order_by(day, key).limit(limit))
    ]

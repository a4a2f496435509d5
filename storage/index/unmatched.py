"""Orders and studies that nothing was matched with, a page at a time, along indexes of time."""

from typing import Any

import sqlalchemy as sa

from storage.index.matches import OF_ORDER
from storage.index.national_schema import order_matches, orders
from storage.index.schema import patients, studies
from vna.model.orders import OrderState

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
) -> list[sa.Row[Any]]:
    """Studies of a facility that were made on the days from one local time to another, the oldest first, from a
    position on."""
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
            sa.or_(day > after[0], key > after[1]),
            ~matched,
        )
    )
    if modality:
        wanted = wanted.where(studies.c.modalities.contains(f"\\{modality}\\", autoescape=True))
    return list(connection.execute(wanted.order_by(day, key).limit(limit)))

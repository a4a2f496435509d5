"""Lists of orders and of what stands beside them: each goes along one index, and ends at a bound."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from storage.index import orders as rows
from storage.index.matches import OF_ORDER
from storage.index.national_schema import order_matches, orders
from storage.index.schema import studies
from vna.model.order_queries import ListedStudy, OrderPage, OrderQuery, Place
from vna.model.orders import ANY_FACILITY, KnownOrder, OrderKey

_BATCH = 500
_STUDY = (
    studies.c.study_instance_uid,
    studies.c.facility,
    studies.c.accession_number,
    studies.c.study_date,
    studies.c.modalities,
)


def page(connection: sa.Connection, query: OrderQuery, after: Place | None, limit: int) -> OrderPage:
    """Orders of a query, the newest first: `limit` of those behind `after`.

    Whose they are is a walk each, along its own index: what a facility ordered, what it performs for others, and what
    any centre may perform and it did.
    """
    time = orders.c.scheduled_at if query.scheduled is not None else orders.c.requested_at
    conditions = [*_conditions(query, time), *_behind(time, after)]
    found: dict[Place, KnownOrder] = {}
    for walk in _walks(query):
        statement = rows.select(*conditions, *walk)
        newest = statement.add_columns(time, orders.c.id).order_by(time.desc(), orders.c.id.desc())
        for *row, at, number in connection.execute(newest.limit(limit + 1)):
            found[Place(at, number)] = rows.known(row)
    places = sorted(found, reverse=True)
    shown = places[:limit]
    return OrderPage(tuple(found[place] for place in shown), shown[-1] if len(places) > limit else None)


def _walks(query: OrderQuery) -> list[list[sa.ColumnElement[bool]]]:
    if not query.facility:
        return [[]]
    own = [orders.c.facility == query.facility]
    performed = [orders.c.performing_facility == query.facility, orders.c.facility != query.facility]
    open_ones = orders.c.performing_facility == ANY_FACILITY
    return [own, performed, [open_ones, orders.c.facility != query.facility, _made_at(query.facility)]]


def is_made_at(connection: sa.Connection, key: OrderKey, facility: str) -> bool:
    """Whether a facility made images of an order."""
    named = (orders.c.facility == key.facility, orders.c.accession_number == key.accession_number)
    return connection.execute(sa.select(orders.c.id).where(*named, _made_at(facility))).first() is not None


def _made_at(facility: str) -> sa.ColumnElement[bool]:
    same = studies.c.study_instance_uid == order_matches.c.study_instance_uid
    return sa.exists().where(OF_ORDER, order_matches.c.released == 0, same, studies.c.facility == facility)


def _conditions(query: OrderQuery, time: sa.Column[str]) -> list[sa.ColumnElement[bool]]:
    equal = (
        (orders.c.national_number, query.national_number),
        (orders.c.patient_id, query.patient_id),
        (orders.c.modality, query.modality),
        (orders.c.status, query.status),
    )
    found = [column == value for column, value in equal if value]
    if query.accession_numbers:
        found.append(orders.c.accession_number.in_(query.accession_numbers))
    if query.sut_codes:
        found.append(orders.c.sut_code.in_(query.sut_codes))
    period = query.scheduled or query.requested
    return found if period is None else [*found, time.between(period.begin, period.end)]


def _behind(time: sa.Column[str], after: Place | None) -> list[sa.ColumnElement[bool]]:
    if after is None:
        return []
    return [time <= after.at, sa.or_(time < after.at, orders.c.id < after.number)]


def studies_of_day(connection: sa.Connection, facility: str, day: str, modality: str, limit: int) -> list[ListedStudy]:
    """Studies that were made at a facility on a day (`YYYYMMDD`); `modality` empty for all."""
    statement = sa.select(*_STUDY).where(studies.c.study_date == day, studies.c.facility == facility)
    if modality:
        statement = statement.where(studies.c.modalities.contains(f"\\{modality}\\", autoescape=True))
    return _studies(connection, statement.order_by(studies.c.study_time, studies.c.id).limit(limit))


def studies_with_accession(
    connection: sa.Connection, facility: str, accession_numbers: Iterable[str]
) -> list[ListedStudy]:
    """Studies of a facility with one of these accession numbers."""
    wanted, found = list(accession_numbers), list[ListedStudy]()
    for at in range(0, len(wanted), _BATCH):
        statement = sa.select(*_STUDY).where(studies.c.accession_number.in_(wanted[at : at + _BATCH]))
        found += _studies(connection, statement.where(studies.c.facility == facility))
    return found


def _studies(connection: sa.Connection, statement: sa.Select[Any]) -> list[ListedStudy]:
    return [
        ListedStudy(uid, facility, accession, date, tuple(filter(None, modalities.split("\\"))))
        for uid, facility, accession, date, modalities in connection.execute(statement)
    ]

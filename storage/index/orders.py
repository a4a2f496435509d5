"""Order rows: put, found by key, by accession number and by what national look-ups ask."""

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.national_schema import orders as table
from storage.index.prepared import Prepared
from vna.model.names import normalised
from vna.model.orders import KnownOrder, Order, OrderedPatient, OrderKey, Standing

_READ = (
    table.c.body,
    table.c.matched,
    table.c.has_images,
    table.c.has_report,
    table.c.status,
    table.c.reasons,
    table.c.performed_at,
    table.c.changed_at,
)
_MOST = 100
_KEY = (table.c.facility == sa.bindparam("facility")) & (table.c.accession_number == sa.bindparam("accession_number"))
_BY_KEY = Prepared(sa.select(*_READ).where(_KEY))
_BY_ACCESSION = Prepared(
    sa.select(*_READ).where(table.c.accession_number == sa.bindparam("accession_number")).order_by(table.c.id)
)


def put(connection: sa.Connection, order: Order, at: str) -> None:
    """Write an order, in the place of what was known of it; how it stands stays. `at` is a `time_text`."""
    values = {**_columns(order), "changed_at": at, "placed_at": at}
    _UPSERT[connection.dialect.name].run(connection, **values)


def find(connection: sa.Connection, key: OrderKey, *, lock: bool = False) -> KnownOrder | None:
    """The order by its key; with `lock`, nobody else changes it until the transaction ends."""
    if lock and connection.dialect.name != "sqlite":
        found = sa.select(*_READ).where(
            table.c.facility == key.facility, table.c.accession_number == key.accession_number
        )
        row = connection.execute(found.with_for_update()).one_or_none()
    else:
        row = _BY_KEY.run(connection, facility=key.facility, accession_number=key.accession_number).fetchone()
    return None if row is None else known(row)


def with_accession(connection: sa.Connection, accession_number: str) -> list[KnownOrder]:
    """The orders with this accession number, of every facility, the oldest first."""
    return [known(row) for row in _BY_ACCESSION.run(connection, accession_number=accession_number).fetchall()]


def file_numbers(connection: sa.Connection, facility: str, national_number: str) -> list[str]:
    """The file numbers of a patient at a facility, by the national number of its orders."""
    mine = (table.c.national_number == national_number, table.c.facility == facility, table.c.patient_id != "")
    return list(connection.execute(sa.select(table.c.patient_id).where(*mine).distinct().limit(_MOST)).scalars())


def of_patient(
    connection: sa.Connection, number: str, *, facility: str | None, after: int
) -> list[tuple[int, KnownOrder]]:
    """Orders for whoever has this file number or national number, of one facility (None: of all, by the national number
    alone), some at a time by the keys of their rows, locked until the transaction ends."""
    if facility is None:
        whose = table.c.national_number == number
    else:
        whose = (table.c.facility == facility) & ((table.c.patient_id == number) | (table.c.national_number == number))
    statement = select(whose, table.c.id > after).add_columns(table.c.id).order_by(table.c.id).limit(_MOST)
    rows = connection.execute(statement.with_for_update()).all()
    return [(row[-1], known(row[:-1])) for row in rows]


def set_standing(connection: sa.Connection, key: OrderKey, standing: Standing) -> None:
    """Note how an order stands."""
    connection.execute(
        sa.update(table)
        .where(table.c.facility == key.facility, table.c.accession_number == key.accession_number)
        .values(
            matched=int(standing.matched),
            has_images=int(standing.has_images),
            has_report=int(standing.has_report),
            status=standing.status,
            reasons=orjson.dumps(standing.reasons).decode(),
            performed_at=standing.performed_at,
        )
    )


def replay(connection: sa.Connection, plain: dict[str, Any], at: str) -> None:
    """Do again what the journal tells of an order."""
    put(connection, Order.from_plain(plain), at)


def listed(connection: sa.Connection, statement: sa.Select[Any]) -> list[KnownOrder]:
    """The orders of a statement made with `select()`."""
    return [known(row) for row in connection.execute(statement)]


def select(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """A selection of orders, for modules of storage that narrow it further."""
    return sa.select(*_READ).where(*conditions)


def known(row: Sequence[Any]) -> KnownOrder:
    """A row of `select` as the model has it."""
    body, matched, images, report, status, reasons, performed_at, changed_at = row
    standing = Standing(
        bool(matched), bool(images), bool(report), status, tuple(orjson.loads(reasons or "[]")), performed_at
    )
    return KnownOrder(Order.from_plain(orjson.loads(body)), standing, changed_at)


def _columns(order: Order) -> dict[str, Any]:
    return {
        "facility": order.key.facility,
        "accession_number": order.key.accession_number,
        "study_instance_uid": order.study_instance_uid,
        "patient_id": order.patient.patient_id,
        "national_number": order.patient.national_number,
        "patient_name": order.patient.name,
        "patient_name_norm": normalised(order.patient.name),
        "state": order.state.value,
        "sut_code": order.sut.code,
        "modality": order.modality,
        "requested_at": order.requested_at,
        "scheduled_at": order.scheduled_at,
        "performing_facility": order.performing_facility,
        "station_ae_title": order.station_ae_title,
        "doctor_number": order.ordering_doctor.number,
        "body": orjson.dumps(order.as_plain()).decode(),
    }


_WRITTEN = (*_columns(Order(OrderKey("", ""), OrderedPatient())), "changed_at", "placed_at")
_STAYS = frozenset({"facility", "accession_number", "placed_at"})


def _upsert_for(module: Any) -> Prepared:
    statement = module.insert(table).values({name: sa.bindparam(name) for name in _WRITTEN})
    changed = {name: statement.excluded[name] for name in _WRITTEN if name not in _STAYS}
    return Prepared(statement.on_conflict_do_update(index_elements=["facility", "accession_number"], set_=changed))


_UPSERT = {"sqlite": _upsert_for(sqlite), "postgresql": _upsert_for(postgresql)}

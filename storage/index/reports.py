"""Report rows: a draft may be written over, an approved one never is."""

from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.national_schema import order_matches
from storage.index.national_schema import reports as table
from vna.model.orders import OrderKey
from vna.model.reports import Report, ReportState

_NUMBERED = ["facility", "accession_number", "number"]


def lock(connection: sa.Connection, key: OrderKey) -> None:
    """Nobody else writes a version of this order's report until the transaction ends, where there is one already;
    who writes the first one is decided by `add`."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.select(table.c.id).where(_of(key)).with_for_update())


def of(connection: sa.Connection, key: OrderKey) -> tuple[Report, ...]:
    """Every version, by number."""
    rows = connection.execute(sa.select(table.c.body).where(_of(key)).order_by(table.c.number))
    return tuple(Report.from_plain(orjson.loads(body)) for (body,) in rows)


def add(connection: sa.Connection, report: Report) -> bool:
    """Write a version that is new; False when another one has its number."""
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = module.insert(table).values(**_columns(report))
    insert = insert.on_conflict_do_nothing(index_elements=_NUMBERED)
    return connection.execute(insert.returning(table.c.id)).one_or_none() is not None


def change(connection: sa.Connection, report: Report) -> bool:
    """Write a version in the place of a draft; False when there is no draft of this number."""
    held = sa.update(table).where(
        _of(report.key), table.c.number == report.number, table.c.state == ReportState.DRAFT.value
    )
    return connection.execute(held.values(**_columns(report))).rowcount == 1


def studies(connection: sa.Connection, key: OrderKey) -> list[tuple[str, bool]]:
    """The studies that the order is matched with (True), or was until a person took that back (False)."""
    found = sa.select(order_matches.c.study_instance_uid, order_matches.c.released).where(
        order_matches.c.facility == key.facility, order_matches.c.accession_number == key.accession_number
    )
    return [(uid, not released) for uid, released in connection.execute(found.order_by(order_matches.c.id))]


def replay(connection: sa.Connection, plain: dict[str, Any]) -> Report:
    """Do again what the journal tells of a report."""
    report = Report.from_plain(plain)
    if not add(connection, report):
        change(connection, report)
    return report


def _of(key: OrderKey) -> sa.ColumnElement[bool]:
    return (table.c.facility == key.facility) & (table.c.accession_number == key.accession_number)


def _columns(report: Report) -> dict[str, Any]:
    return {
        "facility": report.key.facility,
        "accession_number": report.key.accession_number,
        "number": report.number,
        "state": report.state.value,
        "kind": report.kind.value,
        "addendum_to": report.addendum_to,
        "approved_at": report.approved_at,
        "radiologist": report.radiologists[0].number if report.radiologists else "",
        "source": report.source,
        "received_at": report.received_at,
        "body": orjson.dumps(report.as_plain()).decode(),
    }

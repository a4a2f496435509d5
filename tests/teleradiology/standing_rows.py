"""What other parts of the archive write of orders, written by tests: matches and reports as rows with their events."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from storage.index import events, national_schema
from vna.app import Application
from vna.model.events import EventKind
from vna.model.orders import OrderKey


def match(archive: Application, key: OrderKey, study_instance_uid: str) -> None:
    """These images are of this order."""
    with archive.database.transaction() as connection:
        row = {"facility": key.facility, "accession_number": key.accession_number}
        connection.execute(
            sa.insert(national_schema.order_matches).values(**row, study_instance_uid=study_instance_uid, rule="test")
        )
        _tell(connection, EventKind.MATCH_CHANGED, key)


def report(archive: Application, key: OrderKey, *, number: int = 1, state: str = "approved", by: str = "") -> None:
    """A report of this order."""
    with archive.database.transaction() as connection:
        row = {"facility": key.facility, "accession_number": key.accession_number, "number": number}
        connection.execute(sa.insert(national_schema.reports).values(**row, state=state, radiologist=by))
        _tell(connection, EventKind.REPORT_CHANGED, key)


def _tell(connection: sa.Connection, kind: EventKind, key: OrderKey) -> None:
    events.append(
        connection,
        kind,
        at=datetime.now(UTC),
        actor="test",
        study_instance_uid=str(key)[:64],
        detail={"key": {"facility": key.facility, "accession_number": key.accession_number}},
    )

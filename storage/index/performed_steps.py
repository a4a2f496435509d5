"""Rows of modality performed procedure steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.national_schema import performed_steps as table
from vna.model.query import Element


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `elements` are its attributes, the others what is looked for of them. `facility` is of who told of it;
    `accession_numbers` and `study_instance_uid` are those of the scheduled steps it was made for."""

    sop_instance_uid: str
    status: str
    facility: str
    station_ae_title: str
    study_instance_uid: str
    accession_numbers: tuple[str, ...]
    started_at: str
    elements: dict[str, Element]


def add(connection: sa.Connection, step: Step, at: str) -> bool:
    """Make it known; False when it was. `at` is a `time_text`."""
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = module.insert(table).values(**_columns(step), changed_at=at).on_conflict_do_nothing()
    return connection.execute(statement.returning(table.c.id)).first() is not None


def put(connection: sa.Connection, step: Step, at: str) -> None:
    """Write it in the place of what was known of it."""
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = {**_columns(step), "changed_at": at}
    statement = module.insert(table).values(**values)
    connection.execute(statement.on_conflict_do_update(index_elements=["sop_instance_uid"], set_=values))


def find(connection: sa.Connection, sop_instance_uid: str, *, lock: bool = False) -> Step | None:
    """The step by its UID; with `lock`, nobody else changes it until the transaction ends."""
    statement = sa.select(table).where(table.c.sop_instance_uid == sop_instance_uid)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    return None if row is None else _step(row)


def statuses(connection: sa.Connection, study_instance_uid: str, accession_number: str) -> Sequence[str]:
    """How far the steps are that were made for an order, in no order."""
    rows = connection.execute(
        sa.select(table.c.status, table.c.accession_numbers).where(table.c.study_instance_uid == study_instance_uid)
    )
    return [row.status for row in rows if accession_number in orjson.loads(row.accession_numbers)]


def _columns(step: Step) -> dict[str, Any]:
    return {
        "sop_instance_uid": step.sop_instance_uid,
        "status": step.status,
        "facility": step.facility,
        "performed_station_ae_title": step.station_ae_title,
        "study_instance_uid": step.study_instance_uid,
        "accession_numbers": orjson.dumps(step.accession_numbers).decode(),
        "started_at": step.started_at,
        "body": orjson.dumps(step.elements).decode(),
    }


def _step(row: sa.Row[Any]) -> Step:
    return Step(
        row.sop_instance_uid,
        row.status,
        row.facility,
        row.performed_station_ae_title,
        row.study_instance_uid,
        tuple(orjson.loads(row.accession_numbers)),
        row.started_at,
        orjson.loads(row.body),
    )

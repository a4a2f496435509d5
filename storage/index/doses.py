"""What radiation dose reports say: a row for each, by SOP Instance UID."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.national_schema import doses as table
from storage.index.schema import instances, series, studies

_BATCH = 500


@dataclass(frozen=True, slots=True)
class DoseRow:
    """A dose report; `body` is plain JSON."""

    sop_instance_uid: str
    study_instance_uid: str
    modality: str
    device: str
    started_at: str
    body: Mapping[str, Any]


def put(connection: sa.Connection, dose: DoseRow) -> None:
    """Write one, in the place of what was known of it."""
    values = {
        "sop_instance_uid": dose.sop_instance_uid,
        "study_instance_uid": dose.study_instance_uid,
        "modality": dose.modality[:16],
        "device": dose.device,
        "started_at": dose.started_at[:14],
        "body": orjson.dumps(dict(dose.body)).decode(),
    }
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = module.insert(table).values(**values)
    connection.execute(statement.on_conflict_do_update(index_elements=["sop_instance_uid"], set_=values))


def remove(connection: sa.Connection, sop_instance_uids: Iterable[str]) -> None:
    """Forget those of these instances."""
    uids = sorted(set(sop_instance_uids))
    for start in range(0, len(uids), _BATCH):
        connection.execute(sa.delete(table).where(table.c.sop_instance_uid.in_(uids[start : start + _BATCH])))


def of_studies(connection: sa.Connection, study_instance_uids: Sequence[str]) -> list[DoseRow]:
    """Those of some studies, in the order in which they came."""
    columns = (
        table.c.sop_instance_uid,
        table.c.study_instance_uid,
        table.c.modality,
        table.c.device,
        table.c.started_at,
    )
    rows = connection.execute(
        sa.select(*columns, table.c.body)
        .where(table.c.study_instance_uid.in_(study_instance_uids))
        .order_by(table.c.id)
    )
    return [
        DoseRow(uid, study, modality, device, at, orjson.loads(body or "{}"))
        for uid, study, modality, device, at, body in rows
    ]


def known(connection: sa.Connection, sop_instance_uids: Sequence[str]) -> set[str]:
    """Which of these instances have a row."""
    wanted = sa.select(table.c.sop_instance_uid).where(table.c.sop_instance_uid.in_(sop_instance_uids))
    return set(connection.execute(wanted).scalars())


@dataclass(frozen=True, slots=True)
class Report:
    """An instance that may be a dose report, with its packed header."""

    key: int
    sop_instance_uid: str
    study_instance_uid: str
    header: bytes


_REPORT = (
    sa.select(instances.c.id, instances.c.sop_instance_uid, studies.c.study_instance_uid, instances.c.header)
    .join(series, series.c.id == instances.c.series_fk)
    .join(studies, studies.c.id == series.c.study_fk)
)


def reports(connection: sa.Connection, sop_instance_uids: Sequence[str], classes: Iterable[str]) -> list[Report]:
    """Those of these instances that are known and of one of the SOP Classes."""
    found: list[Report] = []
    wanted = _REPORT.where(instances.c.sop_class_uid.in_(list(classes)))
    for start in range(0, len(sop_instance_uids), _BATCH):
        some = sop_instance_uids[start : start + _BATCH]
        rows = connection.execute(wanted.where(instances.c.sop_instance_uid.in_(some)))
        found += [Report(row[0], row[1], row[2], bytes(row[3])) for row in rows]
    return found


def every_report(connection: sa.Connection, classes: Iterable[str], after: int, limit: int) -> list[Report]:
    """All of them, by their rows' numbers, from one on: what a reindex has to read again."""
    wanted = _REPORT.where(instances.c.sop_class_uid.in_(list(classes)), instances.c.blob != "", instances.c.id > after)
    rows = connection.execute(wanted.order_by(instances.c.id).limit(limit))
    return [Report(row[0], row[1], row[2], bytes(row[3])) for row in rows]

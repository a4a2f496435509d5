"""Studies as rules of retention see them."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from storage.index.schema import instances, patients, series, studies


@dataclass(frozen=True, slots=True)
class Kept:
    """A study: dates as they are in images, `modalities` as a list such as `\\\\CT\\\\MR\\\\`."""

    key: int
    study_instance_uid: str
    facility: str
    study_date: str
    modalities: str
    first_received_at: str
    instances: int
    birth_date: str


_COLUMNS = (
    studies.c.id,
    studies.c.study_instance_uid,
    studies.c.facility,
    studies.c.study_date,
    studies.c.modalities,
    studies.c.first_received_at,
    studies.c.number_of_instances,
    patients.c.birth_date,
)


def kept(connection: sa.Connection, *, before: str, after: int, limit: int) -> list[Kept]:
    """Studies of a study date before one, or of none, in the order of their keys, from one on."""
    rows = connection.execute(
        sa.select(*_COLUMNS)
        .join(patients, patients.c.id == studies.c.patient_fk)
        .where(studies.c.id > after, studies.c.study_date <= before)
        .order_by(studies.c.id)
        .limit(limit)
    )
    return [Kept(*row) for row in rows]


def sizes(connection: sa.Connection, keys: Sequence[int]) -> dict[int, int]:
    """Bytes of some hundred studies, by key."""
    rows = connection.execute(
        sa.select(series.c.study_fk, sa.func.sum(instances.c.size))
        .join(instances, instances.c.series_fk == series.c.id)
        .where(series.c.study_fk.in_(keys), instances.c.blob != "")
        .group_by(series.c.study_fk)
    )
    return {row[0]: int(row[1]) for row in rows}

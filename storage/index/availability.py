"""How the instances of a study can be had, page by page, those that were deleted too."""

from dataclasses import dataclass

import sqlalchemy as sa

from storage.index.national_schema import performed_steps
from storage.index.schema import deleted, instances, series, studies
from vna.model.instances import QUARANTINED, Availability


@dataclass(frozen=True, slots=True)
class Listed:
    """One instance; of a deleted one the blob says the SOP Class."""

    key: int
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    availability: Availability
    blob: str = ""
    size: int = 0


def held(connection: sa.Connection, study: str, *, after: int, limit: int) -> list[Listed]:
    """Those that the study has, in the order in which they became known, from a key on."""
    state = sa.case(
        (instances.c.blob != "", int(Availability.ONLINE)),
        (instances.c.size < 0, int(Availability.UNAVAILABLE)),
        else_=series.c.availability,
    )
    wanted = (
        sa.select(instances.c.id, series.c.series_instance_uid, instances.c.sop_instance_uid, instances.c.sop_class_uid)
        .add_columns(state.label("state"))
        .join(series, series.c.id == instances.c.series_fk)
        .join(studies, studies.c.id == series.c.study_fk)
        .where(studies.c.study_instance_uid == study, instances.c.id > after)
        .order_by(instances.c.id)
        .limit(limit)
    )
    return [Listed(key, of, uid, kind, Availability(state)) for key, of, uid, kind, state in connection.execute(wanted)]


def gone(connection: sa.Connection, study: str, *, after: int, limit: int) -> list[Listed]:
    """Those that were deleted of it, and did not come again; what is in quarantine was never there."""
    again = sa.exists().where(instances.c.sop_instance_uid == deleted.c.sop_instance_uid)
    wanted = (
        sa.select(deleted.c.id, deleted.c.series_instance_uid, deleted.c.sop_instance_uid, deleted.c.blob)
        .add_columns(deleted.c.size)
        .where(deleted.c.study_instance_uid == study, deleted.c.id > after)
        .where(deleted.c.reason != QUARANTINED, ~again)
        .order_by(deleted.c.id)
        .limit(limit)
    )
    rows = connection.execute(wanted)
    return [Listed(row.id, row[1], row[2], "", Availability.UNAVAILABLE, row.blob, row.size) for row in rows]


def performed_step(connection: sa.Connection, study: str) -> str:
    """The one performed procedure step that a study is of; empty where there is none, or more than one."""
    wanted = sa.select(performed_steps.c.sop_instance_uid).where(performed_steps.c.study_instance_uid == study)
    found = list(connection.execute(wanted.limit(2)).scalars())
    return found[0] if len(found) == 1 else ""

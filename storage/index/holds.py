"""Holds: what may not be removed, whoever wants to."""

from dataclasses import dataclass, replace

import sqlalchemy as sa

from storage.index.care_schema import holds
from storage.index.schema import conflicts, patients, studies
from storage.index.upserts import upsert


@dataclass(frozen=True, slots=True)
class Hold:
    """A study or a patient that is on hold; `until` is an ISO 8601 date, empty for ever; `added_at` a `time_text`."""

    name: str
    study_instance_uid: str
    patient_id: str
    issuer: str
    reason: str
    until: str
    added_at: str
    added_by: str


_COLUMNS = tuple(holds.c[name] for name in Hold.__slots__)


def put(connection: sa.Connection, hold: Hold) -> None:
    """Keep it, over one of the same name."""
    upsert(connection, holds, {name: getattr(hold, name) for name in Hold.__slots__}, key=["name"])


def remove(connection: sa.Connection, name: str) -> list[Hold]:
    """End it, with what followed studies elsewhere; what that was."""
    same = sa.or_(holds.c.name == name, holds.c.name.startswith(f"{name}/", autoescape=True))
    found = [Hold(*row) for row in connection.execute(sa.select(*_COLUMNS).where(same).order_by(holds.c.name))]
    connection.execute(sa.delete(holds).where(same))
    return found


def listed(connection: sa.Connection, *, after: str = "", limit: int) -> list[Hold]:
    """Some of them by name, from one on."""
    rows = connection.execute(sa.select(*_COLUMNS).where(holds.c.name > after).order_by(holds.c.name).limit(limit))
    return [Hold(*row) for row in rows]


def of_study(connection: sa.Connection, study: str, today: str) -> Hold | None:
    """A hold that is on a study, on the patient it is filed under, or on one who has images in it, on this date."""
    return _first(connection, _on(study), today)


def _on(study: str) -> sa.ColumnElement[bool]:
    filed = sa.exists().where(
        studies.c.study_instance_uid == study,
        patients.c.id == studies.c.patient_fk,
        patients.c.patient_id == holds.c.patient_id,
        sa.or_(holds.c.issuer == "", holds.c.issuer == patients.c.issuer),
    )
    beside = sa.exists().where(
        conflicts.c.study_instance_uid == study,
        conflicts.c.patient_id == holds.c.patient_id,
        sa.or_(holds.c.issuer == "", holds.c.issuer == conflicts.c.issuer),
    )  # images of another patient under the same UID
    of_patient = sa.and_(holds.c.study_instance_uid == "", holds.c.patient_id != "", sa.or_(filed, beside))
    return sa.or_(holds.c.study_instance_uid == study, of_patient)


def of_patient(connection: sa.Connection, patient_id: str, issuer: str, today: str) -> Hold | None:
    """A hold that is on a patient, on this date."""
    same = (holds.c.study_instance_uid == "", holds.c.patient_id == patient_id, holds.c.patient_id != "")
    return _first(connection, sa.and_(*same, holds.c.issuer.in_(("", issuer))), today)


def of_patients(connection: sa.Connection) -> bool:
    """Whether any patient is on hold."""
    return (
        connection.execute(sa.select(holds.c.name).where(holds.c.study_instance_uid == "").limit(1)).first() is not None
    )


def _first(connection: sa.Connection, condition: sa.ColumnElement[bool], today: str) -> Hold | None:
    still = sa.or_(holds.c.until == "", holds.c.until >= today)
    row = connection.execute(sa.select(*_COLUMNS).where(condition, still).order_by(holds.c.name).limit(1)).first()
    return Hold(*row) if row else None


def lock(connection: sa.Connection, study: str, patient_id: str, issuer: str) -> None:
    """What is to be on hold is not removed meanwhile: whoever removes it locks the same rows."""
    if study:
        rows = sa.select(studies.c.id).where(studies.c.study_instance_uid == study)
    else:
        rows = sa.select(patients.c.id).where(patients.c.patient_id == patient_id).order_by(patients.c.id)
        if issuer:
            rows = rows.where(patients.c.issuer == issuer)
    connection.execute(rows.with_for_update())


def follow(connection: sa.Connection, study: str, patient_id: str, issuer: str) -> None:
    """A study that leaves this patient takes his holds along."""
    on_patient = (holds.c.study_instance_uid == "", holds.c.patient_id == patient_id, holds.c.patient_id != "")
    rows = connection.execute(sa.select(*_COLUMNS).where(*on_patient, holds.c.issuer.in_(("", issuer))))
    for row in rows.all():
        _along(connection, Hold(*row), study)


def follow_study(connection: sa.Connection, study: str, other: str) -> list[Hold]:
    """Something of a study moves to another one, which takes the holds along that are on it; those it had not."""
    rows = connection.execute(sa.select(*_COLUMNS).where(_on(study)).order_by(holds.c.name))
    made = (_along(connection, Hold(*row), other) for row in rows.all() if row.study_instance_uid != other)
    return [one for one in made if one is not None]


def _along(connection: sa.Connection, hold: Hold, study: str) -> Hold | None:
    """The hold on a study too, under its name and a number, so that both are released together; None where it is."""
    name = hold.name.partition("/")[0]
    family = holds.c.name.startswith(f"{name}/", autoescape=True)
    known = sa.select(holds.c.name).where(holds.c.study_instance_uid == study, sa.or_(family, holds.c.name == name))
    if connection.execute(known.limit(1)).first() is not None:
        return None
    number = connection.execute(sa.select(sa.func.count()).where(family)).scalar_one()
    made = replace(hold, name=f"{name}/{number + 1}", study_instance_uid=study, patient_id="", issuer="")
    put(connection, made)
    return made

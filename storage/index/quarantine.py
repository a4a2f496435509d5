"""Quarantine: instances that match no order are where deleted ones are, and a row a study says what is looked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.elements import text
from storage.index import subjects
from storage.index.instances import NewInstance
from storage.index.lookup import Content
from storage.index.national_schema import named_accessions
from storage.index.national_schema import quarantine as table
from storage.index.packing import unpack
from storage.index.schema import deleted, studies
from vna.model.dates import normal_date
from vna.model.identifiers import significant
from vna.model.instances import QUARANTINED
from vna.model.matches import Subject

_LONGEST = 16
_WAITS = deleted.c.reason == QUARANTINED
_COPIED = ("sop_instance_uid", "blob", "size", "sha256", "door", "source_ae", "source_address", "facility")


@dataclass(frozen=True, slots=True)
class QuarantinedStudy:
    """A study in quarantine, as its first instance says; `instances` is how many there are by now."""

    key: int
    study_instance_uid: str
    facility: str
    accession_number: str
    patient_id: str
    modality: str
    study_date: str
    known_at: str
    instances: int


def subject_of(new: NewInstance) -> Subject:
    """A study as matching sees it, by the first instance of it that came."""
    elements = orjson.loads(unpack(new.instance["header"]))
    own = _accession(elements)
    return Subject(
        study_instance_uid=new.study_instance_uid,
        accession_numbers=frozenset({own, *subjects.accessions_of(elements)} - {""}),
        patient_id=new.patient_key.patient_id,
        numbers=subjects.numbers_of(elements),
        facility=new.instance["facility"],
        known_at=new.received_at,
    )


def put(connection: sa.Connection, new: NewInstance, replaced: str = "") -> None:
    """Keep an instance out of sight, in the place of one that was `replaced`, by its blob."""
    if replaced:
        set_aside(connection, replaced, "replaced in quarantine")
    row = {name: new.instance[name] for name in _COPIED}
    row |= {"coercion_fk": new.instance.get("coercion_fk"), "received_at": new.received_at}
    row |= {"study_instance_uid": new.study_instance_uid, "series_instance_uid": new.series_instance_uid}
    row |= {"deleted_at": new.received_at, "deleted_by": "vna", "reason": QUARANTINED}
    connection.execute(sa.insert(deleted).values(**row))
    elements = orjson.loads(unpack(new.instance["header"]))
    subject = subject_of(new)
    own = _accession(elements)
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = {
        "study_instance_uid": subject.study_instance_uid,
        "facility": subject.facility,
        "accession_number": own,
        "patient_id": subject.patient_id,
        "numbers": orjson.dumps(sorted(subject.numbers)).decode(),
        "modality": new.modality[:16],
        "study_date": normal_date(text(elements, "00080020"))[:8],
        "known_at": subject.known_at,
    }
    connection.execute(module.insert(table).values(**values).on_conflict_do_nothing())
    rows = [
        {"study_instance_uid": subject.study_instance_uid, "accession_number": number}
        for number in sorted(subject.accession_numbers - {own})
    ]
    if rows:
        connection.execute(module.insert(named_accessions).on_conflict_do_nothing(), rows)


def waiting(connection: sa.Connection, sop_instance_uid: str) -> Content | None:
    """The instance of this UID that is in quarantine; what only its bytes say is left out."""
    wanted = sa.select(deleted).where(deleted.c.sop_instance_uid == sop_instance_uid, _WAITS)
    row = connection.execute(wanted.order_by(deleted.c.id.desc()).limit(1)).first()
    if row is None:
        return None
    return Content(
        blob=row.blob,
        sha256=bytes(row.sha256),
        size=row.size,
        transfer_syntax_uid="",
        dataset_offset=0,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        door=row.door,
    )


def set_aside(connection: sa.Connection, blob: str, reason: str) -> None:
    """It is not put back any more: another one stands in its place."""
    connection.execute(sa.update(deleted).where(deleted.c.blob == blob, _WAITS).values(reason=reason))


def is_known(connection: sa.Connection, study_instance_uid: str) -> bool:
    """Whether anything of a study is in quarantine."""
    return (
        connection.execute(sa.select(table.c.id).where(table.c.study_instance_uid == study_instance_uid)).first()
        is not None
    )


def visible(connection: sa.Connection, uids: Iterable[str]) -> set[str]:
    """Which of these studies in quarantine are seen all the same, as part of each came otherwise."""
    wanted = sa.select(table.c.study_instance_uid).join(
        studies, studies.c.study_instance_uid == table.c.study_instance_uid
    )
    return set(connection.execute(wanted.where(table.c.study_instance_uid.in_(list(uids)))).scalars())


def listed(connection: sa.Connection, facility: str = "", *, after: int = 0, limit: int) -> list[QuarantinedStudy]:
    """Studies in quarantine, of one facility or of all, the oldest first, from a key on."""
    counted = (
        sa.select(sa.func.count())
        .where(deleted.c.study_instance_uid == table.c.study_instance_uid, _WAITS)
        .scalar_subquery()
    )
    wanted = sa.select(table, counted.label("instances")).where(table.c.id > after)
    if facility:
        wanted = wanted.where(table.c.facility == facility)
    return [
        QuarantinedStudy(
            key=row.id,
            study_instance_uid=row.study_instance_uid,
            facility=row.facility,
            accession_number=row.accession_number,
            patient_id=row.patient_id,
            modality=row.modality,
            study_date=row.study_date,
            known_at=row.known_at,
            instances=row.instances,
        )
        for row in connection.execute(wanted.order_by(table.c.id).limit(limit))
    ]


def finish(connection: sa.Connection, study_instance_uid: str) -> None:
    """Nothing of it may be left in quarantine: then it is none there."""
    connection.execute(sa.delete(table).where(table.c.study_instance_uid == study_instance_uid, ~_any_left()))


def sweep(connection: sa.Connection) -> None:
    """`finish` for all of them."""
    connection.execute(sa.delete(table).where(~_any_left()))


def _any_left() -> sa.ColumnElement[bool]:
    return sa.exists().where(deleted.c.study_instance_uid == table.c.study_instance_uid, _WAITS)


def _accession(elements: Mapping[str, Any]) -> str:
    number = significant(text(elements, "00080050"))
    return number if len(number) <= _LONGEST else ""

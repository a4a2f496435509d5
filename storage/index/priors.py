"""Examinations of a patient as the index knows them: what rules about priors go by."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from storage.elements import text
from storage.index.schema import deleted, instances, patients, series, studies
from storage.values import Element
from vna.model.examinations import Examination
from vna.model.identifiers import PatientKey
from vna.model.instances import Door
from vna.model.manifests import KEY_OBJECT_SELECTION

_BATCH = 500
_MOST = 1000
_CODES, _CODE, _BODY_PART = "00081032", "00080100", "00180015"
_COPIES = (Door.FETCH.value, Door.MIGRATION.value)
_COLUMNS = (
    studies.c.id,
    studies.c.study_instance_uid,
    studies.c.study_date,
    studies.c.study_time,
    studies.c.facility,
    studies.c.study_description,
    studies.c.modalities,
    studies.c.attributes,
    studies.c.number_of_instances,
)
_OF = instances.join(series, series.c.id == instances.c.series_fk).join(studies, studies.c.id == series.c.study_fk)


def of_study(connection: sa.Connection, study_instance_uid: str) -> Examination | None:
    """One examination; None when it is not known."""
    rows = connection.execute(sa.select(*_COLUMNS).where(studies.c.study_instance_uid == study_instance_uid)).all()
    return next(_examinations(connection, rows), None)


def of_patients(connection: sa.Connection, keys: Iterable[PatientKey]) -> list[Examination]:
    """What is known of these patients, the newest first; of more than a thousand examinations the newest."""
    wanted = [sa.and_(patients.c.patient_id == key.patient_id, patients.c.issuer == key.issuer) for key in keys]
    if not wanted:
        return []
    statement = sa.select(*_COLUMNS).join(patients, patients.c.id == studies.c.patient_fk).where(sa.or_(*wanted))
    newest = (studies.c.study_date.desc(), studies.c.study_time.desc(), studies.c.id.desc())
    return list(_examinations(connection, connection.execute(statement.order_by(*newest).limit(_MOST)).all()))


def came(connection: sa.Connection, study_instance_uid: str) -> bool:
    """Whether images of a study were sent here: neither copies of what is kept elsewhere, nor manifests alone."""
    sent = sa.select(instances.c.id).select_from(_OF).limit(1)
    sent = sent.where(
        studies.c.study_instance_uid == study_instance_uid,
        instances.c.blob != "",
        instances.c.door.not_in(_COPIES),
        instances.c.sop_class_uid != KEY_OBJECT_SELECTION,
    )
    return connection.execute(sent).first() is not None


def known(connection: sa.Connection, study_instance_uids: Sequence[str]) -> set[str]:
    """Which of these studies are in the index, or were deleted here."""
    found: set[str] = set()
    for at in range(0, len(study_instance_uids), _BATCH):
        batch = study_instance_uids[at : at + _BATCH]
        for column in (studies.c.study_instance_uid, deleted.c.study_instance_uid):
            found.update(connection.execute(sa.select(column).where(column.in_(batch))).scalars())
    return found


def unrated(connection: sa.Connection, study_instance_uid: str) -> bool:
    """Whether nobody said yet how something of a study that is not here can be had."""
    wanted = sa.select(instances.c.id).select_from(_OF).limit(1)
    wanted = wanted.where(
        studies.c.study_instance_uid == study_instance_uid, series.c.availability == 0, instances.c.blob == ""
    )
    return connection.execute(wanted).first() is not None


def patient(connection: sa.Connection, key: PatientKey) -> dict[str, Element]:
    """What is known of a patient; nothing when nothing is held of them."""
    found = sa.select(patients.c.attributes).where(
        patients.c.patient_id == key.patient_id, patients.c.issuer == key.issuer
    )
    return _elements(connection.execute(found).scalar())


def _examinations(connection: sa.Connection, rows: Sequence[Any]) -> Iterator[Examination]:
    keys = [row.id for row in rows]
    body_parts: dict[int, set[str]] = {key: set() for key in keys}
    elsewhere: dict[int, int] = {}
    for at in range(0, len(keys), _BATCH):
        batch = keys[at : at + _BATCH]
        of_series = sa.select(series.c.study_fk, series.c.attributes).where(series.c.study_fk.in_(batch))
        for study_fk, attributes in connection.execute(of_series):
            body_parts[study_fk].add(text(_elements(attributes), _BODY_PART))
        counted = sa.select(series.c.study_fk, sa.func.count()).join(instances, instances.c.series_fk == series.c.id)
        counted = counted.where(series.c.study_fk.in_(batch), series.c.availability > 0)
        counted = counted.where(instances.c.blob == "", instances.c.size >= 0).group_by(series.c.study_fk)
        elsewhere |= {row[0]: row[1] for row in connection.execute(counted)}
    for row in rows:
        yield Examination(
            row.study_instance_uid,
            row.study_date,
            row.study_time,
            row.facility,
            row.study_description,
            frozenset(filter(None, row.modalities.split("\\"))) - {"KO"},
            frozenset(text(item, _CODE) for item in _elements(row.attributes).get(_CODES, {}).get("Value") or ()),
            frozenset(filter(None, body_parts[row.id])),
            row.number_of_instances,
            elsewhere.get(row.id, 0),
        )


def _elements(attributes: str | None) -> dict[str, Element]:
    found: dict[str, Element] = orjson.loads(attributes or "{}")
    return found

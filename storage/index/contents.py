"""A study as a list of its instances, with what the index knows of patient, study and series."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import orjson
import sqlalchemy as sa

from storage.index import lookup
from storage.index.answers import COLUMNS, record
from storage.index.packing import unpack
from storage.index.schema import instances, manifests, patients, series, studies
from vna.model.contents import Reference, SeriesContents, StudyContents
from vna.model.instances import Door
from vna.model.query import Element, Level

_OF_HEADERS = (
    "00080080",  # InstitutionName
    "00082218",  # AnatomicRegionSequence
    "00101000",  # OtherPatientIDs
    "00321064",  # RequestedProcedureCodeSequence
)
"""What the header of a series' first instance adds to what is kept of the series."""

_REFERENCES = (
    sa.select(
        series.c.id.label("series_key"),
        instances.c.sop_class_uid,
        instances.c.sop_instance_uid,
        instances.c.number_of_frames,
    )
    .join(series, series.c.id == instances.c.series_fk)
    .order_by(series.c.series_number, series.c.id, instances.c.instance_number, instances.c.id)
)
_OWN = (
    instances.c.blob != "",
    instances.c.door != Door.FETCH.value,
    ~sa.exists().where(manifests.c.sop_instance_uid == instances.c.sop_instance_uid),
)


def of_study(connection: sa.Connection, study_instance_uid: str, *, own: bool = True) -> StudyContents | None:
    """The study with its instances, in the order of series and instance numbers; None when there is none.

    With `own` only those that are this archive's: no copies of what is kept elsewhere, no manifests that tell of that.
    """
    study = connection.execute(
        sa.select(*COLUMNS[Level.STUDY])
        .add_columns(studies.c.facility)
        .where(studies.c.study_instance_uid == study_instance_uid)
    ).one_or_none()
    if study is None:
        return None
    patient = connection.execute(sa.select(*COLUMNS[Level.PATIENT]).where(patients.c.id == study.parent)).one()
    above = record(Level.PATIENT, patient, None).elements | record(Level.STUDY, study, None).elements
    found = tuple(_series(connection, study.id, own))
    return StudyContents(study_instance_uid, study.facility, above, found) if found else None


def is_own(connection: sa.Connection, study_instance_uid: str) -> bool:
    """Whether anything of a study is this archive's own."""
    wanted = _REFERENCES.join(studies, studies.c.id == series.c.study_fk).order_by(None)
    wanted = wanted.where(studies.c.study_instance_uid == study_instance_uid, *_OWN).limit(1)
    return connection.execute(wanted).first() is not None


def _series(connection: sa.Connection, study_key: int, own: bool) -> Iterator[SeriesContents]:
    rows = connection.execute(sa.select(*COLUMNS[Level.SERIES]).where(series.c.study_fk == study_key))
    held = {row.id: record(Level.SERIES, row, None) for row in rows}
    wanted = (series.c.study_fk == study_key, *(_OWN if own else ()))
    listed = connection.execute(_REFERENCES.where(*wanted)).all()
    for key, found in groupby(listed, key=lambda row: row.series_key):
        references = tuple(Reference(row.sop_class_uid, row.sop_instance_uid, row.number_of_frames) for row in found)
        elements = held[key].elements | _of_header(connection, references[0].sop_instance_uid)
        yield SeriesContents(held[key].uid, elements, references)


def _of_header(connection: sa.Connection, sop_instance_uid: str) -> dict[str, Element]:
    packed = lookup.headers(connection, [sop_instance_uid])
    header: dict[str, Any] = orjson.loads(unpack(packed[sop_instance_uid])) if packed else {}
    return {tag: header[tag] for tag in _OF_HEADERS if tag in header}

"""A study as a list of its instances, with what the index knows of patient, study and series."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import orjson
import sqlalchemy as sa

from storage.index import lookup
from storage.index.answers import COLUMNS, record
from storage.index.packing import unpack
from storage.index.schema import instances, patients, series, studies
from vna.model.contents import Reference, SeriesContents, StudyContents
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


def of_study(connection: sa.Connection, study_instance_uid: str) -> StudyContents | None:
    """The study with all its instances, in the order of series and instance numbers; None when it is not held."""
    study = connection.execute(
        sa.select(*COLUMNS[Level.STUDY])
        .add_columns(studies.c.facility)
        .where(studies.c.study_instance_uid == study_instance_uid)
    ).one_or_none()
    if study is None:
        return None
    patient = connection.execute(sa.select(*COLUMNS[Level.PATIENT]).where(patients.c.id == study.parent)).one()
    above = record(Level.PATIENT, patient, None).elements | record(Level.STUDY, study, None).elements
    return StudyContents(study_instance_uid, study.facility, above, tuple(_series(connection, study.id)))


def _series(connection: sa.Connection, study_key: int) -> Iterator[SeriesContents]:
    rows = connection.execute(sa.select(*COLUMNS[Level.SERIES]).where(series.c.study_fk == study_key))
    held = {row.id: record(Level.SERIES, row, None) for row in rows}
    listed = connection.execute(_REFERENCES.where(series.c.study_fk == study_key)).all()
    for key, found in groupby(listed, key=lambda row: row.series_key):
        references = tuple(Reference(row.sop_class_uid, row.sop_instance_uid, row.number_of_frames) for row in found)
        elements = held[key].elements | _of_header(connection, references[0].sop_instance_uid)
        yield SeriesContents(held[key].uid, elements, references)


def _of_header(connection: sa.Connection, sop_instance_uid: str) -> dict[str, Element]:
    packed = lookup.headers(connection, [sop_instance_uid])
    header: dict[str, Any] = orjson.loads(unpack(packed[sop_instance_uid])) if packed else {}
    return {tag: header[tag] for tag in _OF_HEADERS if tag in header}

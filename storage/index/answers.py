"""From rows to what a search gives: the elements of each level, kept on write or said by the archive itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa

from storage.index.packing import unpack
from storage.index.schema import instances, patients, series, studies
from vna.model.attributes import BY_LEVEL, BY_TAG, COMPUTED, COMPUTED_BY_TAG
from vna.model.instances import Availability
from vna.model.query import Element, Level

Elements = dict[str, Element]

AVAILABILITY = "00080056"

COLUMNS: dict[Level, tuple[sa.Column[Any], ...]] = {
    Level.PATIENT: (
        patients.c.id,
        sa.literal_column("0").label("parent"),  # type: ignore[dict-item]
        patients.c.issuer,
        patients.c.number_of_studies,
        patients.c.number_of_series,
        patients.c.number_of_instances,
        patients.c.attributes,
    ),
    Level.STUDY: (
        studies.c.id,
        studies.c.patient_fk.label("parent"),  # type: ignore[dict-item]
        studies.c.study_instance_uid,
        studies.c.modalities,
        studies.c.sop_classes,
        studies.c.number_of_series,
        studies.c.number_of_instances,
        studies.c.availability,
        studies.c.attributes,
    ),
    Level.SERIES: (
        series.c.id,
        series.c.study_fk.label("parent"),  # type: ignore[dict-item]
        series.c.series_instance_uid,
        series.c.number_of_instances,
        series.c.availability,
        series.c.attributes,
    ),
    Level.IMAGE: (
        instances.c.id,
        instances.c.series_fk.label("parent"),  # type: ignore[dict-item]
        instances.c.sop_instance_uid,
        instances.c.sop_class_uid,
        instances.c.instance_number,
        instances.c.transfer_syntax_uid,
        sa.case((instances.c.blob != "", 0), (instances.c.size < 0, 3), else_=-1).label("availability"),
        instances.c.attributes,
    ),
}
"""Of each level: its key, the key of its parent, and what its elements are made of; never the header."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a level: `elements` are all that are known of it, `given` those that the search wants."""

    key: int
    parent: int
    uid: str
    elements: Elements
    given: Elements


def tags_wanted(level: Level, returns: frozenset[str] | None) -> frozenset[str] | None:
    """The tags that answers have: those always given at the level and above, and those asked for. None: all."""
    if returns is None:
        return None
    given = (a.tag for upper in Level if upper <= level for a in BY_LEVEL[upper] if a.always)
    return returns | frozenset(given) | {c.tag for c in COMPUTED if c.always and c.level <= level}


def needs_header(tags: Iterable[str]) -> bool:
    """Whether any of the tags is only in the headers of instances."""
    return any(tag not in _FROM_ROWS for tag in tags)


def level_of(tag: str) -> Level:
    """The level whose row has the attribute; IMAGE for those of the header."""
    attribute = BY_TAG.get(tag) or COMPUTED_BY_TAG.get(tag)
    return Level.IMAGE if attribute is None else attribute.level


def record(level: Level, row: sa.Row[Any], wanted: frozenset[str] | None) -> Record:
    """Read one row."""
    if level is Level.IMAGE:
        return _instance(row, wanted)
    values = row._mapping
    elements = _READERS[level](values)
    return Record(
        key=values["id"],
        parent=values["parent"],
        uid="" if level is Level.PATIENT else values[_UIDS[level]],
        elements=elements,
        given=chosen(elements, wanted),
    )


def header_elements(packed: bytes) -> Elements:
    """What only the header of an instance says: nothing of the levels above, no bulk data."""
    parsed: Elements = orjson.loads(unpack(packed))
    return {tag: e for tag, e in parsed.items() if tag not in _FROM_ROWS and "BulkDataURI" not in e}


def chosen(elements: Elements, wanted: frozenset[str] | None) -> Elements:
    """The elements that are wanted."""
    return elements if wanted is None else {tag: element for tag, element in elements.items() if tag in wanted}


_UIDS = {
    Level.STUDY: "study_instance_uid",
    Level.SERIES: "series_instance_uid",
}
_FROM_ROWS = frozenset(BY_TAG) | frozenset(COMPUTED_BY_TAG)


def _patient(values: Mapping[Any, Any]) -> Elements:
    elements: Elements = orjson.loads(values["attributes"] or "{}")
    issuer = values["issuer"]
    if issuer and not issuer.startswith("study:"):  # who a patient is says the archive, where the images do not
        elements["00100021"] = {"vr": "LO", "Value": [issuer]}
    elements["00201200"] = _count(values["number_of_studies"])
    elements["00201202"] = _count(values["number_of_series"])
    elements["00201204"] = _count(values["number_of_instances"])
    return elements


def _study(values: Mapping[Any, Any]) -> Elements:
    elements: Elements = orjson.loads(values["attributes"] or "{}")
    for tag, vr, column in (("00080061", "CS", "modalities"), ("00080062", "UI", "sop_classes")):
        listed = [entry for entry in values[column].split("\\") if entry]
        if listed:  # never without a value: viewers fail on that
            elements[tag] = {"vr": vr, "Value": listed}
    elements["00201206"] = _count(values["number_of_series"])
    elements["00201208"] = _count(values["number_of_instances"])
    elements[AVAILABILITY] = _availability(values["availability"])
    return elements


def _series(values: Mapping[Any, Any]) -> Elements:
    elements: Elements = orjson.loads(values["attributes"] or "{}")
    elements["00201209"] = _count(values["number_of_instances"])
    elements[AVAILABILITY] = _availability(values["availability"])
    return elements


def _instance(row: Any, wanted: frozenset[str] | None) -> Record:
    """There may be many of these in one answer."""
    key, parent, uid, sop_class, number, syntax, availability, attributes = row
    elements: Elements = orjson.loads(attributes or "{}")
    elements["00080016"] = _uid(sop_class)
    elements["00080018"] = {"vr": "UI", "Value": [uid]}
    if syntax:
        elements["00083002"] = _uid(syntax)
    if availability >= 0:  # else what its series says
        elements[AVAILABILITY] = _availability(availability)
    elements["00200013"] = {"vr": "IS"} if number is None else _count(number)
    return Record(key, parent, uid, elements, chosen(elements, wanted))


@lru_cache(maxsize=8)
def _availability(value: int) -> Element:
    return {"vr": "CS", "Value": [Availability(value).name]}


@lru_cache(maxsize=512)
def _uid(text: str) -> Element:
    return {"vr": "UI", "Value": [text]}


@lru_cache(maxsize=4096)
def _count(number: int) -> Element:
    """Elements are never changed once made, so equal ones may be one."""
    return {"vr": "IS", "Value": [number]}


_READERS = {Level.PATIENT: _patient, Level.STUDY: _study, Level.SERIES: _series}

"""From a header to rows: which columns each level gets, by the table of attributes."""

from collections.abc import Callable
from typing import Any

import orjson

from storage.elements import number, person_name, text
from storage.index.instances import NewInstance, Parents
from storage.metadata import Element
from vna.model.attributes import BY_LEVEL, Attribute
from vna.model.dates import normal_date, normal_time
from vna.model.identifiers import PatientKey, significant
from vna.model.names import normalised
from vna.model.query import Level
from vna.model.sounds import searched

Elements = dict[str, Element]


def _whole(elements: Elements, tag: str) -> int | None:
    value = number(elements, tag)
    return int(value) if value is not None and abs(value) < 2**62 else None


def _date(elements: Elements, tag: str) -> str:
    return normal_date(text(elements, tag))


def _time(elements: Elements, tag: str) -> str:
    return normal_time(text(elements, tag))


def _plain(elements: Elements, tag: str) -> str:
    return significant(text(elements, tag))


def _name(elements: Elements, tag: str) -> str:
    return significant(person_name(elements, tag))


_READERS: dict[str, Callable[[Elements, str], Any]] = {"PN": _name, "IS": _whole, "DA": _date, "TM": _time}


def _columns(level: Level) -> tuple[tuple[str, str, Callable[[Elements, str], Any]], ...]:
    return tuple((a.column, a.tag, _READERS.get(a.vr, _plain)) for a in BY_LEVEL[level] if a.column)


_COLUMNS = {level: _columns(level) for level in Level}
_TAGS = {level: tuple(a.tag for a in BY_LEVEL[level]) for level in Level}


def _row(level: Level, elements: Elements) -> dict[str, Any]:
    row = {column: read(elements, tag) for column, tag, read in _COLUMNS[level]}
    for column in _NORMALISED[level]:
        row[f"{column}_norm"] = normalised(row[column])
        row[f"{column}_words"] = searched(row[column])
    return row


def patient_row(elements: Elements) -> dict[str, Any]:
    """What a patient's row says of the elements that are known of him, but for who he is."""
    row = {**_row(Level.PATIENT, elements), "attributes": _kept(Level.PATIENT, elements)}
    return {name: value for name, value in row.items() if name not in ("patient_id", "issuer")}


def series_row(elements: Elements) -> dict[str, Any]:
    """What a series' row says, of the elements that are known of it."""
    return {**_row(Level.SERIES, elements), "attributes": _kept(Level.SERIES, elements)}


def _kept(level: Level, elements: Elements) -> str:
    return orjson.dumps({tag: elements[tag] for tag in _TAGS[level] if tag in elements}).decode()


def _names(attributes: tuple[Attribute, ...]) -> tuple[str, ...]:
    return tuple(a.column for a in attributes if a.vr == "PN" and a.column)


_NORMALISED = {level: _names(BY_LEVEL[level]) for level in Level}


def build(
    elements: Elements, *, key: PatientKey, facility: str, received_at: str, instance: dict[str, Any]
) -> NewInstance:
    """The rows of one instance; `instance` gives the columns that the header does not (blob, size, digest ...).

    Those of the levels above are made when the writer asks: it seldom does, as most instances join a known series.
    """
    return NewInstance(
        patient_key=key,
        study_instance_uid=text(elements, "0020000D"),
        series_instance_uid=text(elements, "0020000E"),
        sop_instance_uid=text(elements, "00080018"),
        parents=lambda: _parents(elements, key, facility, received_at),
        instance={
            **_row(Level.IMAGE, elements),
            "attributes": _kept(Level.IMAGE, elements),
            "facility": facility,
            "received_at": received_at,
            "version": 1,
            **instance,
        },
        modality=text(elements, "00080060"),
        sop_class_uid=text(elements, "00080016"),
        received_at=received_at,
    )


def _parents(elements: Elements, key: PatientKey, facility: str, received_at: str) -> Parents:
    patient = _row(Level.PATIENT, elements)
    patient.update(
        patient_id=key.patient_id, issuer=key.issuer, attributes=_kept(Level.PATIENT, elements), **_COUNTS[0]
    )
    study = _row(Level.STUDY, elements)
    study.update(
        facility=facility,
        modalities="",
        sop_classes="",
        attributes=_kept(Level.STUDY, elements),
        first_received_at=received_at,
        last_received_at=received_at,
        **_COUNTS[1],
    )
    series = _row(Level.SERIES, elements)
    series.update(attributes=_kept(Level.SERIES, elements), last_received_at=received_at, **_COUNTS[2])
    return Parents(patient, study, series)


_COUNTS: tuple[dict[str, int], ...] = (
    {"number_of_studies": 0, "number_of_series": 0, "number_of_instances": 0, "version": 1},
    {"number_of_series": 0, "number_of_instances": 0, "version": 1, "availability": 0},
    {"number_of_instances": 0, "version": 1, "availability": 0},
)

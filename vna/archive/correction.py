"""Corrections of who an instance is of, and of what is said of him: recorded beside the bytes as coercions are, so that
every door gives them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from storage.elements import person_name, text
from storage.index import corrections as corrections_index
from storage.index import facilities, identities, patient_details, patients
from storage.index.engine import Connection
from storage.index.instances import NewInstance, Parents
from storage.index.packing import pack, unpack
from storage.metadata import Element, to_json
from vna.archive import corrected as corrections
from vna.archive import overlay, rows
from vna.archive.rows import patient_row
from vna.model.access import Coercion
from vna.model.dictionary import tag_of
from vna.model.identifiers import PatientIdentifier, PatientKey, facility_identifier, patient_key, significant
from vna.model.values import fault

Identify = Callable[[Connection, PatientKey], PatientIdentifier | None]
"""The identifier of the affinity domain that a patient's own identifier is; None where it is none."""

Values = Mapping[str, str]
"""New values by keyword."""

_PATIENT_ID, _ISSUER = "00100020", "00100021"


def nobody(_connection: Connection, _key: PatientKey) -> PatientIdentifier | None:
    """Where there is no affinity domain."""
    return None


def identifiers(
    connection: Connection, identify: Identify, key: PatientKey, facility: str = ""
) -> tuple[PatientIdentifier, ...]:
    """By what feeds may name a patient of the images: in the affinity domain, by the number of its issuer, and by that
    of the facility whose study it is, unless another facility we know is the issuer."""
    named = [identify(connection, key), facility_identifier(key.patient_id, key.issuer)]
    if facility not in ("", key.issuer) and not facilities.is_known(connection, key.issuer):
        named.append(facility_identifier(key.patient_id, facility))
    return tuple(one for one in named if one is not None)


def due(
    connection: Connection, identify: Identify, key: PatientKey, study_instance_uid: str, facility: str
) -> tuple[PatientKey, Values]:
    """Who a patient of the images is by now, and what his images are to say of him then; `facility` is whose study it
    is."""
    line = _line(connection, identify, key, study_instance_uid, facility)
    said = corrections.said(connection, study_instance_uid)
    return line[-1], _due(connection, identify, line, said, facility)


def _due(
    connection: Connection, identify: Identify, line: Sequence[PatientKey], said: corrections.Said, facility: str
) -> Values:
    """What feeds say, or the survivor's own images said when he was merged (`vna.archive.merging`), goes before a
    correction of who was merged, and a correction of the one who it is now before both."""
    key, new = line[0], line[-1]
    values = difference(key, new) if new != key else {}
    told = (
        patient_details.said_of(connection, identifiers(connection, identify, new, facility))
        if patient_details.any_said(connection)
        else {}
    )
    return {**values, **said.of_merged(line), **told, **said.of_now(new.patient_id)}


def wanted(
    connection: Connection,
    identify: Identify,
    elements: Mapping[str, Element],
    place: tuple[str, str, str],
    facility: str,
) -> Values:
    """Everything that an instance is to say beside what it said when it came (`elements`): what was moved and
    corrected, and who it is of by now. `place` is where it came."""
    said = corrections.said(connection, *place)
    study = said.moved.get("StudyInstanceUID", place[0])
    moved = {**elements, **_elements(said.moved)}
    key = patient_key(text(moved, _PATIENT_ID), text(moved, _ISSUER), facility=facility, study_instance_uid=study)
    held = patients.facility_of(connection, study)
    facility = facility if held is None else held
    line = _line(connection, identify, key, study, facility)
    return {**said.moved, **_due(connection, identify, line, said, facility), **said.corrected}


def _elements(values: Values) -> dict[str, Element]:
    return {
        tag: one for tag, one in overlay.changes({}, Coercion(set=tuple(values.items()))).items() if one is not None
    }


def any_due(connection: Connection) -> bool:
    """Whether images may have to say anything else than they did when they came."""
    return (
        identities.any_merged(connection)
        or patient_details.any_said(connection)
        or corrections_index.any_made(connection)
    )


def arriving(
    connection: Connection, identify: Identify, key: PatientKey, study_instance_uid: str, facility: str
) -> tuple[PatientKey, Values]:
    """As `due`, of what comes: `facility` is the sender's, and counts where nothing of the study is held yet."""
    if not any_due(connection):
        return key, {}
    held = patients.facility_of(connection, study_instance_uid)
    return due(connection, identify, key, study_instance_uid, facility if held is None else held)


def survivor(
    connection: Connection, identify: Identify, key: PatientKey, study_instance_uid: str, facility: str
) -> PatientKey | None:
    """Who a patient of the images is since merges; None when he still is himself, or cannot be named in images.

    A facility's own merges and those of the affinity domain follow each other; where they would lead back, everybody
    stays who he was.
    """
    line = _line(connection, identify, key, study_instance_uid, facility)
    return line[-1] if len(line) > 1 else None


def _line(
    connection: Connection, identify: Identify, key: PatientKey, study_instance_uid: str, facility: str
) -> Sequence[PatientKey]:
    """From who a patient was to who he is by now."""
    seen = [key]
    if not identities.any_merged(connection):
        return seen
    while (following := _survivor(connection, identify, seen[-1], study_instance_uid, facility)) is not None:
        if following in seen:
            return [key]
        seen.append(following)
    return seen


def _survivor(
    connection: Connection, identify: Identify, key: PatientKey, study_instance_uid: str, facility: str
) -> PatientKey | None:
    for identifier in identifiers(connection, identify, key, facility):
        merged = identities.survivor(connection, identifier)
        if merged is None:
            continue
        chosen = _chosen(connection, identify, key, merged, study_instance_uid, facility)
        if chosen != key:
            return chosen
    return None


def _chosen(
    connection: Connection,
    identify: Identify,
    key: PatientKey,
    merged: PatientIdentifier,
    study_instance_uid: str,
    facility: str,
) -> PatientKey:
    """Of several whose identifier the surviving one is: who the study is filed under, then the one of the same issuer,
    then who came first; else there will be one of the same issuer.

    Whose study it is says something of the first two only: the others may have come from anywhere.
    """
    value = significant(merged.value)
    own = PatientKey(value, key.issuer)
    filed = patients.of_study(connection, study_instance_uid)

    def is_merged(one: PatientKey) -> bool:
        return merged in identifiers(connection, identify, one, facility if one in (filed, own) else "")

    known = [one for one in patients.having(connection, value) if is_merged(one)]
    order = [one for one in (filed, own) if one in known] + [one for one in known if one.issuer]
    order += [own] if is_merged(own) else []
    chosen = order[0] if order else key
    is_possible = not fault(_PATIENT_ID, value) and not fault(_ISSUER, chosen.issuer)
    return chosen if is_possible else key


def difference(old: PatientKey, new: PatientKey) -> Values:
    """What has to be written so that one patient's image is the other's. An issuer that stays is left as it came: said
    or not."""
    values = {"PatientID": new.patient_id}
    return values if new.issuer == old.issuer else values | {"IssuerOfPatientID": new.issuer}


def key_of(header: bytes, facility: str, study_instance_uid: str) -> PatientKey:
    """Who an instance is of, by its packed header."""
    elements = orjson.loads(unpack(header))
    return patient_key(
        text(elements, _PATIENT_ID),
        text(elements, _ISSUER),
        facility=facility,
        study_instance_uid=study_instance_uid,
    )


def differing(header: bytes, values: Values) -> Values:
    """Those of the values that a packed header does not say already."""
    elements = orjson.loads(unpack(header))
    return {
        keyword: value
        for keyword, value in values.items()
        if overlay.changes(elements, Coercion(set=((keyword, value),)))
    }


def values_of(header: bytes, keywords: Sequence[str]) -> dict[str, str]:
    """What a packed header says by these keywords; what it does not say, or cannot be said again, is empty."""
    elements = orjson.loads(unpack(header))
    found: dict[str, str] = {}
    for keyword in keywords:
        tag = str(tag_of(keyword))
        value = significant((person_name if keyword == "PatientName" else text)(elements, tag))
        found[keyword] = "" if fault(tag, value) else value
    return found


def corrected_header(header: bytes, values: Values) -> bytes:
    """A packed header with these values."""
    return pack(to_json(_applied(orjson.loads(unpack(header)), values)))


def corrected_patient(row: Mapping[str, Any], key: PatientKey, values: Values) -> dict[str, Any]:
    """A patient's row as that of another one."""
    elements = _applied(orjson.loads(row["attributes"]), values)
    return {**row, **patient_row(elements), "patient_id": key.patient_id, "issuer": key.issuer}


def corrected_rows(new: NewInstance, key: PatientKey, values: Values) -> NewInstance:
    """The rows of an instance as one of another patient."""

    def parents() -> Parents:
        above = new.parents()
        return replace(above, patient=corrected_patient(above.patient, key, values))

    header = corrected_header(new.instance["header"], values)
    return replace(new, patient_key=key, parents=parents, instance={**new.instance, "header": header})


def placed_rows(new: NewInstance, values: Values) -> NewInstance:
    """The rows of an instance anew, with these values, wherever they say that it is."""
    elements = _applied(orjson.loads(unpack(new.instance["header"])), values)
    facility = str(new.instance["facility"])
    study = text(elements, "0020000D")
    made = ("attributes", "facility", "received_at", "version", "header")
    kept = {name: value for name, value in new.instance.items() if name in _NOT_READ and name not in made}
    return rows.build(
        elements,
        key=patient_key(
            text(elements, _PATIENT_ID), text(elements, _ISSUER), facility=facility, study_instance_uid=study
        ),
        facility=facility,
        received_at=new.received_at,
        instance={**kept, "header": pack(to_json(elements))},
    )


_NOT_READ = frozenset(
    {
        *("transfer_syntax_uid", "blob", "size", "sha256", "dataset_offset", "header_end", "number_of_frames"),
        *("door", "source_ae", "source_address", "coercion_fk", "frames"),
    }
)
"""Columns of an instance that its header does not say."""


def _applied(elements: dict[str, Element], values: Values) -> dict[str, Element]:
    return overlay.applied(elements, overlay.changes(elements, Coercion(set=tuple(values.items()))))

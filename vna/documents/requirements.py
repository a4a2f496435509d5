"""What has to be said of each object, and in which form (ITI TF-3 4.2.3 and Table 4.3.1-3)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Flag, auto

from vna.documents.domain import AffinityDomain
from vna.documents.problems import ErrorCode, Problems
from vna.model.documents import (
    KINDS,
    Code,
    DocumentEntry,
    Folder,
    Registered,
    RegistryObject,
    SubmissionSet,
    moment,
)
from vna.model.identifiers import is_oid, is_reference, patient_identifier

_HASH = re.compile(r"[0-9a-fA-F]{40}\Z")
_SIZE = re.compile(r"[0-9]{1,18}\Z")
_MEDIA_TYPE = re.compile(r"[!-~]+/[!-~]+( *;.*)?\Z")
_LONGEST_UNIQUE_ID = 128


class Need(Flag):
    """Who has to say it."""

    OPTIONAL = 0
    STABLE = auto()
    ON_DEMAND = auto()
    ALWAYS = STABLE | ON_DEMAND


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: the field that holds it, IHE's name, whether it is needed, what its text looks like."""

    field: str
    name: str
    need: Need = Need.OPTIONAL
    form: Callable[[str], bool] | None = None
    looks_like: str = ""
    never: Need = Need.OPTIONAL


def _is_time(text: str) -> bool:
    """A time on a day of the calendar; queries, which only compare, take every day up to the 31st."""
    try:
        full = moment(text)
        date(int(full[:4]), int(full[4:6]), int(full[6:8]))
    except ValueError:
        return False
    return True


def _is_media_type(text: str) -> bool:
    return _MEDIA_TYPE.match(text) is not None and text.isprintable()


def _is_unique_id(text: str) -> bool:
    return len(text) <= _LONGEST_UNIQUE_ID and not any(character.isspace() for character in text)


def _is_patient(text: str) -> bool:
    return patient_identifier(text) is not None


_TIME = (_is_time, "YYYY[MM[DD[hh[mm[ss]]]]] in UTC")
_AN_OID = (is_oid, "an OID of at most 64 characters")
_A_PATIENT = (_is_patient, "identifier^^^&OID&ISO")
_ANY = Need.ALWAYS

ATTRIBUTES: dict[type[Registered], tuple[Attribute, ...]] = {
    DocumentEntry: (
        Attribute("unique_id", "uniqueId", _ANY, _is_unique_id, "at most 128 characters without spaces"),
        Attribute("patient_id", "patientId", _ANY, *_A_PATIENT),
        Attribute("source_patient_id", "sourcePatientId", _ANY, *_A_PATIENT),
        Attribute("mime_type", "mimeType", _ANY, _is_media_type, "type/subtype"),
        Attribute("class_code", "classCode", _ANY),
        Attribute("type_code", "typeCode", _ANY),
        Attribute("format_code", "formatCode", _ANY),
        Attribute("healthcare_facility_type_code", "healthcareFacilityTypeCode", _ANY),
        Attribute("practice_setting_code", "practiceSettingCode", _ANY),
        Attribute("confidentiality_codes", "confidentialityCode", _ANY),
        Attribute("event_codes", "eventCodeList"),
        Attribute("language_code", "languageCode", _ANY),
        Attribute("creation_time", "creationTime", Need.STABLE, *_TIME, never=Need.ON_DEMAND),
        Attribute("service_start_time", "serviceStartTime", Need.OPTIONAL, *_TIME),
        Attribute("service_stop_time", "serviceStopTime", Need.OPTIONAL, *_TIME),
        Attribute("reference_ids", "referenceIdList", Need.OPTIONAL, is_reference, "identifier^^^&OID&ISO^type"),
        Attribute("repository_unique_id", "repositoryUniqueId", _ANY, *_AN_OID),
        Attribute(
            "hash",
            "hash",
            Need.STABLE,
            lambda text: _HASH.match(text) is not None,
            "a SHA-1 of 40 hexadecimal digits",
            Need.ON_DEMAND,
        ),
        Attribute(
            "size", "size", Need.STABLE, lambda text: _SIZE.match(text) is not None, "a number of bytes", Need.ON_DEMAND
        ),
    ),
    SubmissionSet: (
        Attribute("unique_id", "uniqueId", _ANY, *_AN_OID),
        Attribute("patient_id", "patientId", _ANY, *_A_PATIENT),
        Attribute("source_id", "sourceId", _ANY, *_AN_OID),
        Attribute("content_type_code", "contentTypeCode", _ANY),
        Attribute("submission_time", "submissionTime", _ANY, *_TIME),
    ),
    Folder: (
        Attribute("unique_id", "uniqueId", _ANY, *_AN_OID),
        Attribute("patient_id", "patientId", _ANY, *_A_PATIENT),
        Attribute("codes", "codeList", _ANY),
        Attribute("title", "title", _ANY),
        Attribute("last_update_time", "lastUpdateTime", Need.OPTIONAL, *_TIME),
    ),
}


def check(thing: Registered, domain: AffinityDomain, problems: Problems) -> None:
    """Note what is missing, malformed, or no code of the domain."""
    case = Need.ON_DEMAND if isinstance(thing, DocumentEntry) and thing.on_demand else Need.STABLE
    for attribute in ATTRIBUTES[type(thing)]:
        value = getattr(thing, attribute.field)
        if not value:
            if case in attribute.need:
                problems.add(ErrorCode.METADATA, f"{named(thing)}: {attribute.name} is missing")
        elif case in attribute.never:
            problems.add(ErrorCode.METADATA, f"{named(thing)}: {attribute.name} is not for on-demand documents")
        else:
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, Code):
                    _check_code(thing, attribute.name, one, domain, problems)
                elif attribute.form is not None and not attribute.form(one):
                    what = f"{attribute.name} {one} is not {attribute.looks_like}"
                    problems.add(ErrorCode.METADATA, f"{named(thing)}: {what}")
    if isinstance(thing, DocumentEntry):
        _check_document(thing, domain, problems)


def _check_code(thing: Registered, name: str, code: Code, domain: AffinityDomain, problems: Problems) -> None:
    if not code.code or not code.scheme:
        problems.add(
            ErrorCode.METADATA,
            f"{named(thing)}: {name} needs a code and a coding scheme, not {code.code}^^{code.scheme}",
        )
    elif not domain.allows(name, code):
        problems.add(
            ErrorCode.METADATA, f"{named(thing)}: {name} {code.code}^^{code.scheme} is no code of the affinity domain"
        )


def _check_document(thing: DocumentEntry, domain: AffinityDomain, problems: Problems) -> None:
    if thing.mime_type and not domain.allows_mime_type(thing.mime_type):
        problems.add(
            ErrorCode.METADATA, f"{named(thing)}: mimeType {thing.mime_type} is not one of the affinity domain"
        )
    begin, end = thing.service_start_time, thing.service_stop_time
    if begin and end and _is_time(begin) and _is_time(end) and moment(begin) > moment(end):
        problems.add(ErrorCode.METADATA, f"{named(thing)}: serviceStartTime {begin} is after serviceStopTime {end}")


def named(thing: RegistryObject) -> str:
    """An object as error texts call it."""
    return f"{KINDS[type(thing)].value} {thing.entry_uuid}"

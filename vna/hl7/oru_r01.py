"""Unsolicited observation message (HL7 v2.3.1 7.2.1): the reports in it."""

import re
from dataclasses import dataclass
from typing import Final

from vna.hl7.checking import accession_number, bound, check, facility
from vna.hl7.checks import is_person_number
from vna.hl7.field_table import KEY_FIELDS, REPORT_FIELDS, Rules
from vna.hl7.groups import Group, given, groups
from vna.hl7.message import Message, Segment
from vna.hl7.orm_o01 import patient
from vna.hl7.people import person
from vna.hl7.refusal import Condition, Refused
from vna.hl7.remarks import diagnoses
from vna.hl7.report_text import parts
from vna.hl7.times import local_time
from vna.model.orders import OrderedPatient, OrderKey, Person
from vna.model.reports import Contrast, Part, Report, ReportKind, ReportState

FORMATS: Final = {"TXT": False, "HTML": True}
"""OBX-3.1, and whether it is HTML; OBX-3.2 is BASE64."""

STATES: Final = ("F", "C")
"""OBX-11: final, and correction of what was final (HL7 table 0085)."""

_MOST_OBX: Final = 20
_MOST_PEOPLE: Final = 10
_MOST_CONTRAST: Final = 20
_RATING: Final = re.compile(r"[1-5]?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reported:
    """A report as a message has it, and whom it is of."""

    report: Report
    patient: OrderedPatient


def reports(message: Message, rules: Rules) -> list[Reported]:
    """Each report of the message; Refused with the first field that is wrong."""
    return [_reported(group, rules) for group in groups(message)]


def _reported(group: Group, rules: Rules) -> Reported:
    check(group, KEY_FIELDS[1:], rules)
    key = OrderKey(facility(group, rules), accession_number(group, rules))
    check(group, REPORT_FIELDS, rules)
    observations = group.all("OBX")
    if not observations:
        raise Refused(Condition.SEQUENCE, "there is no OBX segment: no report", ("OBX",), rule="structure")
    if len(observations) > _MOST_OBX:
        words = f"there are more than {_MOST_OBX} OBX segments of one report"
        raise Refused(Condition.SEQUENCE, words, ("OBX",), rule="structure")
    for number, obx in enumerate(observations, 1):
        _require_final(obx, number)
    reason, quality = _ratings(observations)
    report = Report(
        key=key,
        number=0,
        parts=_parts(observations),
        kind=_kind(group, rules),
        state=ReportState.APPROVED,
        approved_at=local_time(group.value("OBR", 7), rules.zone),
        radiologists=_radiologists(observations, rules),
        reason_rating=reason,
        quality_rating=quality,
        contrast=_contrast(observations, rules),
        diagnoses=diagnoses(group, rules),
        source=rules.source,
    )
    return Reported(report, patient(group))


def _parts(observations: tuple[Segment, ...]) -> tuple[Part, ...]:
    found: list[Part] = []
    for number, obx in enumerate(observations, 1):
        found += parts(obx, number, is_html=_is_html(obx, number))
    names = [part.name for part in found]
    if len(set(names)) < len(names):
        raise _wrong("parts", 5, "a part of the report comes twice", len(observations))
    return tuple(sorted(found, key=lambda part: part.name.value))


def _is_html(obx: Segment, number: int) -> bool:
    is_html = FORMATS.get(obx.value(3).upper())
    if is_html is None or obx.value(3, 2).upper() != "BASE64":
        raise _wrong("report_type", 3, "OBX-3 has to be TXT^BASE64 or HTML^BASE64", number)
    if obx.value(2) != "TX":
        raise _wrong("report_type", 2, "OBX-2 has to be TX", number)
    return is_html


def _require_final(obx: Segment, number: int) -> None:
    """Whether it adds to one that is approved is known by what is held, not by what the sender says of it."""
    if obx.value(11) not in STATES:
        raise _wrong("report_state", 11, "OBX-11 has to be F, or C for an addendum", number)


def _ratings(observations: tuple[Segment, ...]) -> tuple[int, int]:
    """Of the reason and of the images, from 1 to 5; 0 where none is said."""
    for number, obx in enumerate(observations, 1):
        said = [given(obx.value(13, part)) for part in (1, 2)]
        if not all(map(_RATING.fullmatch, said)):
            raise _wrong("rating", 13, "OBX-13 has to be two ratings from 1 to 5", number)
        if any(said):
            return int(said[0] or 0), int(said[1] or 0)
    return 0, 0


def _radiologists(observations: tuple[Segment, ...], rules: Rules) -> tuple[Person, ...]:
    found: dict[Person, None] = {}
    for number, obx in enumerate(observations, 1):
        for repetition in obx.repetitions(16):
            one = person(obx, repetition)
            if not one.number and not one.name:
                continue
            bound(one.number, 16, "radiologist", ("OBX", 16), number)
            bound(one.name, 200, "radiologist", ("OBX", 16, 2), number)
            if rules.checks("radiologist") and not is_person_number(one.number):
                raise _wrong("radiologist", 16, "OBX-16 has to be a national number that is right", number)
            found[one] = None
    if not found and rules.requires("radiologist"):
        words = "OBX-16 is empty: it has to be the radiologist who approved it"
        raise Refused(Condition.REQUIRED, words, ("OBX", 16), rule="radiologist")
    if len(found) > _MOST_PEOPLE:
        raise _wrong("radiologist", 16, f"OBX-16 names more than {_MOST_PEOPLE} people", 1)
    return tuple(found)


def _contrast(observations: tuple[Segment, ...], rules: Rules) -> tuple[Contrast, ...]:
    """Each agent once. That a name is one of a substance and not of a product cannot be known here."""
    found: dict[Contrast, None] = {}
    for number, obx in enumerate(observations, 1):
        for repetition in obx.repetitions(17):
            route, substance, concentration = (given(obx.part(repetition, part)) for part in (1, 2, 3))
            if not (route or substance or concentration):
                continue
            if rules.checks("contrast") and (route not in rules.profile.contrast_routes or not substance):
                routes = " ".join(sorted(rules.profile.contrast_routes))
                raise _wrong("contrast", 17, f"OBX-17 has to be a route ({routes}) and an active substance", number)
            for text in (route, substance, concentration):
                bound(text, 200, "contrast", ("OBX", 17), number)
            found[Contrast(route, substance, concentration)] = None
    if len(found) > _MOST_CONTRAST:
        raise _wrong("contrast", 17, f"OBX-17 names more than {_MOST_CONTRAST} agents", 1)
    return tuple(found)


def _kind(group: Group, rules: Rules) -> ReportKind:
    said = {group.value("OBR", 15).upper(), group.value("OBR", 24).upper()}
    return ReportKind.PATHOLOGY if said & rules.profile.pathology else ReportKind.RADIOLOGY


def _wrong(rule: str, field: int, words: str, number: int) -> Refused:
    return Refused(Condition.DATA_TYPE, words, ("OBX", field), rule=rule, sequence=number)

"""Notes and diagnoses of an order or report: NTE and DG1."""

import re
from typing import Final

from vna.hl7.checking import bound
from vna.hl7.checks import is_diagnosis
from vna.hl7.field_table import Rules
from vna.hl7.groups import Group, given
from vna.hl7.message import Segment
from vna.hl7.refusal import Condition, Refused
from vna.model.orders import Coded

NOTE_CODES: Final = ("NTE0001", "NTE0002", "NTE0003", "NTE0004")
"""Complaint, history, symptom and treatment."""

_NOTE_SYSTEM: Final = "TELETIP"
_NOTE_CODE: Final = re.compile(r"NTE[0-9]+", re.ASCII)
_DIAGNOSIS_TYPES: Final = ("", "A", "F", "W")
"""HL7 table 0052: admitting, final, working."""

_MOST_NOTES: Final = 50
_MOST_TEXT: Final = 10_000


def notes(group: Group, rules: Rules) -> tuple[Coded, ...]:
    """Each NTE that says something: `code^text^system` in NTE-3, or text in NTE-3 and the code in NTE-4."""
    found = [_note(segment, rules) for segment in group.all("NTE")]
    found = [one for one in found if one.text]
    if len(found) > _MOST_NOTES:
        raise Refused(Condition.SEQUENCE, f"there are more than {_MOST_NOTES} notes", ("NTE",), rule="note")
    return tuple(found)


def _note(nte: Segment, rules: Rules) -> Coded:
    code, text = given(nte.value(3)), given(nte.value(3, 2))
    is_coded = bool(code) and nte.value(3, 3) == _NOTE_SYSTEM and rules.checks("note")
    if not is_coded and not _NOTE_CODE.fullmatch(code):
        code, text = given(nte.value(4)), given(_whole(nte))
    if code and code not in NOTE_CODES:
        if rules.checks("note") and (is_coded or _NOTE_CODE.fullmatch(code)):
            words = "NTE-3 has to be one of NTE0001 to NTE0004, then the text"
            raise Refused(Condition.TABLE_VALUE, words, ("NTE", 3), rule="note")
        code = ""
    return Coded(code, bound(text, _MOST_TEXT, "note", ("NTE", 3)))


def _whole(nte: Segment) -> str:
    """Free text may repeat, and hold component signs that nobody escaped."""
    return "\n".join(nte.unescaped(one).strip(" ") for one in nte.repetitions(3))


def diagnoses(group: Group, rules: Rules) -> tuple[Coded, ...]:
    """ICD-10 of each DG1 that says something."""
    found = dict.fromkeys(_diagnosis(dg1, rules) for dg1 in group.all("DG1") if given(dg1.value(3)))
    if len(found) > _MOST_NOTES:
        raise Refused(Condition.SEQUENCE, f"there are more than {_MOST_NOTES} diagnoses", ("DG1",), rule="diagnosis")
    return tuple(found)


def _diagnosis(dg1: Segment, rules: Rules) -> Coded:
    code, text, system = (given(dg1.value(3, number)) for number in (1, 2, 3))
    if rules.checks("diagnosis"):
        if not is_diagnosis(code) or system not in ("I10", ""):
            words = "DG1-3 has to be a code of ICD-10, its text, and I10"
            raise Refused(Condition.DATA_TYPE, words, ("DG1", 3), rule="diagnosis")
        if given(dg1.value(6)) not in _DIAGNOSIS_TYPES:
            raise Refused(Condition.TABLE_VALUE, "DG1-6 has to be A, F or W", ("DG1", 6), rule="diagnosis")
    bound(code, 16, "diagnosis", ("DG1", 3))
    return Coded(code, bound(text, 400, "diagnosis", ("DG1", 3, 2)))

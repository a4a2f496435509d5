"""What the fields of orders and reports have to be, as data: the place of each, its rule, and the name of its error.

The codes of the errors are in the national profile, which says too which fields have to be there and which are not
looked at, by kind of sender (`vna.model.profile.hl7`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from vna.hl7.checks import (
    is_anything,
    is_code,
    is_loinc,
    is_modality,
    is_person_number,
    is_sut,
    is_word,
)
from vna.hl7.order_states import CONTROLS, STATES
from vna.hl7.times import local_time
from vna.model.dates import normal_date
from vna.model.orders import is_accession_number
from vna.model.profile.hl7 import Hl7Profile, SenderRules


@dataclass(frozen=True, slots=True)
class Rules:
    """By which one message is read: the profile's rules for its sender, and what is known of the sender.

    `facility` is the code of the facility that it belongs to, `source` its name.
    """

    profile: Hl7Profile
    sender: SenderRules
    markers: frozenset[str]
    zone: ZoneInfo
    facility: str = ""
    source: str = ""

    def checks(self, error: str) -> bool:
        """Whether what the error is about is looked at."""
        return error not in self.sender.unchecked

    def requires(self, error: str) -> bool:
        """Whether it has to be there."""
        return error in self.sender.required


Check = Callable[[str, Rules], bool]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `check` is for what is there, `words` say what it has to be.

    No value is longer than `most`, or has control characters in it, whatever the profile says. `leads` is False where
    the same may be said elsewhere, so that it need not be there.
    """

    error: str
    segment: str
    field: int
    component: int
    words: str
    check: Check
    most: int = 64
    leads: bool = True
    subcomponent: int = 1


def _plain(check: Callable[[str], bool]) -> Check:
    return lambda value, _: check(value)


def _among(*values: str) -> Check:
    return lambda value, _: value in values


def _time(value: str, rules: Rules) -> bool:
    return bool(local_time(value, rules.zone))


def _patient_class(value: str, rules: Rules) -> bool:
    return value in rules.sender.patient_classes or (not rules.sender.patient_classes and value.isalpha())


def _birth_date(value: str, rules: Rules) -> bool:
    return "" < normal_date(value[:8]) <= datetime.now(rules.zone).strftime("%Y%m%d")


def _past_time(value: str, rules: Rules) -> bool:
    latest = datetime.now(rules.zone) + _CLOCKS_DIFFER
    return "" < local_time(value, rules.zone) <= latest.strftime("%Y%m%d%H%M%S")


def _modality(value: str, rules: Rules) -> bool:
    return is_modality(value) and (not rules.profile.modalities or value in rules.profile.modalities)


def _accession(value: str, rules: Rules) -> bool:
    return is_accession_number(value, rules.markers)


_ANY: Final = _plain(is_anything)
_NUMBER: Final = _plain(is_person_number)
_CLOCKS_DIFFER: Final = timedelta(minutes=10)
_TIME_WORDS: Final = "has to be a time YYYYMMDDHHMMSS"
_PERSON_WORDS: Final = "has to be a national number that is right"
ACCESSION_WORDS: Final = "has to be an accession number of 1 to 16 characters without backslash, * and ?"
MARKER_WORDS: Final = "is a marker for a missing number, and no accession number"

ACCESSION_PLACES: Final = (("ORC", 2), ("ORC", 3), ("OBR", 2), ("OBR", 3), ("OBR", 18))
"""All of which say the same, as far as they say something."""

KEY_FIELDS: Final = (
    Field("control", "ORC", 1, 1, "has to be NW, XO, CA or SC", _among(*CONTROLS), 2),
    *(Field("accession", *place, 1, ACCESSION_WORDS, _accession, leads=False) for place in ACCESSION_PLACES),
)
"""Of every order and report."""

PERSON_FIELDS: Final = (
    Field("patient_id", "PID", 3, 1, "has to be the file number, without backslash", _plain(is_word)),
    Field("national_number", "PID", 4, 1, _PERSON_WORDS, _NUMBER),
    Field("patient_name", "PID", 5, 1, "has to be SURNAME^GIVEN", _ANY),
    Field("birth_date", "PID", 7, 1, "has to be a day YYYYMMDD that is not to come", _birth_date, 26),
    Field("sex", "PID", 8, 1, "has to be F, M, U or O", _among("F", "M", "U", "O"), 1),
)
"""Whom it is for."""

ORDER_FIELDS: Final = (
    *PERSON_FIELDS,
    Field("patient_class", "PV1", 2, 1, "has to be a letter of table 0004", _patient_class, 1),
    Field("admission", "PV1", 19, 1, "has to be the facility's admission reference", _ANY),
    Field("payer", "PV1", 20, 1, "has to be the payer", _ANY),
    Field("state", "ORC", 5, 1, f"has to be one of {', '.join(STATES)}", _among(*STATES), 2),
    Field("order_time", "ORC", 9, 1, _TIME_WORDS, _time),
    Field("order_time", "OBR", 6, 1, _TIME_WORDS, _time, leads=False),
    Field("doctor", "ORC", 12, 1, _PERSON_WORDS, _NUMBER, 16),
    Field("doctor", "OBR", 16, 1, _PERSON_WORDS, _NUMBER, 16, leads=False),
    Field("clinic", "ORC", 17, 1, "has to be a code", _ANY),
    Field("sut", "OBR", 4, 1, "has to be a SUT code of six or more letters and digits", _plain(is_sut), 16),
    Field("sut", "OBR", 4, 3, "has to be SUT", _among("SUT"), 16, leads=False),
    Field("loinc", "OBR", 4, 4, "has to be a LOINC code that is right", _plain(is_loinc), 16),
    Field("loinc", "OBR", 4, 6, "has to be LNC", _among("LNC"), 16, leads=False),
    Field("clinical_information", "OBR", 13, 1, "has to be text", _ANY, 4000),
    Field("tracking_number", "OBR", 20, 1, "has to be the SYSTakipNo", _ANY),
    Field("facility_reference", "OBR", 21, 1, "has to be the facility's reference", _ANY),
    Field("modality", "OBR", 24, 1, "has to be a modality of two or more letters", _modality, 16),
    Field("scheduled_time", "OBR", 27, 4, _TIME_WORDS, _time, leads=False),
    Field("repeat_reason", "OBR", 31, 1, "has to be the code of a reason", _plain(is_code), 16),
    Field("technician", "OBR", 34, 1, _PERSON_WORDS, _NUMBER, 16),
    Field("scheduled_time", "OBR", 36, 1, _TIME_WORDS, _time),
)
"""Of new and changed orders."""

REPORT_FIELDS: Final = (
    *PERSON_FIELDS,
    Field("approval_time", "OBR", 7, 1, f"{_TIME_WORDS} that is not to come", _past_time),
)
"""Of reports; `vna.hl7.oru_r01` has what is in OBX."""

FACILITY_PLACE: Final = ("ORC", 21)
PERFORMING_PLACE: Final = ("OBR", 15)

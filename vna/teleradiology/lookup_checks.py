"""What a look-up has to say, and how: the checks that need no archive, in the order of the contract (docs/sgk.md)."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from vna.model.lookups import Asked, Operation, Result
from vna.model.national import is_national_number, may_be_foreign

LONGEST_ACCESSION = 16
"""Characters of an Accession Number (VR SH, PS3.5 Table 6.2-1)."""

REQUIRED: Mapping[Operation, tuple[str, ...]] = {
    Operation.FIND: ("facility", "accession"),
    Operation.LIST: ("facility", "patient"),
    Operation.LINK: ("facility", "accession", "patient", "requester"),
    Operation.VERIFY: ("facility", "sut_code"),
    Operation.DUPLICATES: ("facility", "patient", "sut_code"),
}
_TAKES_MARKERS = frozenset({Operation.VERIFY})
_DAY = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})(?: (\d{2}):(\d{2}):(\d{2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is well-formed: times are local, `YYYYMMDDHHMMSS`, `at` a day where no more was
    said; `is_marker` says that the accession number is none."""

    operation: Operation
    accession: str = field(default="", repr=False)
    patient: str = field(default="", repr=False)
    sut_code: str = ""
    at: str = ""
    since: str = ""
    until: str = ""
    modality: str = ""
    requester: str = field(default="", repr=False)
    uses: int = 1
    is_marker: bool = False


def check(asked: Asked, markers: frozenset[str], requires: Callable[[str], bool]) -> Question | Result:
    """The question, or the first result that refuses it; `requires` says of a SUT code whether it needs an accession
    number."""
    if any(not getattr(asked, name).strip() for name in REQUIRED[asked.operation]):
        return Result.MISSING
    accession = asked.accession.strip(" ") if asked.accession.strip() else ""
    if not is_accession(accession):
        return Result.ACCESSION_MALFORMED
    is_marker = accession in markers
    if is_marker and asked.operation not in _TAKES_MARKERS:
        return Result.MARKER
    patient, requester = asked.patient.strip(), asked.requester.strip()
    if not all(is_person(number) for number in (patient, requester) if number):
        return Result.PERSON_MALFORMED
    try:
        at, since, until = moment(asked.at, whole=True), moment(asked.since), moment(asked.until, ends=True)
    except ValueError:
        return Result.DATE_MALFORMED
    if since and until and since > until:
        return Result.DATE_MALFORMED
    sut_code = asked.sut_code.strip()
    if asked.operation is Operation.VERIFY and not accession and requires(sut_code):
        return Result.ACCESSION_REQUIRED
    modality = asked.modality.strip()
    return Question(
        asked.operation, accession, patient, sut_code, at, since, until, modality, requester, asked.uses, is_marker
    )


def is_accession(text: str) -> bool:
    """Whether it can be an accession number (VR SH, PS3.5 Table 6.2-1); an empty text can."""
    return len(text) <= LONGEST_ACCESSION and not any(
        character == "\\" or unicodedata.category(character) == "Cc" for character in text
    )


def is_person(text: str) -> bool:
    """Whether it can be a national number; those of foreigners are not tested by their check digits."""
    return may_be_foreign(text) or is_national_number(text)


def moment(text: str, *, ends: bool = False, whole: bool = False) -> str:
    """`dd.MM.yyyy`, or with `HH:mm:ss`, as local time; a day alone is its begin, or its end, or stays a day where
    `whole` says so. ValueError."""
    text = text.strip()
    if not text:
        return ""
    found = _DAY.fullmatch(text)
    if found is None:
        raise ValueError("this is no date")
    day, month, year, *clock = found.groups()
    hours = ("23", "59", "59") if ends and clock[0] is None else [part or "00" for part in clock]
    compact = f"{year}{month}{day}{''.join(hours)}"
    datetime.strptime(compact, "%Y%m%d%H%M%S")  # noqa: DTZ007  # only whether there is such a day
    return compact[:8] if whole and clock[0] is None else compact

"""Look-ups by accession number and patient: what is asked, and what is answered, without any wire.

The contract is the project's own, in the manner of the payer's services (docs/sgk.md). Times are local ones of the
profile's zone, as in `vna.model.orders`.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Operation(StrEnum):
    """What can be looked up."""

    FIND = "find"
    LIST = "list"
    LINK = "link"
    VERIFY = "verify"
    DUPLICATES = "duplicates"


class Result(StrEnum):
    """What came of it, by the codes of our contract."""

    SUCCESS = "0000"
    MISSING = "1001"
    ACCESSION_MALFORMED = "1002"
    ACCESSION_REQUIRED = "1003"
    MARKER = "1004"
    PERSON_MALFORMED = "1005"
    UNKNOWN = "1006"
    OTHER_PATIENT = "1007"
    SEVERAL_OWNERS = "1008"
    LINK_OVER = "1009"
    NOT_AUTHORISED = "1010"
    DATE_MALFORMED = "1011"
    FAILED = "9000"


class Basis(StrEnum):
    """Why somebody may open a patient's images."""

    LOCAL = "local"
    OWN_PATIENT = "own patient"
    PERMIT = "permit"
    BREAK_GLASS = "break-glass"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its fields as they were written; empty where they were not.

    `facility` is the payer's code of the caller's facility, `patient` and `requester` are national numbers, `at` is
    when the examination was or will be, `since` and `until` bound a list, `uses` is how often a link may be opened.
    """

    operation: Operation
    facility: str = ""
    accession: str = field(default="", repr=False)
    patient: str = field(default="", repr=False)
    sut_code: str = ""
    at: str = ""
    since: str = ""
    until: str = ""
    modality: str = ""
    requester: str = field(default="", repr=False)
    uses: int = 1


@dataclass(frozen=True, slots=True)
class FoundImages:
    """Images of one examination. Who did not say whose they are is told `modalities`, `taken_at` and the facility
    alone: `accession`, `study_instance_uid` and the rest are then empty and None."""

    modalities: tuple[str, ...]
    taken_at: str
    facility: str
    facility_name: str
    accession: str = ""
    study_instance_uid: str = ""
    examination: str = ""
    series: int | None = None
    instances: int | None = None
    has_report: bool | None = None


@dataclass(frozen=True, slots=True)
class EarlierExamination:
    """An examination of the same patient and code."""

    accession: str
    sut_code: str
    examination: str
    at: str
    facility: str
    facility_name: str
    has_images: bool
    has_report: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; None where the operation says nothing of it, or refused. `link` is the secret of an access
    link, good until `valid_until`."""

    result: Result = Result.SUCCESS
    has_images: bool | None = None
    has_report: bool | None = None
    images: tuple[FoundImages, ...] = ()
    total: int | None = None
    link: str = field(default="", repr=False)
    valid_until: str = ""
    fits: bool | None = None
    duplicate: bool | None = None
    excused: bool | None = None
    earlier: tuple[EarlierExamination, ...] = ()

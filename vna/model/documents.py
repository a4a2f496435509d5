"""Shared documents in IHE's words: what is said of a document, a submission, a folder, and how they hang together.

Names are those of ITI TF-3 4.2; how they are written on a wire is the business of the doors.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache


class Status(StrEnum):
    """availabilityStatus (ITI TF-3 4.2.3.2.2)."""

    APPROVED = "Approved"
    DEPRECATED = "Deprecated"


class Kind(StrEnum):
    """What an object of a registry is."""

    DOCUMENT = "DocumentEntry"
    SUBMISSION_SET = "SubmissionSet"
    FOLDER = "Folder"
    ASSOCIATION = "Association"


class AssociationKind(StrEnum):
    """What an association says (ITI TF-3 4.2.2); the last two only tell a registry what to do."""

    HAS_MEMBER = "HasMember"
    REPLACES = "RPLC"
    APPENDS = "APND"
    TRANSFORMS = "XFRM"
    TRANSFORMS_AND_REPLACES = "XFRM_RPLC"
    SIGNS = "signs"
    SNAPSHOT = "IsSnapshotOf"
    UPDATES_STATUS = "UpdateAvailabilityStatus"
    SUBMITS = "SubmitAssociation"


RELATIONSHIPS = frozenset(AssociationKind) - {
    AssociationKind.HAS_MEMBER,
    AssociationKind.UPDATES_STATUS,
    AssociationKind.SUBMITS,
}
"""Associations between two documents."""


@dataclass(frozen=True, slots=True)
class Code:
    """A value of a coding scheme; `display` is for people and never compared."""

    code: str
    scheme: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote it (ITI TF-3 4.2.3.1.4); each attribute may have many values."""

    person: tuple[str, ...] = ()
    institution: tuple[str, ...] = ()
    role: tuple[str, ...] = ()
    specialty: tuple[str, ...] = ()
    telecommunication: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtraMetadata:
    """An attribute that IHE does not define, kept and given back as it came (ITI TF-3 4.2.3.1.6)."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    """What documents, submission sets and folders have in common.

    `entry_uuid` is `urn:uuid:` and a UUID once a registry has the object; before, it may be any name. `logical_id` is
    that of the first version. Times are HL7 DTM in UTC, in the precision they were given.
    """

    entry_uuid: str
    logical_id: str = ""
    version: int = 1
    status: Status = Status.APPROVED
    patient_id: str = ""
    unique_id: str = ""
    home: str = ""
    title: str = ""
    comments: str = ""
    limited: bool = False
    extra: tuple[ExtraMetadata, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEntry(_Object):
    """A document (ITI TF-3 4.2.3.2); `on_demand` when its content is made at each retrieval."""

    on_demand: bool = False
    mime_type: str = ""
    authors: tuple[Author, ...] = ()
    class_code: Code | None = None
    type_code: Code | None = None
    format_code: Code | None = None
    healthcare_facility_type_code: Code | None = None
    practice_setting_code: Code | None = None
    confidentiality_codes: tuple[Code, ...] = ()
    event_codes: tuple[Code, ...] = ()
    creation_time: str = ""
    service_start_time: str = ""
    service_stop_time: str = ""
    language_code: str = ""
    legal_authenticator: str = ""
    source_patient_id: str = ""
    source_patient_info: tuple[str, ...] = ()
    reference_ids: tuple[str, ...] = ()
    repository_unique_id: str = ""
    hash: str = ""
    size: str = ""
    uri: str = ""
    availability: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionSet(_Object):
    """What came in one submission (ITI TF-3 4.2.3.3)."""

    authors: tuple[Author, ...] = ()
    content_type_code: Code | None = None
    source_id: str = ""
    submission_time: str = ""
    intended_recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder(_Object):
    """A collection of documents (ITI TF-3 4.2.3.4)."""

    codes: tuple[Code, ...] = ()
    last_update_time: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """`source` has, replaces, appends ... `target`, both by entryUUID.

    `submission_set_status` is Original or Reference; `previous_version`, `original_status`, `new_status` and
    `propagates` are instructions of a metadata update.
    """

    entry_uuid: str
    association: AssociationKind
    source: str
    target: str
    status: Status = Status.APPROVED
    submission_set_status: str = ""
    documentation: Code | None = None
    previous_version: str = ""
    original_status: str = ""
    new_status: str = ""
    propagates: bool = True
    extra: tuple[ExtraMetadata, ...] = ()


Registered = DocumentEntry | SubmissionSet | Folder
RegistryObject = Registered | Association

KINDS: dict[type[RegistryObject], Kind] = {
    DocumentEntry: Kind.DOCUMENT,
    SubmissionSet: Kind.SUBMISSION_SET,
    Folder: Kind.FOLDER,
    Association: Kind.ASSOCIATION,
}


@dataclass(frozen=True, slots=True)
class Submission:
    """What is submitted at once: all of it or nothing is registered."""

    submission_set: SubmissionSet
    documents: tuple[DocumentEntry, ...] = ()
    folders: tuple[Folder, ...] = ()
    associations: tuple[Association, ...] = ()

    def registered(self) -> Iterator[Registered]:
        """The submission set, the folders, the documents."""
        yield self.submission_set
        yield from self.folders
        yield from self.documents

    def __iter__(self) -> Iterator[RegistryObject]:
        yield from self.registered()
        yield from self.associations


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of an attribute's values is one of these."""

    attribute: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """One of an attribute's values is like one of these: `%` is any sequence of characters, `_` any single one."""

    attribute: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """The time is at or after `begin` and before `end`, each HL7 DTM or empty for no bound.

    `or_none` lets through what has no such time.
    """

    attribute: str
    begin: str = ""
    end: str = ""
    or_none: bool = False


Condition = OneOf | Like | Between


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """Objects of one kind, of one patient or by their identifiers, for which every condition holds.

    Attributes go by the names of the dataclasses here; codes are compared as `coded` writes them.
    """

    kind: Kind
    patient_id: str = ""
    entry_uuids: tuple[str, ...] = ()
    unique_ids: tuple[str, ...] = ()
    statuses: frozenset[Status] = frozenset(Status)
    conditions: tuple[Condition, ...] = field(default=())
    limit: int = 10_000


def coded(code: str, scheme: str) -> str:
    """A code as one text."""
    return f"{code}^^{scheme}"


@lru_cache(maxsize=65_536)
def moment(dtm: str) -> str:
    """An HL7 DTM as 14 digits, the beginning of what it means: texts that sort as times do. ValueError."""
    digits, _, fraction = dtm.partition(".")
    if not digits.isascii() or not digits.isdigit() or len(digits) not in (4, 6, 8, 10, 12, 14):
        raise ValueError("no time")
    if fraction and not (len(digits) == 14 and fraction.isascii() and fraction.isdigit()):
        raise ValueError("no time")
    full = digits + "00000101000000"[len(digits) :]
    month, day, hour, minute, second = (int(full[at : at + 2]) for at in range(4, 14, 2))
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        raise ValueError("no time")
    return full

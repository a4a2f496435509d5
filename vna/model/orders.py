"""Orders: an examination that somebody asked for, and how it stands.

Times are local times of the profile's zone, as `YYYYMMDDHHMMSS`, so that they sort as they are; empty where not known.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Self

ANY_FACILITY = "*"
"""In `performing_facility`: the order is open to any centre, and matches wherever it is performed."""


class OrderState(StrEnum):
    """How far the examination is (PS3.3 C.4.10, IHE RAD TF-2 4.4)."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in progress"
    COMPLETED = "completed"
    DISCONTINUED = "discontinued"
    CANCELLED = "cancelled"


OPEN = (OrderState.IN_PROGRESS, OrderState.SCHEDULED)
"""Which orders are in the worklist, and in which order."""


@dataclass(frozen=True, slots=True)
class OrderKey:
    """An accession number is unique within the facility that made it (its SKRS code), and not beyond."""

    facility: str
    accession_number: str

    def __str__(self) -> str:
        return f"order:{self.facility}:{self.accession_number}"


MOST_ACCESSION = 16
"""PS3.5 6.2, Accession Number is SH."""


def is_accession_number(value: str, markers: frozenset[str] = frozenset()) -> bool:
    """Something that DICOM can hold and that is no wildcard there (PS3.4 C.2.2.2.4), and that stands for no missing
    number."""
    is_kept = 0 < len(value) <= MOST_ACCESSION and value.isprintable()
    return is_kept and not any(sign in value for sign in "\\*?") and value not in markers


@dataclass(frozen=True, slots=True)
class Person:
    """A person by national number, where there is one, and name as DICOM writes it (family^given^middle^prefix)."""

    number: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Coded:
    """A code with its text."""

    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class OrderedPatient:
    """Who an order is for: `patient_id` is the facility's file number, `national_number` the TCKN or foreigner's."""

    patient_id: str = ""
    national_number: str = ""
    name: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order by its key. `facility` of the key is who ordered; `performing_facility` is empty where it is the same.

    `requested_at` is what rules go by (ORC-9, OBR-6), `scheduled_at` when it is to be done (OBR-36).
    `notes` are complaint, history, symptom and treatment by their NTE codes; `diagnoses` are ICD-10.
    """

    key: OrderKey
    patient: OrderedPatient
    state: OrderState = OrderState.SCHEDULED
    sut: Coded = Coded()
    loinc: Coded = Coded()
    modality: str = ""
    requested_at: str = ""
    scheduled_at: str = ""
    ordering_doctor: Person = Person()
    technician: Person = Person()
    performing_facility: str = ""
    station_ae_title: str = ""
    priority: str = ""
    payer: str = ""
    admission_reference: str = ""
    facility_reference: str = ""
    tracking_number: str = ""
    repeat_reason: Coded = Coded()
    clinical_information: str = ""
    notes: tuple[Coded, ...] = ()
    diagnoses: tuple[Coded, ...] = ()
    patient_class: str = ""
    clinic: Coded = Coded()
    source: str = ""

    @property
    def study_instance_uid(self) -> str:
        """The Study Instance UID that the worklist gives: made of the key, so that it is the same at every asking
        (PS3.5 B.2)."""
        return made_uid(str(self.key))

    @property
    def performed_at(self) -> str:
        """The facility that performs it; ANY_FACILITY where any centre may."""
        return self.performing_facility or self.key.facility

    def as_plain(self) -> dict[str, Any]:
        """For JSON; `from_plain` reads it."""
        return {**asdict(self), "state": self.state.value}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """What `as_plain` wrote."""
        values = dict(plain)
        for name, kind in _PARTS.items():
            values[name] = kind(**values[name])
        for name in ("notes", "diagnoses"):
            values[name] = tuple(Coded(**one) for one in values[name])
        return cls(**{**values, "state": OrderState(values["state"])})


_PARTS: dict[str, type[Any]] = {
    "key": OrderKey,
    "patient": OrderedPatient,
    "sut": Coded,
    "loinc": Coded,
    "ordering_doctor": Person,
    "technician": Person,
    "repeat_reason": Coded,
    "clinic": Coded,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an order beside itself, kept up by `vna.teleradiology`: `status` is one word for all of it, and
    `reasons` are codes of what it is not complete for (`vna.teleradiology.reasons` has the words)."""

    matched: bool = False
    has_images: bool = False
    has_report: bool = False
    status: str = ""
    reasons: tuple[str, ...] = ()
    performed_at: str = ""


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """An order with how it stands."""

    order: Order
    standing: Standing = field(default_factory=Standing)
    changed_at: str = ""


def made_uid(text: str) -> str:
    """A UID made of a text, the same each time (PS3.5 B.2 has the form of those made of UUIDs)."""
    return f"2.25.{int.from_bytes(sha256(text.encode()).digest()[:16], 'big')}"

"""Orders and images that belong together: what is compared, and what comes of it."""

from dataclasses import dataclass
from enum import StrEnum

from vna.model.orders import ANY_FACILITY, OrderKey


class MatchRule(StrEnum):
    """Why images are of an order: `NATIONAL` the same accession number and national number, `FILE` the same accession
    number, facility and file number, `TOGETHER` one acquisition for several orders, `HAND` a person says so."""

    NATIONAL = "national number"
    FILE = "file number"
    TOGETHER = "together"
    HAND = "by hand"


@dataclass(frozen=True, slots=True)
class Outline:
    """What matching compares of an order; `placed_at` is when it was first told of (`time_text`)."""

    key: OrderKey
    patient_id: str = ""
    national_number: str = ""
    doctor_number: str = ""
    modality: str = ""
    scheduled_at: str = ""
    performing_facility: str = ""
    placed_at: str = ""
    cancelled: bool = False

    def is_home(self, facility: str) -> bool:
        """Whether images of this facility are where the order was made or is to be performed."""
        return facility in (self.key.facility, self.performing_facility) or self.performing_facility == ANY_FACILITY


@dataclass(frozen=True, slots=True)
class Subject:
    """What matching compares of a study, held here, kept elsewhere or in quarantine.

    `accession_numbers` are its own and those that Request Attributes Sequence and performed steps name; `numbers` are
    Patient ID and Other Patient IDs, `other_ids` the latter alone; `known_at` is when it was first known (`time_text`).
    """

    study_instance_uid: str
    accession_numbers: frozenset[str] = frozenset()
    patient_id: str = ""
    numbers: frozenset[str] = frozenset()
    other_ids: frozenset[str] = frozenset()
    facility: str = ""
    known_at: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """A pair of order and study. A `released` one a person took back: no rule makes it again."""

    key: OrderKey
    study_instance_uid: str
    rule: MatchRule
    actor: str = ""
    reason: str = ""
    released: bool = False
    at: str = ""

    @property
    def by_person(self) -> bool:
        """Whether a person said it."""
        return self.released or self.rule is MatchRule.HAND

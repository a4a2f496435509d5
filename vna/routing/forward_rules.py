"""Rules of what is sent to other archives: every one that fits applies."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from storage.index.forwarding import Candidate
from vna.model.instances import Door
from vna.model.priority import Priority


class When(StrEnum):
    """When something is sent: as it comes, or when the study has been at rest."""

    INSTANCE = "instance"
    STUDY = "study"


@dataclass(frozen=True, slots=True)
class ForwardRule:
    """What is sent to `to`: of these modalities (with `when` STUDY, of a study that has one of them), facilities,
    calling AE titles and SOP Classes, any where none is said, of studies that are not older than `younger_than` days.

    `rest` is how long nothing came of a study at rest, in seconds; `again` sends what is corrected later once more.
    """

    name: str
    to: str
    modalities: frozenset[str] = frozenset()
    facilities: frozenset[str] = frozenset()
    calling: frozenset[str] = frozenset()
    sop_classes: frozenset[str] = frozenset()
    younger_than: int | None = None
    when: When = When.INSTANCE
    rest: int = 60
    priority: Priority = Priority.ROUTINE
    again: bool = False

    def fits(self, one: Candidate, today: date) -> bool:
        """Whether it says that the instance is sent."""
        return (
            (not self.modalities or bool(self.modalities & self._modalities(one)))
            and (not self.facilities or one.facility in self.facilities)
            and (not self.calling or one.source_ae in self.calling)
            and (not self.sop_classes or one.sop_class_uid in self.sop_classes)
            and (self.younger_than is None or _made(one) >= today - timedelta(days=self.younger_than))
        )

    def _modalities(self, one: Candidate) -> set[str]:
        return set(one.modalities.strip("\\").split("\\")) if self.when is When.STUDY else {one.modality}


def came_from_there(one: Candidate, names: frozenset[str]) -> bool:
    """Whether it is a copy of what others keep, or came from whoever goes by these names: it is not sent back."""
    return one.door == Door.FETCH or one.source_ae in names


def content_of(sha256: bytes, rules: str) -> str:
    """Names what is sent: the bytes, and what is corrected on the way out."""
    return hashlib.sha256(sha256 + rules.encode()).hexdigest()[:32]


def _made(one: Candidate) -> date:
    try:
        return datetime.strptime(one.study_date, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return datetime.fromisoformat(one.first_received_at).date() if one.first_received_at else date.max

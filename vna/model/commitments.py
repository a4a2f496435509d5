"""Storage commitment: what is asked for, and what came of it (PS3.4 J, PS3.3 C.14)."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol

from vna.model.access import Peer


class FailureReason(IntEnum):
    """Why an instance is not committed (PS3.3 C.14.1.1)."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119
    CLASS_NOT_SUPPORTED = 0x0122
    DUPLICATE_TRANSACTION = 0x0131
    RESOURCE_LIMITATION = 0x0213


COMMITTED = 0
UNKNOWN = -1


class Direction(StrEnum):
    """Who asked whom: others us, or we others."""

    RECEIVED = "received"
    SENT = "sent"


class State(StrEnum):
    """How far a request is. Who asked over HTTP gets no report, and asks: then `checked` is the end."""

    PENDING = "pending"
    CHECKED = "checked"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True)
class Referenced:
    """An instance that is to be kept."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one: COMMITTED, UNKNOWN, or a FailureReason."""

    sop_class_uid: str
    sop_instance_uid: str
    result: int


@dataclass(frozen=True, slots=True)
class Commitment:
    """One request without its instances; times are ISO 8601 UTC, empty before."""

    key: int
    direction: Direction
    transaction_uid: str
    door: str
    partner: str
    state: State
    requested_at: str
    checked_at: str
    reported_at: str
    held_until: str
    instances: int
    failures: int


class Reporter(Protocol):
    """What tells an application entity the result, on a new association."""

    def report(self, peer: Peer, transaction_uid: str, outcomes: tuple[Outcome, ...]) -> None:
        """Return when it has it; Unavailable, NotAuthorized or Rejected say why not."""

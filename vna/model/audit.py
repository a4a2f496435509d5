"""What the audit trail says happened (PS3.15 A.5), before it is an audit message or a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Protocol

from vna.model.access import Action, Actor


class AuditKind(StrEnum):
    """Of what class it is (PS3.15 A.5.3); each has a form of its own as a message, and its time of retention."""

    APPLICATION = "application-activity"
    ACCESS = "instances-accessed"
    TRANSFER = "instances-transferred"
    DELETE = "study-deleted"
    EXPORT = "data-export"
    IMPORT = "data-import"
    QUERY = "query"
    LOGIN = "user-authentication"
    SECURITY = "security-alert"
    REFUSAL = "refusal"
    CHANGE = "change"
    DATABASE = "database-change"


class Outcome(IntEnum):
    """EventOutcomeIndicator (PS3.15 A.5.2)."""

    SUCCESS = 0
    MINOR_FAILURE = 4
    SERIOUS_FAILURE = 8
    MAJOR_FAILURE = 12


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One thing that happened: who did what, to what, why, and how it ended.

    `what` names the operation in the standard's terms (`ITI-18`, `C-FIND`, `study.deleted`); `patient` and
    `facility` are those of the thing, found out when the record is written where the caller leaves them out;
    `detail` is plain JSON. `event_id` is the event row that it was made of, 0 where there is none.
    """

    kind: AuditKind
    what: str
    actor: Actor
    at: datetime
    outcome: Outcome = Outcome.SUCCESS
    study_instance_uid: str = ""
    patient: str = ""
    facility: str = ""
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    event_id: int = 0


class Trail(Protocol):
    """Where records go. Every method returns when what it says is durable, or raises Unavailable."""

    def record(self, record: AuditRecord) -> None:
        """One record."""

    def accessed(self, actor: Actor, study_instance_uid: str) -> None:
        """Something of a study is about to be given: one record an actor, study and purpose in a window of a minute."""

    def refused(self, actor: Actor, action: Action, thing: str, why: str) -> None:
        """The policy refused."""

    def entered(self, actor: Actor, how: str) -> None:
        """Somebody was let in by what they showed: one record an actor and address in a window of a minute."""

    def kept_out(self, actor: Actor, how: str, why: str) -> None:
        """Somebody was not; `actor` is who they said they are, and has no rights."""


class NoTrail:
    """Nothing is written."""

    def record(self, record: AuditRecord) -> None:
        """Nothing."""

    def accessed(self, actor: Actor, study_instance_uid: str) -> None:
        """Nothing."""

    def refused(self, actor: Actor, action: Action, thing: str, why: str) -> None:
        """Nothing."""

    def entered(self, actor: Actor, how: str) -> None:
        """Nothing."""

    def kept_out(self, actor: Actor, how: str, why: str) -> None:
        """Nothing."""


NO_TRAIL: Trail = NoTrail()
"""Where nobody keeps one."""

"""An audit trail in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from vna.model.access import Action, Actor
from vna.model.audit import AuditKind, AuditRecord, Outcome


@dataclass
class Kept:
    """What was recorded; a broken one keeps nothing, and says so."""

    records: list[AuditRecord] = field(default_factory=list)
    broken: bool = False

    def record(self, record: AuditRecord) -> None:
        if self.broken:
            raise OSError("no trail")
        self.records.append(record)

    def accessed(self, actor: Actor, study_instance_uid: str) -> None:
        raise AssertionError

    def refused(self, actor: Actor, action: Action, thing: str, why: str) -> None:
        raise AssertionError

    def entered(self, actor: Actor, how: str) -> None:
        if not any(one.actor == actor and one.outcome is Outcome.SUCCESS for one in self.records):
            self.record(AuditRecord(AuditKind.LOGIN, "login", actor, datetime.now(UTC)))

    def kept_out(self, actor: Actor, how: str, why: str) -> None:
        at = datetime.now(UTC)
        self.record(AuditRecord(AuditKind.LOGIN, "login", actor, at, Outcome.MINOR_FAILURE, reason=why))

"""An audit trail in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from vna.model.access import Action, Actor
from vna.model.audit import AuditRecord


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

"""What the audit trail says of documents that are given (ITI TF-2 3.43.5.1)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Protocol

from vna.model.access import Actor, ActorKind
from vna.model.audit import AuditKind, AuditRecord, Outcome
from vna.model.identifiers import PatientIdentifier

_MOST_NAMED = 100


class Asked(Protocol):
    """A document that was asked for."""

    @property
    def repository_unique_id(self) -> str: ...
    @property
    def unique_id(self) -> str: ...
    @property
    def home(self) -> str: ...


def records(
    actor: Actor, asked: Iterable[Asked], outcome: Outcome, patients: Mapping[str, PatientIdentifier]
) -> Iterator[AuditRecord]:
    """One a patient and a hundred documents; what the archive itself reads is none.

    A request of which some can be given and some not makes records of both outcomes (PS3.15 A.5.2).
    """
    if actor.kind is ActorKind.SYSTEM:
        return
    whose: dict[str, list[Asked]] = {}
    for one in asked:
        known = patients.get(one.unique_id)
        whose.setdefault(str(known) if known else "", []).append(one)
    for patient, documents in whose.items():
        for start in range(0, len(documents), _MOST_NAMED):
            yield AuditRecord(
                kind=AuditKind.EXPORT,
                what=actor.service or "ITI-43",
                actor=actor,
                at=datetime.now(UTC),
                outcome=outcome,
                patient=patient,
                reason=actor.reason,
                detail={"documents": [_named(one) for one in documents[start : start + _MOST_NAMED]]},
            )


def _named(one: Asked) -> dict[str, str]:
    said = {"unique_id": one.unique_id, "repository": one.repository_unique_id, "home": one.home}
    return {name: value for name, value in said.items() if value}

"""What the trail says of a search: what was asked, and how much was found (PS3.15 A.5.3.10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vna.model.access import Actor, ActorKind
from vna.model.audit import AuditKind, AuditRecord, Trail
from vna.model.query import Query

_PATIENT_ID = ("00100020",)
_STUDY = ("0020000D",)
_WILD = frozenset("*?\\")


@dataclass(frozen=True, slots=True)
class Asked:
    """A search: of whom and of which study, where it names one, and all that it says."""

    patient: str
    study_instance_uid: str
    detail: Mapping[str, Any]


def asked(query: Query) -> Asked:
    """What a search by attributes says: keys by their tags."""
    keys = {".".join(key.path): list(key.values) for key in query.keys}
    return Asked(
        _one(query, _PATIENT_ID),
        _one(query, _STUDY),
        {"query": {"level": query.level.name.lower(), "keys": keys, "offset": query.offset}},
    )


def _one(query: Query, path: tuple[str, ...]) -> str:
    for key in query.keys:
        if key.path == path and len(key.values) == 1 and not _WILD.intersection(key.values[0]):
            return key.values[0]
    return ""


def queried(trail: Trail, actor: Actor, what: str, said: Asked, matches: int) -> None:
    """A record of a search that is about to be answered; the archive's own searches are none."""
    if actor.kind is ActorKind.SYSTEM:
        return
    trail.record(
        AuditRecord(
            kind=AuditKind.QUERY,
            what=what,
            actor=actor,
            at=datetime.now(UTC),
            study_instance_uid=said.study_instance_uid,
            patient=said.patient,
            reason=actor.reason,
            detail={**said.detail, "matches": matches},
        )
    )

"""Records as rows, and back; and over what a row's MAC is."""

from typing import Any

import orjson

from storage.index.audit import AuditRow, Whose
from storage.index.events import read_time, time_text
from vna.audit.key import AuditKey
from vna.model.access import Actor, ActorKind, Purpose, Role
from vna.model.audit import AuditKind, AuditRecord, Outcome

_LONGEST = 2_000
_LONGEST_DETAIL = 32_000
_ISSUER = "^^^"
_BY_SERVICE = frozenset({AuditKind.ACCESS, AuditKind.QUERY})


def row_of(record: AuditRecord, whose: Whose, key_id: str) -> AuditRow:
    """What is written of a record; `whose` fills in what it does not say of its study."""
    actor = record.actor
    patient, _, issuer = record.patient.partition(_ISSUER)
    if not patient:
        patient, issuer = whose.patient, whose.issuer
    return AuditRow(
        kind=record.kind.value,
        what=_text(_what(record)),
        at=time_text(record.at),
        outcome=int(record.outcome),
        actor_kind=actor.kind.value,
        actor=_text(actor.name),
        actor_role=actor.role.value if actor.role else "",
        person=_text(actor.person),
        actor_facility=_text(actor.facility),
        address=_text(actor.address),
        purpose=actor.purpose.value,
        study_instance_uid=_text(record.study_instance_uid),
        patient=_text(patient),
        issuer=_text(issuer),
        facility=_text(record.facility or whose.facility),
        reason=_text(record.reason),
        detail=_json({**record.detail, "user": actor.user} if actor.user else record.detail),
        event_id=record.event_id,
        key_id=key_id,
    )


def record_of(row: AuditRow) -> AuditRecord:
    """The record that a row is of."""
    return AuditRecord(
        kind=AuditKind(row.kind),
        what=row.what,
        actor=Actor(
            kind=ActorKind(row.actor_kind),
            name=row.actor,
            facility=row.actor_facility,
            address=row.address,
            role=Role(row.actor_role) if row.actor_role else None,
            person=row.person,
            purpose=Purpose(row.purpose),
        ),
        at=read_time(row.at),
        outcome=Outcome(row.outcome),
        study_instance_uid=row.study_instance_uid,
        patient=f"{row.patient}{_ISSUER}{row.issuer}" if row.issuer else row.patient,
        facility=row.facility,
        reason=row.reason,
        detail=orjson.loads(row.detail),
        event_id=row.event_id,
    )


def message_of(row: AuditRow) -> bytes:
    """Over what the MAC is: every column but itself, as a JSON list in the order of the table."""
    return orjson.dumps(
        [
            row.id,
            row.kind,
            row.what,
            row.at,
            row.outcome,
            row.actor_kind,
            row.actor,
            row.actor_role,
            row.person,
            row.actor_facility,
            row.address,
            row.purpose,
            row.study_instance_uid,
            row.patient,
            row.issuer,
            row.facility,
            row.reason,
            row.detail,
            row.event_id,
            row.key_id,
        ]
    )


def is_whole(key: AuditKey, row: AuditRow) -> bool:
    """Whether a row is as a holder of one of our keys wrote it."""
    return key.is_of(message_of(row), row.mac, row.key_id)


def _what(record: AuditRecord) -> str:
    """Searches and accesses go by the service that they came by, which use cases do not know."""
    return (record.actor.service if record.kind in _BY_SERVICE else "") or record.what


def _text(value: str) -> str:
    """As both databases keep it: without NUL and halves of characters, and not for ever."""
    return value[:_LONGEST].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _json(detail: Any) -> str:
    try:
        text = orjson.dumps(dict(detail)).decode()
    except orjson.JSONEncodeError:
        text = orjson.dumps({"unwritten": _text(repr(dict(detail)))}).decode()
    if len(text) > _LONGEST_DETAIL:
        text = orjson.dumps({"characters": len(text), "begins": text[:_LONGEST]}).decode()
    return text

"""Every event becomes a record: what changed is in the trail within seconds, by the event's own row."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

import orjson

from storage.index.audit_sources import kind_of_actor, packed, recorded_events
from storage.index.engine import Connection, Database
from vna.audit.forms import form_of, patient_of
from vna.audit.trail import AuditTrail, is_uid
from vna.model.access import SYSTEM, Actor, ActorKind, Purpose
from vna.model.audit import AuditRecord
from vna.model.events import Event, EventKind

_LONGEST = 4_000
_BEFORE = 1_000
"""An event that a job delivers again, alone, may be in a record that is known by another before it."""
_Group = tuple[str, str, str, str, str]


class Noticing:
    """A subscriber (`vna.jobs.dispatch`): a batch becomes records in one transaction, each event once."""

    def __init__(self, database: Database, trail: AuditTrail) -> None:
        self._database = database
        self._trail = trail

    def __call__(self, batch: Sequence[Event]) -> None:
        """Events that are in the trail already are passed over."""
        ids = [event.event_id for event in batch]
        with self._database.transaction() as connection:
            known = recorded_events(connection, min(ids) - (_BEFORE if len(ids) == 1 else 0), max(ids))
            fresh = [event for event in batch if event.event_id not in known]
            actors = _Actors(connection)
            self._trail.write_in(connection, [_record(group, actors) for group in _groups(fresh)])


class _Actors:
    """Who the names of events are of."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._kinds: dict[str, str] = {}

    def of(self, event: Event) -> Actor:
        detail = event.detail
        address = str(detail.get("source_address") or detail.get("address") or "")
        facility = str(detail.get("caller_facility") or "")
        purpose = Purpose.EMERGENCY if event.kind is EventKind.GLASS_BROKEN else Purpose.TREATMENT
        person = str(detail.get("person") or "")
        return Actor(
            self._kind(event.actor), event.actor, address=address, facility=facility, person=person, purpose=purpose
        )

    def _kind(self, name: str) -> ActorKind:
        if name == SYSTEM.name:
            return ActorKind.SYSTEM
        if name.startswith("link/"):
            return ActorKind.LINK
        if name not in self._kinds:
            self._kinds[name] = kind_of_actor(self._connection, name)
        if self._kinds[name]:
            return ActorKind(self._kinds[name])
        if "/" in name:
            return ActorKind.TOKEN
        return ActorKind.LOCAL if name and ":" not in name else ActorKind.SYSTEM


def _groups(batch: Iterable[Event]) -> Iterator[list[Event]]:
    """Events of one record, in the order of the first of each."""
    groups: dict[_Group | int, list[Event]] = {}
    for event in batch:
        detail = event.detail
        key: _Group | int = event.event_id
        if form_of(event.kind).gathered:
            reason = str(detail.get("reason", ""))
            source = f"{detail.get('door', '')} {detail.get('source_address', '')}"
            key = (event.kind.value, event.study_instance_uid, event.actor, source, reason)
        groups.setdefault(key, []).append(event)
    return iter(groups.values())


def _record(group: Sequence[Event], actors: _Actors) -> AuditRecord:
    first, form = group[0], form_of(group[0].kind)
    study = first.study_instance_uid
    return AuditRecord(
        kind=form.kind,
        what=first.kind.value,
        actor=actors.of(first),
        at=first.at,
        study_instance_uid=study if is_uid(study) else "",
        patient=patient_of(form, first.detail),
        facility=str(first.detail.get("facility") or "") if form.gathered else "",
        reason=str(first.detail.get("reason") or ""),
        detail=_gathered(group) if form.gathered else _detail(first),
        event_id=first.event_id,
    )


def _gathered(group: Sequence[Event]) -> dict[str, Any]:
    """How many instances, of which series; `sha256` is over their UIDs, a line each in the order of the events."""
    uids = "\n".join(event.sop_instance_uid for event in group)
    said = {
        "instances": len(group),
        "series": sorted({str(event.detail["series"]) for event in group if "series" in event.detail}),
        "door": str(group[0].detail.get("door", "")),
        "event_ids": packed(sorted(event.event_id for event in group)),
        "sha256": sha256(uids.encode()).hexdigest(),
    }
    if len(group) == 1:
        said["instance"] = group[0].sop_instance_uid
    return said


def _detail(event: Event) -> dict[str, Any]:
    """What the event says; of a long one its plain values, and the digest of the rest."""
    said = {**event.detail}
    if event.sop_instance_uid:
        said["instance"] = event.sop_instance_uid
    text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    if len(text) <= _LONGEST:
        return said
    short = {
        name: value for name, value in said.items() if isinstance(value, str | int | bool) and len(str(value)) < 200
    }
    return {**short, "sha256": sha256(text).hexdigest(), "bytes": len(text)}

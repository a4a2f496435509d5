"""Events: what changed, written in the change's own transaction, handed to subscribers at least once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What changed."""

    INSTANCE_STORED = "instance.stored"
    INSTANCE_REPLACED = "instance.replaced"
    INSTANCE_DELETED = "instance.deleted"
    INSTANCE_RESTORED = "instance.restored"
    INSTANCE_CORRECTED = "instance.corrected"
    INSTANCE_FORGOTTEN = "instance.forgotten"
    INSTANCE_REPAIRED = "instance.repaired"
    INSTANCE_PURGED = "instance.purged"
    INSTANCES_FORWARDED = "instances.forwarded"
    INSTANCE_QUARANTINED = "instance.quarantined"
    CORRECTION_CHANGED = "correction.changed"
    REJECTION_CHANGED = "rejection.changed"
    EXPORTED = "studies.exported"
    STUDY_REASSIGNED = "study.reassigned"
    HOLD_CHANGED = "hold.changed"
    STUDY_KNOWN = "study.known"
    DOCUMENT_STORED = "document.stored"
    DOCUMENT_DISCARDED = "document.discarded"
    DOCUMENT_REGISTERED = "document.registered"
    DOCUMENT_UPDATED = "document.updated"
    DOCUMENT_REMOVED = "document.removed"
    MANIFEST_PUBLISHED = "manifest.published"
    PATIENT_REGISTERED = "patient.registered"
    PATIENT_MERGED = "patient.merged"
    PATIENT_UNMERGED = "patient.unmerged"
    PATIENT_LINKED = "patient.linked"
    PATIENT_UPDATED = "patient.updated"
    ORDER_CHANGED = "order.changed"
    STEP_CHANGED = "step.changed"
    MATCH_CHANGED = "match.changed"
    REPORT_CHANGED = "report.changed"
    NOTIFICATION_CHANGED = "notification.changed"
    PREVIOUS_SEEN = "previous.seen"
    CODES_LOADED = "codes.loaded"
    LOOKED_UP = "looked.up"
    AVAILABILITY_CHANGED = "availability.changed"
    COMMITMENT_CHANGED = "commitment.changed"
    ARCHIVE_NAMED = "archive.named"
    PEER_CHANGED = "peer.changed"
    SOURCE_CHANGED = "source.changed"
    ACCOUNT_CHANGED = "account.changed"
    PERMIT_CHANGED = "permit.changed"
    FACILITY_CHANGED = "facility.changed"
    GLASS_BROKEN = "glass.broken"
    LINK_CHANGED = "link.changed"
    LINK_OPENED = "link.opened"


@dataclass(frozen=True, slots=True)
class Event:
    """One row: `study_instance_uid` orders delivery; `detail` is plain JSON, enough to rebuild what the bytes do not
    say. `sequence` numbers events in the order in which they were handed out; 0 before."""

    event_id: int
    kind: EventKind
    at: datetime
    study_instance_uid: str
    sop_instance_uid: str
    actor: str
    detail: Mapping[str, Any]
    sequence: int = 0

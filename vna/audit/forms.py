"""What each kind of event is in the trail, and of whom it tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vna.model.audit import AuditKind
from vna.model.events import EventKind

_Detail = Mapping[str, Any]
_ISSUER = "^^^"


def nobody(_detail: _Detail) -> str:
    """An event that says of no patient but by its study."""
    return ""


def _named(name: str) -> Callable[[_Detail], str]:
    return lambda detail: str(detail.get(name) or "")


def _of_order(detail: _Detail) -> str:
    patient = detail.get("order", {}).get("patient", {})
    return str(patient.get("patient_id") or patient.get("national_number") or "")


def _of_permit(detail: _Detail) -> str:
    return str(detail.get("subject") or "") if detail.get("kind") == "consent" else ""


@dataclass(frozen=True, slots=True)
class Form:
    """The class of record that an event becomes; `patient` finds in its detail whom it is about, `gathered` says that
    those of one study and actor become one record."""

    kind: AuditKind
    patient: Callable[[_Detail], str] = nobody
    gathered: bool = False


_CHANGE = Form(AuditKind.CHANGE)
_CHANGES = Form(AuditKind.CHANGE, gathered=True)
_TRANSFERS = Form(AuditKind.TRANSFER, gathered=True)
_DELETES = Form(AuditKind.DELETE, gathered=True)
_SECURITY = Form(AuditKind.SECURITY)

FORMS: Mapping[EventKind, Form] = {
    EventKind.INSTANCE_STORED: _TRANSFERS,
    EventKind.INSTANCE_REPLACED: _TRANSFERS,
    EventKind.INSTANCE_DELETED: _DELETES,
    EventKind.INSTANCE_RESTORED: _CHANGES,
    EventKind.INSTANCE_CORRECTED: _CHANGES,
    EventKind.INSTANCE_FORGOTTEN: _DELETES,
    EventKind.INSTANCE_REPAIRED: _CHANGES,
    EventKind.INSTANCE_PURGED: _DELETES,
    EventKind.INSTANCES_FORWARDED: Form(AuditKind.TRANSFER),
    EventKind.INSTANCE_QUARANTINED: _CHANGES,
    EventKind.CORRECTION_CHANGED: _CHANGE,
    EventKind.REJECTION_CHANGED: _CHANGE,
    EventKind.EXPORTED: Form(AuditKind.EXPORT),
    EventKind.STUDY_REASSIGNED: _CHANGE,
    EventKind.HOLD_CHANGED: _CHANGE,
    EventKind.STUDY_KNOWN: _CHANGE,
    EventKind.DOCUMENT_STORED: Form(AuditKind.IMPORT),
    EventKind.DOCUMENT_DISCARDED: Form(AuditKind.DELETE),
    EventKind.DOCUMENT_REGISTERED: Form(AuditKind.IMPORT, _named("patient")),
    EventKind.DOCUMENT_UPDATED: Form(AuditKind.CHANGE, _named("patient")),
    EventKind.DOCUMENT_REMOVED: Form(AuditKind.DELETE, _named("patient")),
    EventKind.MANIFEST_PUBLISHED: Form(AuditKind.EXPORT),
    EventKind.PATIENT_REGISTERED: Form(AuditKind.CHANGE, _named("identifier")),
    EventKind.PATIENT_MERGED: Form(AuditKind.CHANGE, _named("surviving")),
    EventKind.PATIENT_UNMERGED: Form(AuditKind.CHANGE, _named("surviving")),
    EventKind.PATIENT_LINKED: Form(AuditKind.CHANGE, _named("one")),
    EventKind.PATIENT_UPDATED: Form(AuditKind.CHANGE, _named("patient")),
    EventKind.ORDER_CHANGED: Form(AuditKind.CHANGE, _of_order),
    EventKind.STEP_CHANGED: _CHANGE,
    EventKind.MATCH_CHANGED: _CHANGE,
    EventKind.REPORT_CHANGED: _CHANGE,
    EventKind.NOTIFICATION_CHANGED: Form(AuditKind.EXPORT),
    EventKind.PREVIOUS_SEEN: Form(AuditKind.ACCESS, _named("national_number")),
    EventKind.CODES_LOADED: _CHANGE,
    EventKind.LOOKED_UP: Form(AuditKind.QUERY, _named("patient")),
    EventKind.AVAILABILITY_CHANGED: _CHANGE,
    EventKind.COMMITMENT_CHANGED: _CHANGE,
    EventKind.ARCHIVE_NAMED: Form(AuditKind.APPLICATION),
    EventKind.PEER_CHANGED: _SECURITY,
    EventKind.SOURCE_CHANGED: _SECURITY,
    EventKind.ACCOUNT_CHANGED: _SECURITY,
    EventKind.PERMIT_CHANGED: Form(AuditKind.SECURITY, _of_permit),
    EventKind.FACILITY_CHANGED: _SECURITY,
    EventKind.GLASS_BROKEN: Form(AuditKind.SECURITY, _named("patient")),
    EventKind.LINK_CHANGED: _SECURITY,
    EventKind.LINK_OPENED: Form(AuditKind.LOGIN),
}
"""PS3.15 A.5.3 says what the classes are for. Every kind of event has a form."""


def form_of(kind: EventKind) -> Form:
    """Of a kind that is younger than the table too: what changed is written down whatever it is."""
    return FORMS.get(kind, _CHANGE)


def patient_of(form: Form, detail: _Detail) -> str:
    """`id^^^issuer` of whom an event tells, or empty."""
    identifier, _, issuer = form.patient(detail).partition(_ISSUER)
    return f"{identifier}{_ISSUER}{issuer}" if issuer else identifier

"""Which form an audit message has: the event, and who takes part in what role (PS3.15 A.5.3, IHE's transactions)."""

from dataclasses import dataclass
from enum import Enum, auto

from vna.audit import codes
from vna.audit.codes import Code
from vna.model.access import ActorKind
from vna.model.audit import AuditKind, AuditRecord
from vna.model.events import EventKind


class Parties(Enum):
    """How those who took part are arranged."""

    RECEIVING = auto()
    """Whoever asked is the source, and the requestor; we are the destination."""
    SENDING = auto()
    """We are the source; whoever asked is the destination, and the requestor."""
    OUTGOING = auto()
    """We are the source, and do it for whoever asked; the destination is elsewhere."""
    HANDLING = auto()
    """Whoever asked, and our process that did it."""
    STARTING = auto()
    """An application, and who started it."""
    REPORTING = auto()
    """Our process that reports, and who is reported."""


@dataclass(frozen=True, slots=True)
class Form:
    """An event's EventID, EventActionCode, arrangement and EventTypeCode: `kind` empty for a code of our own."""

    event: Code
    action: str
    parties: Parties = Parties.HANDLING
    kind: Code | None = None


def _transaction(number: str, event: Code, action: str, parties: Parties) -> tuple[str, Form]:
    return number, Form(event, action, parties, codes.TRANSACTIONS[number])


_ALERT = codes.SECURITY_ALERT
_REPORTING = Parties.REPORTING

TRANSACTIONS = dict(  # facts of the server's side, ITI TF-2 3.Y.5.1, RAD TF-2 4.Y.5.1
    (
        *(_transaction(one, codes.QUERY, "E", Parties.RECEIVING) for one in ("ITI-9", "ITI-18", "ITI-38", "ITI-45")),
        *(_transaction(one, codes.IMPORT, "C", Parties.RECEIVING) for one in ("ITI-41", "ITI-42", "ITI-61", "RAD-68")),
        *(_transaction(one, codes.EXPORT, "R", Parties.SENDING) for one in ("ITI-39", "ITI-43")),
        *(_transaction(one, codes.TRANSFERRED, "R", Parties.SENDING) for one in ("RAD-69", "RAD-75")),
        *(_transaction(one, codes.PATIENT_RECORD, "U", Parties.RECEIVING) for one in ("ITI-57", "ITI-92")),
        *(_transaction(one, codes.PATIENT_RECORD, "D", Parties.RECEIVING) for one in ("ITI-62", "ITI-86")),
        *(_transaction(one, codes.PATIENT_RECORD, "U", Parties.RECEIVING) for one in ("ITI-8", "ITI-30")),
    )
)

_SENT = Form(codes.TRANSFERRED, "R", Parties.SENDING)
SERVICES = {  # PS3.15 A.5.3.6, A.5.3.7, A.5.3.10
    "C-STORE": Form(codes.TRANSFERRED, "C", Parties.RECEIVING),
    "STOW-RS": Form(codes.TRANSFERRED, "C", Parties.RECEIVING),
    "C-GET": _SENT,
    "C-MOVE": Form(codes.TRANSFERRED, "R", Parties.OUTGOING),
    "WADO-RS": _SENT,
    "WADO-URI": _SENT,
}
"""Services of DICOM."""

_ACCESS_CREATE = Form(codes.ACCESSED, "C")
_ACCESS_UPDATE = Form(codes.ACCESSED, "U")
_ACCESS_DELETE = Form(codes.ACCESSED, "D")
_ACCOUNTS = Form(_ALERT, "E", _REPORTING, codes.USER_SECURITY)
_NETWORK = Form(_ALERT, "E", _REPORTING, codes.NETWORK_CONFIGURATION)

EVENTS: dict[str, Form] = {
    EventKind.INSTANCE_STORED: SERVICES["C-STORE"],
    EventKind.INSTANCE_REPLACED: Form(codes.TRANSFERRED, "U", Parties.RECEIVING),
    EventKind.INSTANCE_QUARANTINED: SERVICES["C-STORE"],
    EventKind.INSTANCE_DELETED: _ACCESS_DELETE,
    EventKind.INSTANCE_RESTORED: _ACCESS_CREATE,
    EventKind.INSTANCE_CORRECTED: _ACCESS_UPDATE,
    EventKind.INSTANCE_FORGOTTEN: _ACCESS_DELETE,
    EventKind.INSTANCE_REPAIRED: _ACCESS_UPDATE,
    EventKind.INSTANCE_PURGED: _ACCESS_DELETE,
    EventKind.INSTANCES_FORWARDED: Form(codes.TRANSFERRED, "R", Parties.OUTGOING),
    EventKind.CORRECTION_CHANGED: _ACCESS_UPDATE,
    EventKind.REJECTION_CHANGED: _ACCESS_UPDATE,
    EventKind.STUDY_REASSIGNED: _ACCESS_UPDATE,
    EventKind.HOLD_CHANGED: _ACCESS_UPDATE,
    EventKind.STUDY_KNOWN: _ACCESS_UPDATE,
    EventKind.COMMITMENT_CHANGED: Form(codes.ACCESSED, "R"),
    EventKind.AVAILABILITY_CHANGED: Form(codes.ACCESSED, "R"),
    EventKind.EXPORTED: Form(codes.EXPORT, "R", Parties.OUTGOING),
    EventKind.DOCUMENT_STORED: TRANSACTIONS["ITI-41"],
    EventKind.DOCUMENT_REGISTERED: TRANSACTIONS["ITI-42"],
    EventKind.DOCUMENT_UPDATED: TRANSACTIONS["ITI-57"],
    EventKind.DOCUMENT_REMOVED: TRANSACTIONS["ITI-62"],
    EventKind.DOCUMENT_DISCARDED: TRANSACTIONS["ITI-86"],
    EventKind.MANIFEST_PUBLISHED: Form(codes.EXPORT, "R", Parties.OUTGOING, codes.TRANSACTIONS["RAD-68"]),
    EventKind.PATIENT_REGISTERED: Form(codes.PATIENT_RECORD, "C", Parties.RECEIVING, codes.TRANSACTIONS["ITI-8"]),
    EventKind.PATIENT_UPDATED: TRANSACTIONS["ITI-8"],
    EventKind.PATIENT_MERGED: TRANSACTIONS["ITI-8"],
    EventKind.PATIENT_UNMERGED: Form(codes.PATIENT_RECORD, "U"),
    EventKind.PATIENT_LINKED: Form(codes.PATIENT_RECORD, "U"),
    EventKind.ORDER_CHANGED: Form(codes.ORDER_RECORD, "U", Parties.RECEIVING),
    EventKind.STEP_CHANGED: Form(codes.PROCEDURE_RECORD, "U", Parties.RECEIVING),
    EventKind.MATCH_CHANGED: Form(codes.PROCEDURE_RECORD, "U"),
    EventKind.REPORT_CHANGED: Form(codes.PATIENT_RECORD, "U"),
    EventKind.NOTIFICATION_CHANGED: Form(codes.EXPORT, "R", Parties.OUTGOING),
    EventKind.PREVIOUS_SEEN: Form(codes.QUERY, "E", Parties.RECEIVING),
    EventKind.LOOKED_UP: Form(codes.QUERY, "E", Parties.RECEIVING),
    EventKind.CODES_LOADED: Form(_ALERT, "E", _REPORTING, codes.SOFTWARE_CONFIGURATION),
    EventKind.ARCHIVE_NAMED: _NETWORK,
    EventKind.PEER_CHANGED: _NETWORK,
    EventKind.SOURCE_CHANGED: _NETWORK,
    EventKind.ACCOUNT_CHANGED: _ACCOUNTS,
    EventKind.PERMIT_CHANGED: Form(_ALERT, "E", _REPORTING, codes.OBJECT_SECURITY),
    EventKind.FACILITY_CHANGED: Form(_ALERT, "E", _REPORTING, codes.SECURITY_CONFIGURATION),
    EventKind.GLASS_BROKEN: Form(_ALERT, "E", _REPORTING, codes.EMERGENCY_OVERRIDE),
    EventKind.LINK_CHANGED: Form(_ALERT, "E", _REPORTING, codes.OBJECT_SECURITY),
    EventKind.LINK_OPENED: Form(codes.USER_AUTHENTICATION, "E", kind=codes.LOGIN),
}
"""What is told of by an event."""

NAMED: dict[str, Form] = {
    **TRANSACTIONS,
    **SERVICES,
    **EVENTS,
    "logout": Form(codes.USER_AUTHENTICATION, "E", kind=codes.LOGOUT),
    "stop": Form(codes.APPLICATION_ACTIVITY, "E", Parties.STARTING, codes.APPLICATION_STOP),
    "audit.read": Form(codes.AUDIT_LOG_USED, "R"),
    "audit.started": Form(_ALERT, "E", _REPORTING, codes.RECORDING_STARTED),
    "audit.stopped": Form(_ALERT, "E", _REPORTING, codes.RECORDING_STOPPED),
}
"""What is known by its name."""

KINDS: dict[AuditKind, Form] = {
    AuditKind.APPLICATION: Form(codes.APPLICATION_ACTIVITY, "E", Parties.STARTING, codes.APPLICATION_START),
    AuditKind.ACCESS: Form(codes.ACCESSED, "R"),
    AuditKind.TRANSFER: _SENT,
    AuditKind.DELETE: Form(codes.STUDY_DELETED, "D"),
    AuditKind.EXPORT: Form(codes.EXPORT, "R", Parties.OUTGOING),
    AuditKind.IMPORT: Form(codes.IMPORT, "C", Parties.RECEIVING),
    AuditKind.QUERY: Form(codes.QUERY, "E", Parties.RECEIVING),
    AuditKind.LOGIN: Form(codes.USER_AUTHENTICATION, "E", kind=codes.LOGIN),
    AuditKind.SECURITY: Form(_ALERT, "E", _REPORTING, codes.SECURITY_CONFIGURATION),
    AuditKind.REFUSAL: Form(_ALERT, "E", _REPORTING, codes.RESTRICTED_FUNCTION),
    AuditKind.CHANGE: _ACCESS_UPDATE,
    AuditKind.DATABASE: Form(_ALERT, "E", _REPORTING, codes.RESTRICTED_FUNCTION),
}
"""All others, by class."""

_ALWAYS = frozenset({AuditKind.REFUSAL, AuditKind.DATABASE})
"""What has the form of its class, whatever was asked for."""
_MACHINES = frozenset({ActorKind.AE, ActorKind.SOURCE})


def form_of(record: AuditRecord) -> Form:
    """The form that a record's message has."""
    if record.kind in _ALWAYS:
        return KINDS[record.kind]
    if (named := NAMED.get(record.what)) is not None:
        return named
    if record.kind is AuditKind.ACCESS and record.actor.kind in _MACHINES:
        return _SENT  # between application entities it is a transfer (PS3.15 A.5.3.7)
    if record.kind is AuditKind.CHANGE and not (record.study_instance_uid or record.patient):
        return KINDS[AuditKind.SECURITY]
    return KINDS[record.kind]

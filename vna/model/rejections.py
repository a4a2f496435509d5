"""Rejection notes: Key Object Selection documents that say that instances are not to be used
(PS3.16 CID 7010; RAD TF-3 4.66)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

MEANINGS: Mapping[str, str] = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}
"""Document titles of rejection notes, coding scheme DCM."""

QUALITY, PATIENT_SAFETY, WRONG_WORKLIST_ENTRY, EXPIRED = MEANINGS

HIDDEN = "rejected: "
"""How the reason begins for which an instance that a note rejects is hidden."""


class Showing(StrEnum):
    """What becomes of what a note rejects, and of the note itself (RAD TF-3 4.66.4)."""

    HIDE = "hide"
    SHOW_NOTE = "show-note"
    SHOW = "show"


class NoteState(StrEnum):
    """Whether a note holds."""

    STANDING = "standing"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A note as it is known: what it says of how many instances; `facility` is whose it may name, empty for
    everybody's."""

    note: str
    code: str
    facility: str
    source_ae: str
    actor: str
    state: NoteState
    made_at: str
    changed_at: str = ""
    changed_by: str = ""
    reason: str = ""
    named: int = 0


def reason_of(code: str, note: str) -> str:
    """Why an instance is hidden, as it is kept with it."""
    return f"{HIDDEN}{code} by {note}"

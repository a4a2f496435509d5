"""Rejection notes, links of patients, corrections and moves: from settings to use cases."""

from collections.abc import Mapping

from storage.index.engine import Connection
from vna.archive import correcting, rejecting
from vna.archive.reindex import Replay
from vna.archive.rejection import RejectionRules
from vna.identity import people
from vna.model.events import EventKind
from vna.model.rejections import EXPIRED, PATIENT_SAFETY, QUALITY, WRONG_WORKLIST_ENTRY, Showing
from vna.settings import Settings

REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.REJECTION_CHANGED: rejecting.replay,
    EventKind.CORRECTION_CHANGED: correcting.replay,
    EventKind.PATIENT_UNMERGED: people.replay,
    EventKind.PATIENT_LINKED: people.replay,
}
"""What a reindex does again."""


def after_reindex(connection: Connection) -> None:
    """What a rebuilt index has to find out again."""
    rejecting.after_reindex(connection)
    correcting.after_reindex(connection)


def rejection_rules(settings: Settings) -> RejectionRules:
    """What a site does with rejection notes."""
    iocm = settings.iocm
    showing = {
        QUALITY: iocm.quality,
        PATIENT_SAFETY: iocm.patient_safety,
        WRONG_WORKLIST_ENTRY: iocm.worklist_entry,
        EXPIRED: iocm.expired,
    }
    return RejectionRules({code: Showing(word) for code, word in showing.items()}, refuses=iocm.again == "refuse")

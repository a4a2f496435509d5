"""Rejection notes, links of patients, corrections and moves: from settings to use cases."""

from collections.abc import Mapping

from vna.archive import rejecting
from vna.archive.reindex import Replay
from vna.archive.rejection import RejectionRules
from vna.model.events import EventKind
from vna.model.rejections import EXPIRED, PATIENT_SAFETY, QUALITY, WRONG_WORKLIST_ENTRY, Showing
from vna.settings import Settings

REPLAYS: Mapping[EventKind, Replay] = {EventKind.REJECTION_CHANGED: rejecting.replay}
"""What a reindex does again."""


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

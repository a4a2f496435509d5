"""In which form and transfer syntax whole instances are given (PS3.18 8.7.3.5, Table 8.7.3-2).

Without a transfer-syntax parameter application/dicom means Explicit VR Little Endian, which what is kept with a loss or
cannot be decoded is exempt from; `transfer-syntax=*` and `*/*` mean: as it is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dicomweb.media_types import DICOM, NOT_FOR_THE_WEB, Offer, choose
from vna.mime.media_type import MediaType
from vna.model.transfer_syntaxes import (
    EXPLICIT_LE,
    TRANSFER_SYNTAXES,
    can_transcode,
    can_transcode_lossily,
)

ZIP = "application/zip"
_UNNAMED = "default"


@dataclass(frozen=True, slots=True)
class Form:
    """The offer that was chosen, and how each instance becomes it: `target` names a transfer syntax, "" none."""

    offer: Offer
    target: str = ""
    lenient: bool = False

    def target_of(self, stored: str) -> str:
        """The transfer syntax to make of an instance kept in `stored`, "" to leave it."""
        if self.lenient and not _is_exact(stored):
            return ""
        return self.target if self.target != stored else ""


def choose_form(ranges: Sequence[MediaType], stored: frozenset[str], *, alone: bool) -> Form:
    """What the caller likes best of what can be made of instances kept in these syntaxes.

    NotAcceptable where it takes nothing of it.
    """
    forms = {form.offer: form for form in reversed(_forms(_named(ranges), stored, alone=alone))}

    def by_name() -> list[Offer]:
        return [form.offer for form in _forms(list(TRANSFER_SYNTAXES), stored, alone=alone)]

    return forms[choose(ranges, list(reversed(forms)), by_name)]


def _named(ranges: Sequence[MediaType]) -> list[str]:
    named = dict.fromkeys(media.parameters.get("transfer-syntax", "") for media in ranges)
    return [uid for uid in named if uid in TRANSFER_SYNTAXES]


def _forms(named: Sequence[str], stored: frozenset[str], *, alone: bool) -> list[Form]:
    kept = stored if len(stored) == 1 else frozenset({"*"})
    possible = [
        uid
        for uid in dict.fromkeys((*named, EXPLICIT_LE))
        if uid not in NOT_FOR_THE_WEB and all(can_transcode_lossily(one, uid) for one in stored)
    ]
    forms = []
    for multipart in (True, False) if alone else (True,):
        forms += [
            Form(Offer(DICOM, multipart, kept, unasked=False)),
            Form(Offer(DICOM, multipart, frozenset({_UNNAMED})), EXPLICIT_LE, lenient=True),
            *(Form(Offer(DICOM, multipart, frozenset({uid}), unasked=False), uid) for uid in possible),
        ]
    return [
        *forms,
        Form(Offer(ZIP, syntaxes=kept)),
        *(Form(Offer(ZIP, syntaxes=frozenset({uid}), unasked=False), uid) for uid in possible),
    ]


def _is_exact(uid: str) -> bool:
    """Whether Explicit VR Little Endian says the same, and can be made."""
    return not TRANSFER_SYNTAXES[uid].lossy and can_transcode(uid, EXPLICIT_LE)

"""Presentation contexts for C-GET: room for 127 besides the request's own (PS3.8 9.3.2.2, PS3.7 D.3.3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydicom._uid_dict import UID_dictionary

from dimse.client.peer import Offer
from dimse.upper_layer.negotiation import MOST_CONTEXTS
from dimse.upper_layer.request import ProposedContext, ProposedRole
from vna.model.sop_classes import STORAGE_CLASSES
from vna.model.transfer_syntaxes import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    STORAGE_TRANSFER_SYNTAXES,
    TRANSFER_SYNTAXES,
)

_NATIVE: Final = (EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE)
_VIDEO: Final = "1.2.840.10008.1.2.4.10"
_COMPRESSED: Final = tuple(
    uid
    for uid in STORAGE_TRANSFER_SYNTAXES
    if uid not in _NATIVE and (TRANSFER_SYNTAXES[uid].can_decode or uid.startswith(_VIDEO))
)
_ROOM: Final = MOST_CONTEXTS - 1
_UNNAMED: Final = 100
"""What acceptors built on dcmtk read of a request has a bound: with more classes they do not answer it."""

_RARE: Final = (
    "Trial",
    "Waveform",
    "Ophthalmic",
    "Intraocular",
    "Lensometry",
    "Autorefraction",
    "Keratometry",
    "Corneal",
)


def retrieving(model: str, sop_class_uids: Sequence[str]) -> Offer:
    """For a C-GET of these SOP Classes; of the more common ones where none are named.

    An acceptor picks one transfer syntax of each context, so each class gets as many contexts as there is room for:
    with few of them one a syntax, so that what is compressed can come as it is.
    """
    classes = tuple(dict.fromkeys(sop_class_uids))[:_ROOM] or COMMON
    each = next(one for one in _GROUPINGS if len(one) * len(classes) <= _ROOM)
    contexts = (
        ProposedContext(model, (IMPLICIT_LE,)),
        *(ProposedContext(uid, syntaxes) for uid in classes for syntaxes in each),
    )
    return Offer(contexts, tuple(ProposedRole(uid, as_scu=False, as_scp=True) for uid in classes))


_GROUPINGS: Final[tuple[tuple[tuple[str, ...], ...], ...]] = (
    tuple((uid,) for uid in (*_NATIVE, *_COMPRESSED)),
    (_NATIVE, _COMPRESSED),
    ((*_NATIVE, *_COMPRESSED),),
)


def _common() -> tuple[str, ...]:
    """Current classes before retired ones, those of general radiology before those of other fields."""

    def rank(uid: str) -> tuple[bool, bool, int, str]:
        entry = UID_dictionary.get(uid)
        name, retired = (entry[0], bool(entry[3])) if entry else ("", False)
        return retired, any(word in name for word in _RARE), len(uid), uid

    return tuple(sorted(STORAGE_CLASSES, key=rank)[:_UNNAMED])


COMMON: Final = _common()

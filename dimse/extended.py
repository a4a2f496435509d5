"""Extended negotiation of C-FIND (PS3.4 C.5.1.1): what a peer may ask of matching, and what was agreed on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dimse.models import FIND_CLASSES

_SUPPORTED: Final = bytes([1, 1, 1, 0, 0, 1, 1])
"""Relational queries, combined date-time, fuzzy names; no timezone adjustment, no enhanced multi-frame conversion;
empty value and multiple value matching (PS3.4 Table C.5-2)."""


_OF_WORKLIST: Final = bytes([1, 1, 1, 0])


@dataclass(frozen=True, slots=True)
class FindOptions:
    """What was agreed on for one SOP Class of one association; without negotiation, nothing."""

    relational: bool = False
    combined_datetime: bool = False
    fuzzy: bool = False
    empty_value_matching: bool = False
    multiple_value_matching: bool = False


def answer_extended(sop_class_uid: str, asked: bytes) -> bytes | None:
    """What we answer as acceptor: of what is asked, what we support, byte for byte; None for other SOP Classes."""
    if sop_class_uid not in FIND_CLASSES or not asked:
        return None
    return bytes(wanted & offered for wanted, offered in zip(asked, _SUPPORTED, strict=False))


def answer_find(asked: bytes) -> bytes | None:
    """`answer_extended` for a C-FIND SOP Class, as the upper layer's profile wants it."""
    return answer_extended(FIND_CLASSES[0], asked)


def answer_worklist(asked: bytes) -> bytes:
    """The same for the Modality Worklist: two bytes that are reserved, fuzzy names, no timezone adjustment (PS3.4
    K.5)."""
    return bytes(wanted & offered for wanted, offered in zip(asked, _OF_WORKLIST, strict=False))


def negotiated(assoc: Any, sop_class_uid: str) -> FindOptions:
    """What was agreed on. Our upper layer keeps it in `extended_answers`; pynetdicom's in the acceptor's items."""
    answers: Mapping[Any, bytes | None] = getattr(assoc, "extended_answers", None) or assoc.acceptor.sop_class_extended
    agreed = next((answer for uid, answer in answers.items() if str(uid) == sop_class_uid), None) or b""
    flags = [byte == 1 for byte in agreed.ljust(len(_SUPPORTED), b"\0")]
    return FindOptions(flags[0], flags[1], flags[2], flags[5], flags[6])

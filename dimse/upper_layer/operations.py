"""Which operation a presentation context is for, and the answer to a request for any other (PS3.7 9, 10, annex C.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dimse.models import (
    MODALITY_WORKLIST,
    MODELS,
    PERFORMED_STEP,
    PERFORMED_STEP_RETRIEVE,
    STORAGE_COMMITMENT,
)
from dimse.upper_layer.command import (
    AFFECTED_SOP_CLASS_UID,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    ERROR_COMMENT,
    LONGEST_ECHOED_UID,
    MESSAGE_ID,
    MESSAGE_ID_BEING_RESPONDED_TO,
    NO_DATA_SET,
    REQUESTED_SOP_CLASS_UID,
    STATUS,
    encode_command,
    number,
    text,
)
from dimse.upper_layer.stream import INVALID_PARAMETER, ProtocolError
from vna.model.sop_classes import VERIFICATION

C_CANCEL_RQ: Final = 0x0FFF
RESPONSE: Final = 0x8000
UNRECOGNIZED_OPERATION: Final = 0x0211

REQUESTS: Final[Mapping[int, str]] = {  # PS3.7 Table E.1-1
    0x0001: "C-STORE",
    0x0010: "C-GET",
    0x0020: "C-FIND",
    0x0021: "C-MOVE",
    0x0030: "C-ECHO",
    0x0100: "N-EVENT-REPORT",
    0x0110: "N-GET",
    0x0120: "N-SET",
    0x0130: "N-ACTION",
    0x0140: "N-CREATE",
    0x0150: "N-DELETE",
}
"""By Command Field; C-CANCEL has no response."""

_OF_MODELS: Final = {"1": 0x0020, "2": 0x0021, "3": 0x0010}
OFFERED: Final[Mapping[str, frozenset[int]]] = {
    VERIFICATION: frozenset({0x0030}),
    **{uid: frozenset({_OF_MODELS[uid[-1]]}) for uid in MODELS},
    MODALITY_WORKLIST: frozenset({0x0020}),
    PERFORMED_STEP: frozenset({0x0140, 0x0120}),
    PERFORMED_STEP_RETRIEVE: frozenset({0x0110}),
    STORAGE_COMMITMENT: frozenset({0x0130, 0x0100}),
}
"""The requests that are served in a context of this abstract syntax; those that are not here are for storing."""


def is_unexpected(field: int, abstract_syntax: str) -> bool:
    """Whether a request has no place in a context; C-STORE is refused by the lean path, in words of its own."""
    return field in REQUESTS and REQUESTS[field] != "C-STORE" and field not in OFFERED.get(abstract_syntax, ())


def encode_unrecognized(elements: Mapping[int, bytes], field: int) -> bytes:
    """The response to a request that its context does not offer; without a Message ID it is a ProtocolError."""
    message_id = number(elements, MESSAGE_ID)
    if message_id is None:
        raise ProtocolError(INVALID_PARAMETER, "request without a Message ID")
    sop_class = text(elements, AFFECTED_SOP_CLASS_UID) or text(elements, REQUESTED_SOP_CLASS_UID)
    return encode_command(
        {
            AFFECTED_SOP_CLASS_UID: sop_class[:LONGEST_ECHOED_UID],
            COMMAND_FIELD: field | RESPONSE,
            MESSAGE_ID_BEING_RESPONDED_TO: message_id,
            COMMAND_DATA_SET_TYPE: NO_DATA_SET,
            STATUS: UNRECOGNIZED_OPERATION,
            ERROR_COMMENT: f"{REQUESTS[field]} is not offered in this context",
        }
    )

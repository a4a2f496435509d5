"""Presentation contexts and roles of an A-ASSOCIATE-AC, put into what pynetdicom encodes (PS3.8 9.3.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pynetdicom.presentation import PresentationContext

from dimse.upper_layer.associate_items import (
    A_ASSOCIATE_AC,
    CONTEXT_RESULT,
    FIXED_PART,
    LENGTH,
    ROLE_SELECTION,
    TRANSFER_SYNTAX,
    USER_INFORMATION,
    encode_item,
    items,
)
from dimse.upper_layer.stream import PDU_HEADER


def complete_accept(
    encoded: bytes, contexts: Iterable[PresentationContext], roles: Mapping[str, tuple[bool, bool]]
) -> bytes:
    """An A-ASSOCIATE-AC that was encoded without any, with its contexts and roles."""
    body = bytearray(encoded[6:FIXED_PART])
    results = b"".join(encode_result(context) for context in contexts)
    answers = b"".join(encode_role(uid, role) for uid, role in roles.items())
    for item_type, value, whole in items(memoryview(encoded)[FIXED_PART:]):
        if item_type == USER_INFORMATION:
            body += results + encode_item(USER_INFORMATION, bytes(value) + answers)
        else:
            body += whole
    return PDU_HEADER.pack(A_ASSOCIATE_AC, len(body)) + bytes(body)


def encode_result(context: PresentationContext) -> bytes:
    """A presentation context item (PS3.8 Table 9-18)."""
    syntax = encode_item(TRANSFER_SYNTAX, context.transfer_syntax[0].encode("ascii", "replace"))
    return encode_item(CONTEXT_RESULT, bytes((context.context_id or 0, 0, context.result or 0, 0)) + syntax)


def encode_role(sop_class_uid: str, role: tuple[bool, bool]) -> bytes:
    """An SCP/SCU role selection sub-item (PS3.7 Table D.3-10)."""
    uid = sop_class_uid.encode("ascii", "replace")
    return encode_item(ROLE_SELECTION, LENGTH.pack(len(uid)) + uid + bytes(role))

"""The items that A-ASSOCIATE PDUs are made of (PS3.8 9.3.2, 9.3.3, annex D; PS3.7 D.3.3)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from dimse.upper_layer.stream import INVALID_PARAMETER, ProtocolError

ITEM: Final = struct.Struct(">BxH")
LENGTH: Final = struct.Struct(">H")
FIXED_PART: Final = 74
"""From the PDU's first byte to its first item."""

A_ASSOCIATE_RQ: Final = 0x01
A_ASSOCIATE_AC: Final = 0x02

APPLICATION_CONTEXT: Final = 0x10
PROPOSED_CONTEXT: Final = 0x20
CONTEXT_RESULT: Final = 0x21
ABSTRACT_SYNTAX: Final = 0x30
TRANSFER_SYNTAX: Final = 0x40
USER_INFORMATION: Final = 0x50
MAXIMUM_LENGTH: Final = 0x51
IMPLEMENTATION_CLASS_UID: Final = 0x52
ROLE_SELECTION: Final = 0x54
IMPLEMENTATION_VERSION_NAME: Final = 0x55
EXTENDED_NEGOTIATION: Final = 0x56
USER_IDENTITY: Final = 0x58


def items(encoded: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Type, value and whole of each item."""
    position = 0
    while position < len(encoded):
        if len(encoded) - position < 4:
            raise ProtocolError(INVALID_PARAMETER, "A-ASSOCIATE item cut short")
        item_type, length = ITEM.unpack_from(encoded, position)
        end = position + 4 + length
        if end > len(encoded):
            raise ProtocolError(INVALID_PARAMETER, "A-ASSOCIATE item longer than its PDU")
        yield item_type, encoded[position + 4 : end], encoded[position:end]
        position = end


def encode_item(item_type: int, value: bytes) -> bytes:
    return ITEM.pack(item_type, len(value)) + value


def decode_uid(value: memoryview) -> str:
    return str(value, "ascii", "replace").strip("\0 ")


def decode_sized(value: memoryview) -> tuple[memoryview, memoryview]:
    """A field behind its length in two bytes, and what follows it."""
    if len(value) < 2 or (length := LENGTH.unpack_from(value)[0]) > len(value) - 2:
        raise ProtocolError(INVALID_PARAMETER, "A-ASSOCIATE field longer than its item")
    return value[2 : 2 + length], value[2 + length :]

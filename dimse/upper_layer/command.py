"""The command set of C-STORE, decoded and encoded without pydicom (PS3.7 6.3.1, 9.3.1, annex E)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from dimse.upper_layer.handlers import StoreAnswer, StoreCommand
from dimse.upper_layer.stream import INVALID_PARAMETER, ProtocolError

ELEMENT: Final = struct.Struct("<HHL")
US: Final = struct.Struct("<H")
UL: Final = struct.Struct("<L")

# Element numbers in group 0000 (PS3.7 E.1)
GROUP_LENGTH: Final = 0x0000
AFFECTED_SOP_CLASS_UID: Final = 0x0002
REQUESTED_SOP_CLASS_UID: Final = 0x0003
COMMAND_FIELD: Final = 0x0100
MESSAGE_ID: Final = 0x0110
MESSAGE_ID_BEING_RESPONDED_TO: Final = 0x0120
PRIORITY: Final = 0x0700
COMMAND_DATA_SET_TYPE: Final = 0x0800
STATUS: Final = 0x0900
ERROR_COMMENT: Final = 0x0902
AFFECTED_SOP_INSTANCE_UID: Final = 0x1000
MOVE_ORIGINATOR_AE: Final = 0x1030
MOVE_ORIGINATOR_MESSAGE_ID: Final = 0x1031

C_STORE_RQ: Final = 0x0001
C_STORE_RSP: Final = 0x8001
NO_DATA_SET: Final = 0x0101
WITH_DATA_SET: Final = 0x0000

LONGEST_ECHOED_UID: Final = 128


def decode_command(encoded: bytes | bytearray) -> dict[int, bytes]:
    """Values by element number, in Implicit VR Little Endian; anything but group 0000 is a ProtocolError."""
    elements: dict[int, bytes] = {}
    position, end = 0, len(encoded)
    while position < end:
        if end - position < 8:
            raise ProtocolError(INVALID_PARAMETER, "command set ends within an element")
        group, element, length = ELEMENT.unpack_from(encoded, position)
        position += 8
        if group != 0 or length > end - position:
            raise ProtocolError(INVALID_PARAMETER, "command set that cannot be read")
        elements[element] = bytes(encoded[position : position + length])
        position += length
    return elements


def number(elements: Mapping[int, bytes], element: int) -> int | None:
    value = elements.get(element)
    if value is None or len(value) != 2:
        return None
    return int.from_bytes(value, "little")


def text(elements: Mapping[int, bytes], element: int) -> str:
    return elements.get(element, b"").decode("ascii", "replace").strip("\0 ")


def store_command(
    elements: Mapping[int, bytes], context_id: int, abstract_syntax: str, transfer_syntax: str
) -> StoreCommand:
    """The C-STORE-RQ in a command set; without a Message ID there is nothing to answer, so that is a ProtocolError."""
    message_id = number(elements, MESSAGE_ID)
    if message_id is None:
        raise ProtocolError(INVALID_PARAMETER, "C-STORE-RQ without a Message ID")
    return StoreCommand(
        message_id=message_id,
        context_id=context_id,
        sop_class_uid=text(elements, AFFECTED_SOP_CLASS_UID),
        sop_instance_uid=text(elements, AFFECTED_SOP_INSTANCE_UID),
        priority=number(elements, PRIORITY) or 0,
        transfer_syntax_uid=transfer_syntax,
        abstract_syntax_uid=abstract_syntax,
        move_originator_ae=text(elements, MOVE_ORIGINATOR_AE),
        move_originator_message_id=number(elements, MOVE_ORIGINATOR_MESSAGE_ID),
    )


def encode_command(values: Mapping[int, int | str]) -> bytes:
    """A command set of unsigned shorts and strings, with its group length; element numbers must ascend."""
    body = bytearray()
    for element, value in values.items():
        encoded = US.pack(value) if isinstance(value, int) else padded(element, value)
        body += ELEMENT.pack(0, element, len(encoded)) + encoded
    return ELEMENT.pack(0, GROUP_LENGTH, 4) + UL.pack(len(body)) + body


def padded(element: int, value: str) -> bytes:
    encoded = value.encode("ascii", "replace")
    if len(encoded) % 2 == 0:
        return encoded
    is_uid = element in (AFFECTED_SOP_CLASS_UID, AFFECTED_SOP_INSTANCE_UID)
    return encoded + (b"\0" if is_uid else b" ")


def encode_store_response(command: StoreCommand, answer: StoreAnswer) -> bytes:
    """The command set of a C-STORE-RSP (PS3.7 9.3.1.2)."""
    values: dict[int, int | str] = {
        AFFECTED_SOP_CLASS_UID: command.sop_class_uid[:LONGEST_ECHOED_UID],
        COMMAND_FIELD: C_STORE_RSP,
        MESSAGE_ID_BEING_RESPONDED_TO: command.message_id,
        COMMAND_DATA_SET_TYPE: NO_DATA_SET,
        STATUS: answer.status & 0xFFFF,
    }
    if answer.error_comment:
        values[ERROR_COMMENT] = answer.error_comment.replace("\\", "/")[:64]
    values[AFFECTED_SOP_INSTANCE_UID] = command.sop_instance_uid[:LONGEST_ECHOED_UID]
    return encode_command(values)


def encode_store_request(command: StoreCommand) -> bytes:
    """The command set of a C-STORE-RQ (PS3.7 9.3.1.1)."""
    values: dict[int, int | str] = {
        AFFECTED_SOP_CLASS_UID: command.sop_class_uid,
        COMMAND_FIELD: C_STORE_RQ,
        MESSAGE_ID: command.message_id,
        PRIORITY: command.priority,
        COMMAND_DATA_SET_TYPE: WITH_DATA_SET,
        AFFECTED_SOP_INSTANCE_UID: command.sop_instance_uid,
    }
    if command.move_originator_ae:
        values[MOVE_ORIGINATOR_AE] = command.move_originator_ae
    if command.move_originator_message_id is not None:
        values[MOVE_ORIGINATOR_MESSAGE_ID] = command.move_originator_message_id
    return encode_command(values)

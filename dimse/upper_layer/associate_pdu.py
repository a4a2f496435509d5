"""A-ASSOCIATE PDUs with contexts and roles coded here, the rest by pynetdicom (PS3.8 9.3.2, 9.3.3; PS3.7 D.3.3.4).

pynetdicom spends 30 ms on the 120 contexts of an ordinary storescu, and as much again on the roles of a getscu, most of
it on validating UIDs that are then only compared.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext

from dimse.upper_layer.negotiation import MOST_CONTEXTS, Proposal
from dimse.upper_layer.stream import INVALID_PARAMETER, PDU_HEADER, ProtocolError

ITEM: Final = struct.Struct(">BxH")
LENGTH: Final = struct.Struct(">H")
FIXED_PART: Final = 74
PROPOSED_CONTEXT: Final = 0x20
CONTEXT_RESULT: Final = 0x21
ABSTRACT_SYNTAX: Final = 0x30
TRANSFER_SYNTAX: Final = 0x40
USER_INFORMATION: Final = 0x50
ROLE_SELECTION: Final = 0x54

A_ASSOCIATE_RQ_TYPE: Final = 0x01
A_ASSOCIATE_AC_TYPE: Final = 0x02


class AssociateIndication(A_ASSOCIATE):
    """An A-ASSOCIATE indication whose presentation contexts and roles are here and not in pynetdicom's lists."""

    proposals: tuple[Proposal, ...]
    roles: Mapping[str, tuple[bool, bool]]


class LeanAssociateRequest(A_ASSOCIATE_RQ):
    """Decoded like its parent, but for what an AssociateIndication has of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.proposals: tuple[Proposal, ...] = ()
        self.roles: dict[str, tuple[bool, bool]] = {}

    def decode(self, bytestream: bytes) -> None:
        if len(bytestream) < FIXED_PART:
            raise ProtocolError(INVALID_PARAMETER, "A-ASSOCIATE-RQ too short")
        others = bytearray()
        proposals: list[Proposal] = []
        for item_type, value, whole in items(memoryview(bytestream)[FIXED_PART:]):
            if item_type == PROPOSED_CONTEXT:
                proposals.append(decode_proposal(value))
            elif item_type == USER_INFORMATION:
                others += self._take_roles(value)
            else:
                others += whole
        ids = {proposal.context_id for proposal in proposals}
        if len(ids) != len(proposals) or len(proposals) > MOST_CONTEXTS:
            raise ProtocolError(INVALID_PARAMETER, "presentation contexts not distinct")
        self.proposals = tuple(proposals)
        header = PDU_HEADER.pack(A_ASSOCIATE_RQ_TYPE, FIXED_PART - 6 + len(others))
        super().decode(header + bytestream[6:FIXED_PART] + bytes(others))

    def _take_roles(self, user_information: memoryview) -> bytes:
        """The user information item without its role selections."""
        others = bytearray()
        for item_type, value, whole in items(user_information):
            if item_type == ROLE_SELECTION:
                self.roles.update([decode_role(value)])
            else:
                others += whole
        return encode_item(USER_INFORMATION, bytes(others))

    def to_primitive(self) -> AssociateIndication:
        primitive = super().to_primitive()
        primitive.__class__ = AssociateIndication
        assert isinstance(primitive, AssociateIndication)
        primitive.proposals, primitive.roles = self.proposals, self.roles
        return primitive


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


def decode_proposal(value: memoryview) -> Proposal:
    """A presentation context item (PS3.8 Table 9-13)."""
    if len(value) < 4 or value[0] % 2 == 0:
        raise ProtocolError(INVALID_PARAMETER, "presentation context without an odd ID")
    abstract_syntax = ""
    transfer_syntaxes: list[str] = []
    for item_type, name, _ in items(value[4:]):
        if item_type == ABSTRACT_SYNTAX:
            abstract_syntax = decode_uid(name)
        elif item_type == TRANSFER_SYNTAX:
            transfer_syntaxes.append(decode_uid(name))
    return Proposal(value[0], abstract_syntax, tuple(transfer_syntaxes))


def decode_role(value: memoryview) -> tuple[str, tuple[bool, bool]]:
    """An SCP/SCU role selection sub-item (PS3.7 Table D.3-9): SOP Class UID, and whether SCU and SCP."""
    if len(value) < 4 or LENGTH.unpack_from(value)[0] != len(value) - 4:
        raise ProtocolError(INVALID_PARAMETER, "role selection that cannot be read")
    return decode_uid(value[2:-2]), (bool(value[-2]), bool(value[-1]))


def encode_result(context: PresentationContext) -> bytes:
    """A presentation context item of an A-ASSOCIATE-AC (PS3.8 Table 9-18)."""
    syntax = encode_item(TRANSFER_SYNTAX, context.transfer_syntax[0].encode("ascii", "replace"))
    return encode_item(CONTEXT_RESULT, bytes((context.context_id or 0, 0, context.result or 0, 0)) + syntax)


def encode_role(sop_class_uid: str, role: tuple[bool, bool]) -> bytes:
    uid = sop_class_uid.encode("ascii", "replace")
    return encode_item(ROLE_SELECTION, LENGTH.pack(len(uid)) + uid + bytes(role))


def complete_accept(
    encoded: bytes, contexts: Iterable[PresentationContext], roles: Mapping[str, tuple[bool, bool]]
) -> bytes:
    """An A-ASSOCIATE-AC that pynetdicom encoded without any, with its contexts and roles put in."""
    body = bytearray(encoded[6:FIXED_PART])
    results = b"".join(encode_result(context) for context in contexts)
    answers = b"".join(encode_role(uid, role) for uid, role in roles.items())
    for item_type, value, whole in items(memoryview(encoded)[FIXED_PART:]):
        if item_type == USER_INFORMATION:
            body += results + encode_item(USER_INFORMATION, bytes(value) + answers)
        else:
            body += whole
    return PDU_HEADER.pack(A_ASSOCIATE_AC_TYPE, len(body)) + bytes(body)

"""A-ASSOCIATE-RQ with its presentation contexts decoded here, the rest by pynetdicom (PS3.8 9.3.2).

pynetdicom spends 25 ms on the 120 contexts of an ordinary storescu, most of it on validating UIDs that are then only
compared.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE

from dimse.upper_layer.negotiation import MOST_CONTEXTS, Proposal
from dimse.upper_layer.stream import INVALID_PARAMETER, PDU_HEADER, ProtocolError

ITEM: Final = struct.Struct(">BxH")
FIXED_PART: Final = 74
PRESENTATION_CONTEXT: Final = 0x20
ABSTRACT_SYNTAX: Final = 0x30
TRANSFER_SYNTAX: Final = 0x40


class LeanAssociateRequest(A_ASSOCIATE_RQ):
    """Decoded like its parent, but for `proposals`, which its primitive carries on."""

    def __init__(self) -> None:
        super().__init__()
        self.proposals: tuple[Proposal, ...] = ()

    def decode(self, bytestream: bytes) -> None:
        if len(bytestream) < FIXED_PART:
            raise ProtocolError(INVALID_PARAMETER, "A-ASSOCIATE-RQ too short")
        others = bytearray()
        proposals: list[Proposal] = []
        for item_type, value, whole in items(memoryview(bytestream)[FIXED_PART:]):
            if item_type == PRESENTATION_CONTEXT:
                proposals.append(decode_proposal(value))
            else:
                others += whole
        ids = {proposal.context_id for proposal in proposals}
        if len(ids) != len(proposals) or len(proposals) > MOST_CONTEXTS:
            raise ProtocolError(INVALID_PARAMETER, "presentation contexts not distinct")
        self.proposals = tuple(proposals)
        header = PDU_HEADER.pack(0x01, FIXED_PART - 6 + len(others))
        super().decode(header + bytestream[6:FIXED_PART] + bytes(others))

    def to_primitive(self) -> AssociateIndication:
        primitive = super().to_primitive()
        primitive.__class__ = AssociateIndication
        assert isinstance(primitive, AssociateIndication)
        primitive.proposals = self.proposals
        return primitive


class AssociateIndication(A_ASSOCIATE):
    """An A-ASSOCIATE indication whose presentation contexts are in `proposals` instead of the definition list."""

    proposals: tuple[Proposal, ...]


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


def decode_proposal(value: memoryview) -> Proposal:
    """A presentation context item (PS3.8 Table 9-13)."""
    if len(value) < 4 or value[0] % 2 == 0:
        raise ProtocolError(INVALID_PARAMETER, "presentation context without an odd ID")
    abstract_syntax = ""
    transfer_syntaxes: list[str] = []
    for item_type, name, _ in items(value[4:]):
        uid = str(name, "ascii", "replace").strip("\0 ")
        if item_type == ABSTRACT_SYNTAX:
            abstract_syntax = uid
        elif item_type == TRANSFER_SYNTAX:
            transfer_syntaxes.append(uid)
    return Proposal(value[0], abstract_syntax, tuple(transfer_syntaxes))

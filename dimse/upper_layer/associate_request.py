"""A-ASSOCIATE-RQ: contexts and roles decoded here, the rest put right and then decoded by pynetdicom (PS3.8 9.3.2).

pynetdicom spends 30 ms on the 120 contexts of an ordinary storescu, and as much again on the roles of a getscu, most of
it on validating UIDs that are then only compared. It also gives up a request for slips that old equipment makes in
fields which decide nothing: AE titles filled with zeros, an overlong version name, no implementation class UID.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pynetdicom import pdu
from pynetdicom.pdu_primitives import A_ASSOCIATE

from dimse.upper_layer.associate_items import (
    A_ASSOCIATE_RQ,
    ABSTRACT_SYNTAX,
    APPLICATION_CONTEXT,
    EXTENDED_NEGOTIATION,
    FIXED_PART,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    MAXIMUM_LENGTH,
    PROPOSED_CONTEXT,
    ROLE_SELECTION,
    TRANSFER_SYNTAX,
    USER_IDENTITY,
    USER_INFORMATION,
    decode_sized,
    decode_uid,
    encode_item,
    items,
)
from dimse.upper_layer.negotiation import MOST_CONTEXTS, Proposal
from dimse.upper_layer.stream import INVALID_PARAMETER, PDU_HEADER, ProtocolError

PROTOCOL_VERSION, CALLED_AE, CALLING_AE = slice(6, 8), slice(10, 26), slice(26, 42)
"""Of the version bit 0 alone is looked at: a peer may speak later ones as well (PS3.8 Table 9-11)."""

UNPRINTABLE: Final = re.compile(rb"[^ -\[\]-~]")
"""Control characters, the backslash and what is not ASCII: not in the repertoire of AE (PS3.5 6.2)."""

WELL_FORMED_UID: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")

USUAL_MAXIMUM_LENGTH: Final = encode_item(MAXIMUM_LENGTH, (16384).to_bytes(4, "big"))
UNSTATED_IMPLEMENTATION: Final = encode_item(IMPLEMENTATION_CLASS_UID, b"2.25.0")


class AssociateIndication(A_ASSOCIATE):
    """An A-ASSOCIATE indication whose presentation contexts and roles are here and not in pynetdicom's lists."""

    application_context: str
    proposals: tuple[Proposal, ...]
    roles: Mapping[str, tuple[bool, bool]]


class LeanAssociateRequest(pdu.A_ASSOCIATE_RQ):
    """Decoded like its parent, but for what an AssociateIndication has of its own. Unknown items are skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.application_context = ""
        self.proposals: dict[int, Proposal] = {}
        self.roles: dict[str, tuple[bool, bool]] = {}

    def decode(self, bytestream: bytes) -> None:
        if len(bytestream) < FIXED_PART:
            raise ProtocolError(INVALID_PARAMETER, "A-ASSOCIATE-RQ too short")
        fixed = bytearray(bytestream[:FIXED_PART])
        fixed[PROTOCOL_VERSION] = (int.from_bytes(fixed[PROTOCOL_VERSION]) & 1).to_bytes(2)
        for title in (CALLED_AE, CALLING_AE):
            fixed[title] = UNPRINTABLE.sub(b"?", bytes(fixed[title]).replace(b"\0", b" "))
        user_information: dict[int, list[bytes]] = {}
        for item_type, value, _ in items(memoryview(bytestream)[FIXED_PART:]):
            if item_type == PROPOSED_CONTEXT:
                self._take_proposal(decode_proposal(value))
            elif item_type == APPLICATION_CONTEXT:
                self.application_context = decode_uid(value)
            elif item_type == USER_INFORMATION:
                user_information = self._take_user_information(value)
        rest = encode_item(USER_INFORMATION, encode_user_information(user_information))
        super().decode(PDU_HEADER.pack(A_ASSOCIATE_RQ, FIXED_PART - 6 + len(rest)) + bytes(fixed[6:]) + rest)

    def _take_proposal(self, proposal: Proposal) -> None:
        if proposal.context_id in self.proposals or len(self.proposals) == MOST_CONTEXTS:
            raise ProtocolError(INVALID_PARAMETER, "presentation contexts not distinct")
        self.proposals[proposal.context_id] = proposal

    def _take_user_information(self, encoded: memoryview) -> dict[int, list[bytes]]:
        """Values by type, as far as pynetdicom is to see them."""
        kept: dict[int, list[bytes]] = {}
        for item_type, value, _ in items(encoded):
            if item_type == ROLE_SELECTION:
                self.roles.update([decode_role(value)])
            elif item_type in KEPT and KEPT[item_type](value):
                kept.setdefault(item_type, []).append(bytes(value))
        return kept

    def to_primitive(self) -> AssociateIndication:
        primitive = super().to_primitive()
        primitive.__class__ = AssociateIndication
        assert isinstance(primitive, AssociateIndication)
        primitive.application_context = self.application_context
        primitive.proposals, primitive.roles = tuple(self.proposals.values()), self.roles
        return primitive


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
    uid, roles = decode_sized(value)
    if len(roles) != 2:
        raise ProtocolError(INVALID_PARAMETER, "role selection that cannot be read")
    return decode_uid(uid), (bool(roles[0]), bool(roles[1]))


# Which user information pynetdicom is given: what is needed of it, and what it can read.


def is_maximum_length(value: memoryview) -> bool:
    if len(value) != 4:
        raise ProtocolError(INVALID_PARAMETER, "maximum length that cannot be read")
    return True


def is_well_formed(value: memoryview) -> bool:
    uid = str(value, "latin-1")
    return len(uid) <= 64 and WELL_FORMED_UID.fullmatch(uid) is not None


def is_version_name(value: memoryview) -> bool:
    return 0 < len(value) <= 16 and not UNPRINTABLE.search(value)


def is_extended_negotiation(value: memoryview) -> bool:
    return is_well_formed(decode_sized(value)[0])


def is_user_identity(value: memoryview) -> bool:
    """Types that we do not know are as good as none (PS3.7 D.3.3.7); one that cannot be read is not."""
    if len(value) < 2:
        raise ProtocolError(INVALID_PARAMETER, "user identity that cannot be read")
    _, rest = decode_sized(value[2:])
    decode_sized(rest)
    return 1 <= value[0] <= 5


KEPT: Final = {
    MAXIMUM_LENGTH: is_maximum_length,
    IMPLEMENTATION_CLASS_UID: is_well_formed,
    IMPLEMENTATION_VERSION_NAME: is_version_name,
    EXTENDED_NEGOTIATION: is_extended_negotiation,
    USER_IDENTITY: is_user_identity,
}


def encode_user_information(kept: Mapping[int, list[bytes]]) -> bytes:
    """With the two items that must be there (PS3.8 D.1, PS3.7 D.3.3.2), also when they were not."""
    encoded = b"".join(encode_item(item_type, value) for item_type, values in kept.items() for value in values)
    if MAXIMUM_LENGTH not in kept:
        encoded += USUAL_MAXIMUM_LENGTH
    if IMPLEMENTATION_CLASS_UID not in kept:
        encoded += UNSTATED_IMPLEMENTATION
    return encoded

"""Presentation contexts, transfer syntaxes and roles (PS3.8 9.3.3.2, PS3.7 D.3.3.4)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom._uid_dict import UID_dictionary
from pynetdicom.presentation import AllStoragePresentationContexts

from dimse.upper_layer.associate_request import LeanAssociateRequest
from dimse.upper_layer.negotiation import ContextTable, Negotiated, Proposal, SupportedContext, negotiate
from dimse.upper_layer.stream import ProtocolError
from tests.dimse.upper_layer.harness import CT, EXPLICIT, IMPLICIT, MR, associate_request, context_item, item, pdu
from vna.model.sop_classes import STORAGE_CLASSES, VERIFICATION, may_be_storage
from vna.model.transfer_syntaxes import STORAGE_TRANSFER_SYNTAXES, TRANSFER_SYNTAXES

BIG_ENDIAN = "1.2.840.10008.1.2.2"
BOTH = frozenset({EXPLICIT, IMPLICIT})
TABLE = ContextTable(
    [SupportedContext(CT, BOTH, requestor_may_be_scp=True), SupportedContext(VERIFICATION, frozenset({IMPLICIT}))]
)


def one(proposal: Proposal, roles: dict[str, tuple[bool, bool]] | None = None) -> Negotiated:
    return negotiate(TABLE, [proposal], roles or {})


@pytest.mark.parametrize(
    ("proposed", "taken"),
    [
        ((EXPLICIT, IMPLICIT), EXPLICIT),
        ((IMPLICIT, EXPLICIT), IMPLICIT),
        ((BIG_ENDIAN, IMPLICIT, EXPLICIT), IMPLICIT),
    ],
)
def test_the_first_transfer_syntax_that_we_support_is_taken(proposed: tuple[str, ...], taken: str) -> None:
    assert one(Proposal(5, CT, proposed)).accepted[5].transfer_syntax == [taken]


@pytest.mark.parametrize(
    ("proposal", "result"),
    [(Proposal(1, MR, (EXPLICIT,)), 3), (Proposal(1, CT, (BIG_ENDIAN,)), 4), (Proposal(1, CT, ()), 4)],
)
def test_what_is_not_supported_is_rejected_with_its_reason(proposal: Proposal, result: int) -> None:
    outcome = one(proposal)
    assert not outcome.accepted
    assert [context.result for context in outcome.rejected] == [result]


@pytest.mark.parametrize(
    ("asked", "as_scp", "as_scu"),
    [(None, True, False), ((True, False), True, False), ((False, True), False, True), ((True, True), True, True)],
)
def test_roles_are_what_the_requestor_asked_for(asked: tuple[bool, bool] | None, as_scp: bool, as_scu: bool) -> None:
    outcome = one(Proposal(1, CT, (EXPLICIT,)), {CT: asked} if asked else {})
    context = outcome.accepted[1]
    assert (context.as_scp, context.as_scu) == (as_scp, as_scu)
    assert outcome.role_answers == ({CT: asked} if asked else {})


def test_a_role_in_a_class_that_has_none_to_offer_is_not_answered() -> None:
    outcome = one(Proposal(1, VERIFICATION, (IMPLICIT,)), {VERIFICATION: (True, True)})
    assert not outcome.role_answers
    assert outcome.accepted[1].as_scp
    assert not outcome.accepted[1].as_scu


def test_no_role_at_all_rejects_the_context() -> None:
    assert [context.result for context in one(Proposal(1, CT, (EXPLICIT,)), {CT: (False, False)}).rejected] == [1]


def test_unknown_classes_are_taken_only_when_asked_for() -> None:
    unknown = Proposal(1, "1.2.840.113619.4.26", (EXPLICIT,))
    assert not one(unknown).accepted
    table = ContextTable([], STORAGE_TRANSFER_SYNTAXES)
    assert negotiate(table, [unknown], {}).accepted
    assert not negotiate(table, [Proposal(1, "1.2.840.10008.5.1.4.31", (EXPLICIT,))], {}).accepted  # worklist


def test_every_storage_class_of_pynetdicom_is_storage() -> None:
    assert {str(context.abstract_syntax) for context in AllStoragePresentationContexts} <= STORAGE_CLASSES
    assert "1.2.840.10008.5.1.4.38.1" in STORAGE_CLASSES  # Hanging Protocol (PS3.4 GG.3)
    assert "1.2.840.10008.1.20.1" not in STORAGE_CLASSES  # Storage Commitment
    assert not may_be_storage(VERIFICATION)
    assert not may_be_storage("1.2.840.10008.5.1.4.34.6")  # Unified Procedure Step
    assert may_be_storage("1.2.840.10008.5.1.4.1.1.999")
    assert may_be_storage("1.2.840.113619.4.26")


def test_every_transfer_syntax_of_pydicom_and_jpeg_xl_are_known() -> None:
    ours = {uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"} & set(TRANSFER_SYNTAXES)
    assert len(ours) > 50
    jpeg_xl = {"1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.111", "1.2.840.10008.1.2.4.112"}
    assert jpeg_xl <= set(STORAGE_TRANSFER_SYNTAXES)


def test_proposals_are_read_and_the_rest_left_to_pynetdicom() -> None:
    request = LeanAssociateRequest()
    request.decode(associate_request(context_item(1, CT, EXPLICIT, IMPLICIT), context_item(3, MR, EXPLICIT)))
    primitive = request.to_primitive()
    assert primitive.proposals == (Proposal(1, CT, (EXPLICIT, IMPLICIT)), Proposal(3, MR, (EXPLICIT,)))
    assert (primitive.calling_ae_title, primitive.called_ae_title) == ("RAW", "VNA")
    assert primitive.maximum_length_received == 16384


SOUND = associate_request(
    context_item(1, CT, EXPLICIT),
    user_items=item(0x55, b"OLD")
    + item(0x54, b"\0\x031.2\1\1")
    + item(0x58, b"\x02\x01\0\x01a\0\x01b")
    + item(0x56, b"\0\x031.2\1"),
)


@pytest.mark.parametrize(
    ("sound", "sloppy"),
    [
        (b"RAW".ljust(16), b"RAW".ljust(16, b"\0")),
        (b"VNA".ljust(16), b"V\\A\x07\xc4".ljust(16)),
        (item(0x55, b"OLD"), item(0x55, b"A VERSION NAME THAT IS TOO LONG")),
        (item(0x55, b"OLD"), item(0x55, b"\xff\n")),
        (item(0x52, b"1.2.3.4"), item(0x52, b"not a UID")),
        (item(0x52, b"1.2.3.4"), item(0x77, b"unknown")),
        (item(0x51, b"\0\0\x40\0"), item(0x77, b"unkn")),
        (item(0x10, b"1.2.840.10008.3.1.1.1"), item(0x99, b"unknown" * 3)),
    ],
)
def test_slips_in_fields_that_decide_nothing_are_put_right(sound: bytes, sloppy: bytes) -> None:
    assert sound in SOUND
    encoded = SOUND.replace(sound, sloppy)
    request = LeanAssociateRequest()
    request.decode(encoded[:2] + struct.pack(">L", len(encoded) - 6) + fit_user_information(encoded[6:]))
    primitive = request.to_primitive()
    assert primitive.proposals == (Proposal(1, CT, (EXPLICIT,)),)
    assert primitive.roles == {"1.2": (True, True)}
    assert primitive.maximum_length_received == 16384
    assert primitive.calling_ae_title == "RAW"


def fit_user_information(body: bytes) -> bytes:
    """The same with the length of the user information item, which is the last, as it now is."""
    start = body.index(b"\x50\0", 68)
    return body[: start + 2] + struct.pack(">H", len(body) - start - 4) + body[start + 4 :]


@given(st.lists(st.tuples(st.integers(6, len(SOUND) - 1), st.integers(0, 255)), max_size=6))
def test_a_damaged_request_is_refused_when_it_is_decoded_or_not_at_all(damage: list[tuple[int, int]]) -> None:
    encoded = bytearray(SOUND)
    for position, value in damage:
        encoded[position] = value
    request = LeanAssociateRequest()
    try:
        request.decode(bytes(encoded))
    except (ProtocolError, ValueError):
        return
    assert len(request.to_primitive().proposals) == len(request.proposals)


@pytest.mark.parametrize(
    "encoded",
    [
        associate_request(context_item(2, CT, EXPLICIT)),  # an even ID
        associate_request(context_item(1, CT, EXPLICIT), context_item(1, MR, EXPLICIT)),  # the same ID twice
        associate_request(item(0x20, b"\x01")),  # cut short
        associate_request(item(0x20, b"\x01\0\0\0" + b"\x30\0\x00\xff1.2")),  # name longer than its context
        pdu(0x01, bytes(10)),
        associate_request(context_item(1, CT, EXPLICIT))[:-3],
    ],
)
def test_a_request_that_cannot_be_read_is_a_protocol_error(encoded: bytes) -> None:
    with pytest.raises(ProtocolError):
        LeanAssociateRequest().decode(encoded)

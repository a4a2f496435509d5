"""The C-STORE command set, against pynetdicom's own coding."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode, encode

from dimse.upper_layer.command import decode_command, encode_store_request, encode_store_response, store_command
from dimse.upper_layer.handlers import StoreAnswer, StoreCommand
from dimse.upper_layer.stream import ProtocolError
from tests.dimse.upper_layer.harness import CT, EXPLICIT, command_set, element, store_request, us

COMMAND = StoreCommand(7, 1, CT, "1.2.345", 2, EXPLICIT, CT, "MOVER", 9)


def test_a_request_of_pynetdicom_is_read() -> None:
    primitive = C_STORE()
    primitive.MessageID, primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = 7, CT, "1.2.345"
    primitive.Priority = 2
    primitive.MoveOriginatorApplicationEntityTitle, primitive.MoveOriginatorMessageID = "MOVER", 9
    primitive.DataSet = BytesIO(b"x")
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    encoded = encode(message.command_set, True, True)
    assert encoded is not None
    assert store_command(decode_command(encoded), 1, CT, EXPLICIT) == COMMAND


def test_our_request_is_what_pynetdicom_would_send() -> None:
    ds = decode(BytesIO(encode_store_request(COMMAND)), True, True)
    assert (ds.CommandField, ds.MessageID, ds.Priority, ds.CommandDataSetType) == (1, 7, 2, 0)
    assert (ds.AffectedSOPClassUID, ds.AffectedSOPInstanceUID) == (CT, "1.2.345")
    assert (ds.MoveOriginatorApplicationEntityTitle, ds.MoveOriginatorMessageID) == ("MOVER", 9)
    assert encode(ds, True, True) == encode_store_request(COMMAND)


def test_our_response_is_read_by_pynetdicom() -> None:
    encoded = encode_store_response(COMMAND, StoreAnswer(0xA700, "disk full " * 10))
    message = C_STORE_RSP()
    message.command_set = decode(BytesIO(encoded), True, True)
    primitive = message.message_to_primitive()
    assert isinstance(primitive, C_STORE)
    assert (primitive.Status, primitive.MessageIDBeingRespondedTo) == (0xA700, 7)
    assert (primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID) == (CT, "1.2.345")
    assert primitive.ErrorComment == ("disk full " * 10)[:64].rstrip()


def test_malformed_uids_are_passed_on_as_they_came() -> None:
    elements = decode_command(store_request(instance="../../etc/passwd"))
    assert store_command(elements, 1, CT, EXPLICIT).sop_instance_uid == "../../etc/passwd"


def test_a_request_without_message_id_cannot_be_answered() -> None:
    with pytest.raises(ProtocolError):
        store_command(decode_command(command_set(element(0x0100, us(1)))), 1, CT, EXPLICIT)


@given(st.binary(max_size=100))
def test_any_bytes_decode_or_are_refused(noise: bytes) -> None:
    try:
        elements = decode_command(noise)
    except ProtocolError:
        return
    assert sum(8 + len(value) for value in elements.values()) <= len(noise)

"""PduStream: the same messages come out however the bytes come in, and lengths that lie are found out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.upper_layer.limits import Limits
from dimse.upper_layer.stream import INVALID_PARAMETER, UNRECOGNIZED_PDU, PduStream, ProtocolError
from tests.dimse.upper_layer.harness import RELEASE_REQUEST, pdu, pdv


class Recorder:
    """Joins the pieces of each fragment again."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        self.current = bytearray()

    def data_pdu_begins(self) -> None:
        self.events.append(("pdu",))

    def fragment_begins(self, context_id: int, control: int) -> None:
        self.events.append(("fragment", context_id, control))

    def fragment(self, piece: memoryview) -> None:
        self.current += piece

    def fragment_ends(self) -> None:
        self.events.append(("data", bytes(self.current)))
        self.current.clear()

    def control_pdu(self, pdu_type: int, encoded: bytes) -> None:
        self.events.append(("control", pdu_type, encoded))


def feed(chunks: list[bytes], size: int = 4096, limits: Limits | None = None) -> list[tuple[object, ...]]:
    recorder = Recorder()
    stream = PduStream(recorder, limits or Limits(), size)
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            space = stream.space()
            taken = min(len(space), len(view))
            space[:taken] = view[:taken]
            stream.received(taken)
            view = view[taken:]
    return recorder.events


fragments = st.lists(
    st.tuples(st.sampled_from([1, 3, 5]), st.integers(0, 3), st.binary(max_size=300)), min_size=1, max_size=4
)
data_pdus = fragments.map(lambda found: ([("pdu",), *expected(found)], pdu(0x04, b"".join(pdv(*one) for one in found))))
control_pdus = st.sampled_from(
    [([("control", 5, RELEASE_REQUEST)], RELEASE_REQUEST), ([("control", 7, pdu(7, bytes(4)))], pdu(7, bytes(4)))]
)


def expected(found: list[tuple[int, int, bytes]]) -> list[tuple[object, ...]]:
    events: list[tuple[object, ...]] = []
    for context_id, control, value in found:
        events += [("fragment", context_id, control), ("data", value)]
    return events


@given(st.lists(st.one_of(data_pdus, control_pdus), max_size=6), st.data())
def test_bytes_in_any_portions_give_the_same_messages(
    sent: list[tuple[list[tuple[object, ...]], bytes]], data: st.DataObject
) -> None:
    wire = b"".join(encoded for _, encoded in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    chunks = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    size = data.draw(st.sampled_from([7, 64, 4096]))
    assert feed(chunks, size) == [event for events, _ in sent for event in events]


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused_with_a_reason(noise: bytes) -> None:
    reason = None
    try:
        feed([noise], 16)
    except ProtocolError as error:
        reason = error.reason
    assert reason in (None, INVALID_PARAMETER, UNRECOGNIZED_PDU)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"\x04\0\xff\xff\xff\xff", INVALID_PARAMETER),  # P-DATA-TF of 4 GB
        (b"\x01\0\xff\xff\xff\xff", INVALID_PARAMETER),  # A-ASSOCIATE-RQ of 4 GB
        (b"\x05\0\0\x10\0\0", INVALID_PARAMETER),  # A-RELEASE-RQ of 1 MB
        (b"\x04\0\0\0\0\0", INVALID_PARAMETER),  # P-DATA-TF with nothing in it
        (b"\x04\0\0\0\0\x05", INVALID_PARAMETER),  # too short for one value
        (b"\x04\0\0\0\0\x06" + b"\0\0\0\0\x01\x03", INVALID_PARAMETER),  # value of length 0
        (b"\x04\0\0\0\0\x06" + b"\0\0\0\x01\x01\x03", INVALID_PARAMETER),  # value of length 1
        (b"\x04\0\0\0\0\x08" + b"\0\0\0\x05\x01\x03ab", INVALID_PARAMETER),  # value longer than its PDU
        (b"\x04\0\0\0\0\x0b" + b"\0\0\0\x04\x01\x03abxyz", INVALID_PARAMETER),  # three bytes after the last value
        (b"\x08\0\0\0\0\0", UNRECOGNIZED_PDU),
        (b"GET / HTTP/1.1\r\n", UNRECOGNIZED_PDU),
        (b"\x16\x03\x01\x02\x00\x01", UNRECOGNIZED_PDU),  # TLS hello
    ],
)
def test_a_length_that_lies_is_a_protocol_error(encoded: bytes, reason: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        feed([encoded])
    assert caught.value.reason == reason


def test_a_pdu_a_little_longer_than_announced_is_taken() -> None:
    limits = Limits(max_pdu=1000, pdu_slack=100)
    assert feed([pdu(0x04, pdv(1, 2, bytes(1000)))], limits=limits)[-1] == ("data", bytes(1000))
    with pytest.raises(ProtocolError):
        feed([pdu(0x04, pdv(1, 2, bytes(1200)))], limits=limits)

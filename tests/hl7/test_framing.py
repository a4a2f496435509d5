"""MLLP: messages out of a stream, however it is cut; and what senders leave out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vna.hl7.framing import Frames, NotMLLP, TooLong, framed

MESSAGE = b"MSH|^~\\&|A\rPID|1\r"


def taken(*pieces: bytes, limit: int = 1000) -> list[bytes]:
    frames = Frames(limit)
    found = []
    for piece in pieces:
        frames.feed(piece)
        while (message := frames.next()) is not None:
            found.append(message)
    return found


@given(
    st.lists(st.binary(max_size=20).map(lambda rest: b"MSH" + rest.translate(None, b"\x0b\x1c")), max_size=5), st.data()
)
def test_messages_come_out_as_they_went_in_however_the_stream_is_cut(
    messages: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(map(framed, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert taken(*pieces) == messages


@pytest.mark.parametrize(
    "stream",
    [
        b"\x0b" + MESSAGE + b"\x1c\r",
        b"\x0b" + MESSAGE + b"\x1c",  # without the carriage return
        MESSAGE + b"\x1c\r",  # without the begin mark
        b"\r\n \t\x0b" + MESSAGE + b"\x1c\r\n\r\n",
        b"\x0b\x0b" + MESSAGE + b"\x1c\r",
        b"\x0bMSH|half of\x0b" + MESSAGE + b"\x1c\r",  # it begins anew
    ],
)
def test_what_senders_leave_out_is_forgiven(stream: bytes) -> None:
    assert taken(stream) == [MESSAGE]
    assert taken(*(bytes([byte]) for byte in stream)) == [MESSAGE]


def test_a_vertical_tab_within_a_text_stays_there() -> None:
    message = MESSAGE + b"NTE|1||two\x0blines\r"
    assert taken(framed(message)) == [message]


def test_an_empty_frame_is_an_empty_message() -> None:
    assert taken(b"\x0b\x1c\r" + framed(MESSAGE)) == [b"", MESSAGE]


@pytest.mark.parametrize(
    "stream", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02", b"M\x00S\x00H", b"MSX", b"\x00", b"\x1cx"]
)
def test_what_is_no_message_is_told_at_once(stream: bytes) -> None:
    with pytest.raises(NotMLLP):
        taken(stream)


def test_a_message_over_the_limit_is_told_before_its_end() -> None:
    with pytest.raises(TooLong) as caught:
        taken(b"\x0bMSH|" + b"x" * 1000)
    assert caught.value.head.startswith(b"MSH|xxx")
    with pytest.raises(TooLong):
        taken(framed(b"MSH|" + b"x" * 1000))
    assert len(taken(framed(b"MSH|" + b"x" * 990))) == 1


def test_nothing_is_begun_between_messages() -> None:
    frames = Frames(100)
    frames.feed(framed(MESSAGE) + b"\r\n  ")
    assert frames.begun
    assert frames.next() == MESSAGE
    assert not frames.begun

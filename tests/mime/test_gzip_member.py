"""One gzip member out of pieces."""

from __future__ import annotations

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from vna.mime.gzip_member import Piece, compressed, member, stored


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=3000)), max_size=8))
def test_pieces_in_any_number_and_form_are_one_member(parts: list[tuple[bool, bytes]]) -> None:
    pieces = [stored(plain) if late else compressed(plain) for late, plain in parts]
    body = b"".join(member(pieces))

    unpacker = zlib.decompressobj(31)
    assert unpacker.decompress(body) == b"".join(plain for _, plain in parts)
    assert unpacker.eof
    assert unpacker.unused_data == b""


def test_a_long_piece_is_stored_in_blocks() -> None:
    plain = bytes(range(256)) * 1000
    assert gzip.decompress(b"".join(member([stored(plain)]))) == plain


def test_a_checksum_of_zero_in_the_middle_is_carried_on() -> None:
    zero = b"\x9d\x0a\xd9\x6d"  # CRC-32 is 0
    assert zlib.crc32(zero) == 0
    assert gzip.decompress(b"".join(member([compressed(zero), compressed(b"x")]))) == zero + b"x"
    assert isinstance(compressed(b""), Piece)

"""Headers as they lie in the index: DICOM JSON compressed in pieces that go out as they are, addresses put between.

A column is the number of pieces, three numbers for each, and the pieces. Each piece but the first begins with the tag
path of a bulk value: in front of it stands, on the way out, the address of the instance (PS3.18 F.2.6).
"""

import zlib
from collections.abc import Iterator
from struct import Struct

from vna.mime.gzip_member import Piece, compressed

_URI = b'"BulkDataURI":"'  # quotes within text are escaped: no text looks like it
_MOST_PIECES = 64
_COUNT = Struct("<H")
_NUMBERS = Struct("<III")


def pack(json_bytes: bytes) -> bytes:
    """A header, or anything else that `unpack` is to give back."""
    pieces = [compressed(plain) for plain in _cut(json_bytes)]
    numbers = [_NUMBERS.pack(len(piece.deflated), piece.size, piece.crc) for piece in pieces]
    return b"".join([_COUNT.pack(len(pieces)), *numbers, *(piece.deflated for piece in pieces)])


def _cut(json_bytes: bytes) -> list[bytes]:
    """Cut behind every BulkDataURI; in one piece where there are too many."""
    parts = json_bytes.split(_URI)
    if len(parts) > _MOST_PIECES:
        return [json_bytes]
    return [part + _URI for part in parts[:-1]] + parts[-1:]


def unpack(column: bytes) -> bytes:
    """What `pack` was given."""
    (count,) = _COUNT.unpack_from(column)
    return zlib.decompressobj(-15).decompress(memoryview(column)[_COUNT.size + count * _NUMBERS.size :])


def addressed(column: bytes, address: bytes) -> bytes:
    """The same with `address` in front of every bulk data URI."""
    return unpack(column).replace(_URI, _URI + address)


def pieces(column: bytes, address: Piece) -> Iterator[Piece]:
    """The same as pieces of a gzip member."""
    (count,) = _COUNT.unpack_from(column)
    at = _COUNT.size + count * _NUMBERS.size
    if count == 1 and _URI in (plain := unpack(column)):
        yield from _repacked(plain, address)
        return
    for number in range(count):
        length, size, crc = _NUMBERS.unpack_from(column, _COUNT.size + number * _NUMBERS.size)
        if number:
            yield address
        yield Piece(column[at : at + length], size, crc)
        at += length


def _repacked(plain: bytes, address: Piece) -> Iterator[Piece]:
    text = zlib.decompressobj(-15).decompress(address.deflated)
    yield compressed(plain.replace(_URI, _URI + text))

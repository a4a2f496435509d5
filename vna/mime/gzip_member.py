"""One gzip member put together from pieces that were compressed before (RFC 1951, RFC 1952).

Several members one after another are legal and decoded by most; Chromium stops after the first.
"""

import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"
_TRAILER = Struct("<II")
_STORED = Struct("<BHH")
_MOST_STORED = 0xFFFF
_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31  # x to the power 0, bits reversed


class Piece(NamedTuple):
    """Deflated bytes that end at a byte and refer to nothing before them; length and CRC-32 of what they stand for."""

    deflated: bytes
    size: int
    crc: int


def compressed(plain: bytes) -> Piece:
    """A piece made at level 1: quick rather than small."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return Piece(packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH), len(plain), zlib.crc32(plain))


def stored(plain: bytes) -> Piece:
    """A piece that is not compressed: for a few bytes that are known late."""
    blocks = []
    for at in range(0, len(plain), _MOST_STORED):
        block = plain[at : at + _MOST_STORED]
        blocks += [_STORED.pack(0, len(block), len(block) ^ _MOST_STORED), block]
    return Piece(b"".join(blocks), len(plain), zlib.crc32(plain))


def member(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """The pieces, in their order, as one member."""
    yield _HEADER
    crc = size = 0
    for piece in pieces:
        yield piece.deflated
        crc = _followed(crc, piece.size) ^ piece.crc
        size += piece.size
    yield _LAST_BLOCK + _TRAILER.pack(crc, size & 0xFFFFFFFF)


def _followed(crc: int, length: int) -> int:
    """What a CRC becomes when so many bytes follow: multiplied by x to the power of 8 times `length`.

    By look-up tables for the low byte of the length and for the rest: both come again and again.
    """
    for part in (length & 0xFF, length & ~0xFF):
        if part and crc:
            first, second, third, fourth = _tables(part)
            crc = first[crc & 0xFF] ^ second[crc >> 8 & 0xFF] ^ third[crc >> 16 & 0xFF] ^ fourth[crc >> 24]
    return crc


@lru_cache(1024)
def _tables(length: int) -> tuple[list[int], ...]:
    """The products of every byte at each of the four places."""
    power = _power(length)
    bits = [_times(1 << bit, power) for bit in range(32)]
    tables = []
    for place in range(0, 32, 8):
        table = [0]
        for bit in range(8):
            table += [entry ^ bits[place + bit] for entry in table]
        tables.append(table)
    return tuple(tables)


def _power(length: int) -> int:
    """x to the power of 8 times `length`, modulo the polynomial of CRC-32, bits reversed."""
    power, square = _ONE, _ONE >> 8
    while length:
        if length & 1:
            power = _times(square, power)
        square = _times(square, square)
        length >>= 1
    return power


def _times(a: int, b: int) -> int:
    """Product of two such polynomials."""
    product = 0
    while b:
        if b & _ONE:
            product ^= a
        b = b << 1 & 0xFFFFFFFF
        a = a >> 1 ^ _POLYNOMIAL if a & 1 else a >> 1
    return product

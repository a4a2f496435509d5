"""A data set from one encoding into another, element by element, values untouched (PS3.5 section 7, annex A).

Only what an encoding says about itself changes: value representations, lengths, byte order. Sequences and items go out
with undefined length, so that nothing is measured before it is written; group lengths, retired, are left out.
"""

from collections.abc import Mapping
from typing import BinaryIO, Final, Protocol

import numpy as np

from vna.model.errors import Damaged
from vna.pixels.elements import (
    ITEM,
    ITEM_END,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    Header,
    Source,
    read_header,
    write_header,
)
from vna.pixels.value_representations import (
    BITS_ALLOCATED,
    PIXEL_REPRESENTATION,
    SWAPPED_UNITS,
    Surroundings,
    implied_vr,
)

MAX_DEPTH: Final = 100
OFFSET_TABLES: Final = frozenset({0x7FE00001, 0x7FE00002, 0x7FE00003})
"""Extended Offset Table, its lengths, Encapsulated Pixel Data Value Total Length: of encapsulated pixel data only."""

_UN_CONTENT: Final = Encoding(explicit=False)
_SHORT_VALUE: Final = 256


class PixelRecoder(Protocol):
    """What becomes of pixel data, and of the elements that describe it."""

    def described(self, tag: int, value: bytes, around: Surroundings) -> bytes:
        """The value that goes out for an element of group 0028."""

    def write_native(
        self, source: Source, header: Header, out: BinaryIO, encoding: Encoding, around: Surroundings
    ) -> bool:
        """Write pixel data that is not encapsulated, as `write` does; False, with nothing read, when it goes as it is.

        Damaged where it cannot go out beside what described() made.
        """

    def write(self, source: Source, out: BinaryIO, encoding: Encoding, around: Surroundings) -> None:
        """Write the whole element; `source` stands behind the header of the encapsulated one, afterwards behind it."""


class Recoder:
    """Carries one data set from `source` to `out`; Damaged when it is damaged."""

    def __init__(
        self,
        source: Source,
        out: BinaryIO,
        *,
        source_encoding: Encoding,
        target_encoding: Encoding,
        pixels: PixelRecoder | None = None,
        put: Mapping[int, tuple[str, bytes]] | None = None,
    ) -> None:
        self._source = source
        self._out = out
        self._from = source_encoding
        self._to = target_encoding
        self._pixels = pixels
        self._put = dict(sorted((put or {}).items()))

    def run(self, *, pixel_representation: int = 0) -> None:
        """Everything; `pixel_representation` is the data set's own, for elements that need it and come before it.

        Elements to `put`, representation and value, go to their places in the data set itself, instead of its own.
        """
        around = Surroundings()
        around.numbers[PIXEL_REPRESENTATION] = pixel_representation
        while (header := read_header(self._source, self._from)) is not None:
            replaced = header.tag in self._put
            self._put_up_to(header.tag)
            if replaced and header.length != UNDEFINED:
                self._source.skip(header.length)
            else:
                self._element(header, self._from, around, 0)
        self._put_up_to(0xFFFFFFFF)

    def _put_up_to(self, tag: int) -> None:
        while self._put and (first := next(iter(self._put))) <= tag:
            vr, value = self._put.pop(first)
            write_header(self._out, self._to, first, vr, len(value))
            self._out.write(swapped(value, SWAPPED_UNITS.get(vr, 1) if not self._to.little else 1))

    def _element(self, header: Header, encoding: Encoding, around: Surroundings, depth: int) -> None:
        vr = header.vr or implied_vr(header.tag, around)
        if header.tag >> 16 == 0xFFFE:
            raise Damaged("an item or delimiter stands where an element should")
        if header.tag & 0xFFFF == 0 or (self._pixels and header.tag in OFFSET_TABLES):
            self._source.skip(header.length)
        elif header.length == UNDEFINED and header.tag == PIXEL_DATA:
            if self._pixels is None:
                raise Damaged("pixel data is encapsulated in a transfer syntax that has none")
            self._pixels.write(self._source, self._out, self._to, around)
        elif header.length == UNDEFINED and vr in ("SQ", "UN"):
            self._sequence(header, encoding if vr == "SQ" or not header.vr else _UN_CONTENT, around, depth)
        elif header.length == UNDEFINED:
            raise Damaged("an element that is no sequence has no length")
        elif vr == "SQ":
            self._sequence(header, encoding, around, depth)
        else:
            written = header.tag == PIXEL_DATA and self._pixels_native(header, around)
            if not written:
                self._value(header, vr, encoding, around)

    def _pixels_native(self, header: Header, around: Surroundings) -> bool:
        return self._pixels is not None and self._pixels.write_native(self._source, header, self._out, self._to, around)

    def _value(self, header: Header, vr: str, encoding: Encoding, around: Surroundings) -> None:
        if header.tag == PIXEL_DATA and vr == "OB" and around.number(BITS_ALLOCATED, 8) > 8:
            vr = "OW"  # mislabelled, and OB would not be swapped
        swap = SWAPPED_UNITS.get(vr, 1) if encoding.little != self._to.little else 1
        if header.length > _SHORT_VALUE:
            write_header(self._out, self._to, header.tag, vr, header.length)
            self._copy(header.length, swap)
            return
        value = self._source.take(header.length)
        if around.decides(header.tag):
            around.learn(header.tag, value, little=encoding.little)
        if self._pixels and header.tag >> 16 == 0x0028:
            value = self._pixels.described(header.tag, value, around)
        write_header(self._out, self._to, header.tag, vr, len(value))
        self._out.write(swapped(value, swap))

    def _copy(self, count: int, swap: int) -> None:
        rest = b""
        for piece in self._source.pieces(count):
            piece = rest + piece
            whole = len(piece) - len(piece) % swap
            self._out.write(swapped(piece[:whole], swap))
            rest = piece[whole:]
        self._out.write(rest)

    def _sequence(self, header: Header, encoding: Encoding, around: Surroundings, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise Damaged(f"sequences are nested deeper than {MAX_DEPTH} levels")
        if header.length == 0:
            write_header(self._out, self._to, header.tag, "SQ", 0)
            return
        write_header(self._out, self._to, header.tag, "SQ", UNDEFINED)
        end = None if header.length == UNDEFINED else self._source.position + header.length
        while end is None or self._source.position < end:
            item = read_header(self._source, encoding)
            if item is None:
                raise Damaged("a sequence has no end")
            if item.tag == SEQUENCE_END:
                break
            if item.tag != ITEM:
                raise Damaged("a sequence holds something else than items")
            self._item(item.length, encoding, Surroundings(around), depth + 1)
        self._check(end)
        write_header(self._out, self._to, SEQUENCE_END, "", 0)

    def _item(self, length: int, encoding: Encoding, around: Surroundings, depth: int) -> None:
        if length == 0:
            write_header(self._out, self._to, ITEM, "", 0)
            return
        write_header(self._out, self._to, ITEM, "", UNDEFINED)
        end = None if length == UNDEFINED else self._source.position + length
        while end is None or self._source.position < end:
            header = read_header(self._source, encoding)
            if header is None:
                raise Damaged("an item has no end")
            if header.tag == ITEM_END:
                break
            self._element(header, encoding, around, depth)
        self._check(end)
        write_header(self._out, self._to, ITEM_END, "", 0)

    def _check(self, end: int | None) -> None:
        if end is not None and self._source.position > end:
            raise Damaged("an item or sequence is longer than its length says")


def swapped(value: bytes, unit: int) -> bytes:
    """`value` with the byte order of every `unit` bytes turned round; a last part of a unit stays."""
    whole = len(value) - len(value) % unit
    if unit == 1 or whole == 0:
        return value
    return np.frombuffer(value, f"u{unit}", whole // unit).byteswap().tobytes() + value[whole:]

"""Element headers on a stream, in any encoding, and reading that never runs past what is there (PS3.5 section 7)."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import BinaryIO, Final, Protocol

from vna.model.errors import Damaged

UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD
PIXEL_DATA: Final = 0x7FE00010

LONG_VRS: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""With two reserved bytes and a length of 32 bits (PS3.5 Table 7.1-1)."""

SHORT_VR_LIMIT: Final = 0xFFFF
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Encoding:
    """How element headers and numbers are written."""

    explicit: bool = True
    little: bool = True

    @property
    def order(self) -> str:
        """The prefix that `struct` and numpy use."""
        return "<" if self.little else ">"


@dataclass(frozen=True, slots=True)
class Header:
    """One element's or item's header; `vr` is empty where the encoding has none."""

    tag: int
    vr: str
    length: int


class Readable(Protocol):
    """The part of a binary stream that reading forwards needs."""

    def read(self, size: int, /) -> bytes: ...


class Inflating:
    """A deflated data set as the plain stream that it holds (PS3.5 A.5)."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, fewer only at the end."""
        pieces = bytearray()
        while len(pieces) < size and not self._inflate.eof:
            raw = self._inflate.unconsumed_tail or self._stream.read(1 << 16)
            try:
                pieces += self._inflate.decompress(raw, size - len(pieces))
            except zlib.error as exc:
                raise Damaged("the deflated data set is damaged") from exc
            if not raw:
                break
        return bytes(pieces)


class Source:
    """A data set read forwards, element by element."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.position = 0

    def take_some(self, count: int) -> bytes:
        """Up to `count` bytes, fewer only at the end of the stream."""
        taken = self._stream.read(count)
        while len(taken) < count:
            more = self._stream.read(count - len(taken))
            if not more:
                break
            taken += more
        self.position += len(taken)
        return taken

    def take(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        taken = self.take_some(count) if count <= _PIECE else b"".join(self.pieces(count))
        if len(taken) < count:
            raise _ends_early()
        return taken

    def pieces(self, count: int) -> Iterator[bytes]:
        """Exactly `count` bytes, a megabyte at a time: a length that lies costs no memory."""
        while count:
            piece = self.take_some(min(count, _PIECE))
            if not piece:
                raise _ends_early()
            count -= len(piece)
            yield piece

    def skip(self, count: int) -> None:
        """Pass over `count` bytes."""
        for _ in self.pieces(count):
            pass


def _ends_early() -> Damaged:
    return Damaged("the data set ends in the middle of an element")


_TAG: Final = {True: Struct("<HH"), False: Struct(">HH")}
_LONG: Final = {True: Struct("<L"), False: Struct(">L")}
_SHORT: Final = {True: Struct("<H"), False: Struct(">H")}


def read_header(source: Source, encoding: Encoding) -> Header | None:
    """The next header; None at the end of the stream, where zero bytes are padding."""
    start = source.take_some(8)
    if len(start) < 8:
        if start.strip(b"\0"):
            raise _ends_early()
        return None
    group, element = _TAG[encoding.little].unpack_from(start)
    tag = group << 16 | element
    if not encoding.explicit or group == 0xFFFE:
        return Header(tag, "", _LONG[encoding.little].unpack_from(start, 4)[0])
    vr = start[4:6].decode("latin-1")
    if vr in LONG_VRS:
        return Header(tag, vr, _LONG[encoding.little].unpack(source.take(4))[0])
    if not (vr.isascii() and vr.isupper()):
        raise Damaged(f"the element ({group:04X},{element:04X}) has no value representation")
    return Header(tag, vr, _SHORT[encoding.little].unpack_from(start, 6)[0])


def write_header(out: BinaryIO, encoding: Encoding, tag: int, vr: str, length: int) -> None:
    """Write a header; a value too long for its VR's 16-bit length goes out as UN (PS3.5 6.2.2)."""
    start = _TAG[encoding.little].pack(tag >> 16, tag & 0xFFFF)
    if not encoding.explicit or tag >> 16 == 0xFFFE:
        out.write(start + _LONG[encoding.little].pack(length))
    elif vr in LONG_VRS or length > SHORT_VR_LIMIT:
        name = vr if vr in LONG_VRS else "UN"
        out.write(start + name.encode("ascii") + b"\0\0" + _LONG[encoding.little].pack(length))
    else:
        out.write(start + vr.encode("ascii") + _SHORT[encoding.little].pack(length))

"""Frames out of encapsulated pixel data, one at a time (PS3.5 A.4)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import unpack
from typing import BinaryIO, Final

from vna.model.errors import Damaged
from vna.pixels.elements import ITEM, SEQUENCE_END, UNDEFINED, Encoding, Source, read_header

_LITTLE: Final = Encoding()
_STARTS: Final = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP")
"""How a JPEG or JPEG-LS, a JPEG 2000 code stream and a JP2 file begin."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Where a fragment's bytes are in the stream; `item` counts from the first fragment's item as offset tables do."""

    offset: int
    length: int
    item: int
    start: bytes


class Fragments:
    """The fragments of one pixel data element, of a stream that can seek.

    Made when `source` stands after the element's header; afterwards it stands behind the element.
    """

    def __init__(self, stream: BinaryIO, source: Source) -> None:
        self._stream = stream
        self._table: tuple[int, ...] = ()
        self._fragments: list[Fragment] = []
        self._scan(source)

    def _scan(self, source: Source) -> None:
        header = read_header(source, _LITTLE)
        if header is None or header.tag != ITEM or header.length == UNDEFINED:
            raise Damaged("encapsulated pixel data does not begin with an offset table")
        table = source.take(header.length)
        self._table = unpack(f"<{len(table) // 4}L", table[: len(table) // 4 * 4])
        first = source.position
        while True:
            item = source.position
            header = read_header(source, _LITTLE)
            if header is None or header.tag == SEQUENCE_END:
                if header is None:
                    raise Damaged("encapsulated pixel data has no end")
                return
            if header.tag != ITEM or header.length == UNDEFINED:
                raise Damaged("encapsulated pixel data holds something else than fragments")
            offset = self._stream.tell()
            start = source.take(min(6, header.length))
            self._seek_past(source, header.length - len(start))
            self._fragments.append(Fragment(offset, header.length, item - first, start))

    def _seek_past(self, source: Source, count: int) -> None:
        if count > 0:
            self._stream.seek(count - 1, 1)
            source.position += count - 1
            source.take(1)

    def frames(self, count: int) -> Iterator[bytes]:
        """The encoded bytes of `count` frames, in order; the stream stands where it stood after the last one."""
        groups = self._groups(count)
        behind = self._stream.tell()
        for group in groups:
            pieces = []
            for fragment in group:
                self._stream.seek(fragment.offset)
                pieces.append(Source(self._stream).take(fragment.length))
            yield b"".join(pieces)
        self._stream.seek(behind)

    def _groups(self, count: int) -> list[list[Fragment]]:
        """Which fragments make which frame: by number, by offset table, or by how a code stream begins."""
        if count == 1:
            return [self._fragments] if self._fragments else self._no_such(1)
        if len(self._fragments) == count:
            return [[fragment] for fragment in self._fragments]
        starts = set(self._table)
        by_table = _split(self._fragments, [fragment.item in starts for fragment in self._fragments])
        if len(by_table) >= count:
            return by_table[:count]
        by_start = _split(self._fragments, [fragment.start.startswith(_STARTS) for fragment in self._fragments])
        return by_start[:count] if len(by_start) >= count else self._no_such(count)

    def _no_such(self, count: int) -> list[list[Fragment]]:
        raise Damaged(f"{len(self._fragments)} fragments of pixel data do not make {count} frames")


def _split(fragments: Sequence[Fragment], begins: Sequence[bool]) -> list[list[Fragment]]:
    groups: list[list[Fragment]] = []
    for fragment, begin in zip(fragments, begins, strict=True):
        if begin:
            groups.append([fragment])
        elif groups:
            groups[-1].append(fragment)
    return groups

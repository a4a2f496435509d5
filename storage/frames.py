"""Where the frames of an instance are in its file, so that reading one is reading a range (PS3.5 8, A.4).

Made once, when the instance is stored; only item headers and, without an offset table, the ends of fragments are
looked at.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, pairwise
from mmap import mmap
from struct import Struct, error, pack, unpack

from storage.dictionary import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, ITEM, PIXEL_DATA, SEQUENCE_END
from storage.elements import text, whole_number
from storage.values import Element
from vna.model.errors import CannotUnderstand, Damaged, NotFound

Buffer = bytes | bytearray | memoryview | mmap
Ranges = tuple[tuple[int, int], ...]
Fragments = list[tuple[int, int]]
"""Offset and length of the bytes of each fragment."""

MAX_FRAGMENTS = 2_000_000

_MOST_BITS = 1 << 60
"""Of a frame: rows and columns that say more are none."""
_UNDEFINED = 0xFFFFFFFF
_ITEM_HEADER = 8
_FORMAT = 1
_HEAD = Struct("<BB")
_NATIVE = Struct("<QQQ")
_SIZE = Struct("<Q")
_ENCAPSULATED = Struct("<II")
_END_OF_IMAGE = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
_START_OF_IMAGE = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")
_TAIL = 10  # an end marker may be followed by padding


class Kind(IntEnum):
    """How the pixel data is laid out."""

    NONE = 0
    NATIVE = 1
    ENCAPSULATED = 2


@dataclass(frozen=True, slots=True)
class FrameTable:
    """The frames of one instance, as offsets in its file.

    Native: `first` is the offset of the pixel data and `frame_bits` the length of a frame, which can end inside a
    byte where BitsAllocated is 1. `count` are the frames that are whole, or 1 where there is only one and it is cut;
    `size` the bytes of the pixel data where they end inside a frame, else 0.
    Encapsulated: fragment i is `lengths[i]` bytes from `offsets[i]`, and frame n is the fragments from `starts[n-1]`
    up to `starts[n]`.
    """

    kind: Kind = Kind.NONE
    count: int = 0
    first: int = 0
    frame_bits: int = 0
    offsets: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    starts: tuple[int, ...] = ()
    size: int = 0

    def ranges(self, n: int) -> Ranges:
        """Offset and length of each piece of frame `n`, counted from 1; Damaged where it is not all there."""
        if self.size and (n - 1) * self.frame_bits < 8 * self.size < n * self.frame_bits:
            there, whole = self.size - (n - 1) * self.frame_bits // 8, (self.frame_bits + 7) // 8
            raise Damaged(f"frame {n} is cut: {there} of its {whole} bytes are there")
        if not 1 <= n <= self.count:
            raise NotFound(f"there is no frame {n}: the instance has {self.count}")
        if self.kind is Kind.NATIVE:
            begin, end = (n - 1) * self.frame_bits, n * self.frame_bits
            return ((self.first + begin // 8, (end + 7) // 8 - begin // 8),)
        begin, end = self.starts[n - 1], self.starts[n]
        return tuple(zip(self.offsets[begin:end], self.lengths[begin:end], strict=True))

    def bit_offset(self, n: int) -> int:
        """How many bits of the first byte of `ranges(n)`, from the lowest, belong to the frame before (PS3.5 8.1.1)."""
        return (n - 1) * self.frame_bits % 8

    def to_bytes(self) -> bytes:
        """A compact form to keep beside the instance."""
        head = _HEAD.pack(_FORMAT, self.kind)
        if self.kind is Kind.NATIVE:
            size = _SIZE.pack(self.size) if self.size else b""
            return head + _NATIVE.pack(self.first, self.frame_bits, self.count) + size
        if self.kind is Kind.NONE:
            return head
        ends = (0, *(offset + length for offset, length in zip(self.offsets, self.lengths, strict=True)))
        gaps = (offset - end for offset, end in zip(self.offsets, ends, strict=False))
        sizes = (after - before for before, after in pairwise(self.starts))
        body = pack(f"<{2 * len(self.lengths) + self.count}q", *self.lengths, *gaps, *sizes)
        return head + _ENCAPSULATED.pack(len(self.lengths), self.count) + zlib.compress(body)

    @classmethod
    def from_bytes(cls, packed: bytes) -> "FrameTable":
        """The table that `to_bytes` packed."""
        try:
            return cls._unpacked(packed)
        except (error, zlib.error, ValueError) as exc:
            raise CannotUnderstand("the frame table of the instance is damaged") from exc

    @classmethod
    def _unpacked(cls, packed: bytes) -> "FrameTable":
        form, kind = _HEAD.unpack_from(packed)
        if form != _FORMAT:
            raise ValueError(form)
        if kind == Kind.NATIVE:
            first, frame_bits, count = _NATIVE.unpack_from(packed, _HEAD.size)
            cut = packed[_HEAD.size + _NATIVE.size :]
            return cls(Kind.NATIVE, count, first, frame_bits, size=_SIZE.unpack(cut)[0] if cut else 0)
        if kind == Kind.NONE:
            return cls()
        fragments, count = _ENCAPSULATED.unpack_from(packed, _HEAD.size)
        values = unpack(f"<{2 * fragments + count}q", zlib.decompress(packed[_HEAD.size + _ENCAPSULATED.size :]))
        lengths, gaps, sizes = values[:fragments], values[fragments : 2 * fragments], values[2 * fragments :]
        ends = accumulate(length + gap for length, gap in zip(lengths, gaps, strict=True))
        offsets = tuple(end - length for end, length in zip(ends, lengths, strict=True))
        return cls(Kind(kind), count, 0, 0, offsets, lengths, tuple(accumulate(sizes, initial=0)))


def native_frames(
    elements: Mapping[str, Element], value_offset: int, value_length: int, tag: int = PIXEL_DATA
) -> FrameTable:
    """Frames of pixel data that is not encapsulated: those wholly there, and where one is cut.

    Without Rows and Columns a single frame is the whole value, and several cannot be told apart.
    """
    frames = whole_number(elements, "00280008", 1)
    bits = _frame_bits(elements, tag)
    if not bits:
        bits = value_length * 8 if frames == 1 else 0
    if not 0 < bits < _MOST_BITS:
        return FrameTable()
    whole = value_length * 8 // bits
    if whole >= frames:
        return FrameTable(Kind.NATIVE, frames, value_offset, bits)
    size = value_length if value_length * 8 > whole * bits else 0
    return FrameTable(Kind.NATIVE, max(whole, 1), value_offset, bits, size=size) if whole or size else FrameTable()


def _frame_bits(elements: Mapping[str, Element], tag: int) -> int:
    samples = whole_number(elements, "00280002", 1)
    pixels = whole_number(elements, "00280010", 0) * whole_number(elements, "00280011", 0)
    bits = {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}.get(tag) or whole_number(elements, "00280100", 0)
    if samples == 3 and text(elements, "00280004") in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        return pixels * 2 * bits  # two luminance samples share their chrominance (PS3.3 C.7.6.3.1.2)
    return pixels * samples * bits


def fragments(buf: Buffer, offset: int, end: int, order: str = "<") -> tuple[Fragments, int]:
    """The items of an encapsulated value that begins at `offset`, and where its sequence delimiter is (PS3.5 A.4)."""
    found: Fragments = []
    header = Struct(order + "HHI").unpack_from
    while offset + _ITEM_HEADER <= end:
        group, number, length = header(buf, offset)
        tag = group << 16 | number
        if tag == SEQUENCE_END:
            return found, offset
        start = offset + _ITEM_HEADER
        if tag != ITEM or length == _UNDEFINED:
            raise CannotUnderstand(f"the fragments of a value are broken at offset {offset}")
        if start + length > end:
            raise CannotUnderstand(f"a fragment at offset {offset} runs past the end: truncated")
        if len(found) == MAX_FRAGMENTS:
            raise CannotUnderstand(f"an encapsulated value has more than {MAX_FRAGMENTS} fragments")
        found.append((start, length))
        offset = start + length
    raise CannotUnderstand(f"a value does not end up to offset {end}: truncated")


def encapsulated_frames(
    buf: Buffer, offset: int, number_of_frames: int, eot: Sequence[int] = (), eot_lengths: Sequence[int] = ()
) -> FrameTable:
    """Frames of the encapsulated pixel data whose Basic Offset Table item begins at `offset`.

    `eot` and `eot_lengths` are the Extended Offset Table (PS3.3 C.7.6.3.1.8). A table that does not fit the fragments
    is not used; where nothing says which fragments make a frame, there are no frames.
    """
    items, _ = fragments(buf, offset, len(buf))
    return frames_of(buf, items, number_of_frames, eot, eot_lengths)


def frames_of(
    buf: Buffer, items: Fragments, number_of_frames: int, eot: Sequence[int] = (), eot_lengths: Sequence[int] = ()
) -> FrameTable:
    """The same for items already walked, the Basic Offset Table first."""
    if len(items) < 2:
        return FrameTable()
    (at, length), pieces = items[0], items[1:]
    frames = max(number_of_frames, 1)
    if eot and (found := _by_extended_table(pieces, eot, eot_lengths, frames)):
        return found
    basic = unpack(f"<{length // 4}I", bytes(buf[at : at + length // 4 * 4]))
    starts = _by_basic_table(pieces, basic, frames) or _by_count(pieces, frames) or _by_markers(buf, pieces, frames)
    return _table(pieces, starts) if starts else FrameTable()


def _table(pieces: Iterable[tuple[int, int]], starts: Sequence[int]) -> FrameTable:
    offsets, lengths = zip(*pieces, strict=True)
    return FrameTable(Kind.ENCAPSULATED, len(starts) - 1, 0, 0, offsets, lengths, tuple(starts))


def _by_extended_table(
    pieces: Fragments, offsets: Sequence[int], lengths: Sequence[int], frames: int
) -> FrameTable | None:
    """One fragment for each frame, its length without padding (PS3.3 C.7.6.3.1.8)."""
    if len(offsets) != len(lengths) or len(offsets) != frames:
        return None
    base = pieces[0][0]
    held = {start - base: length for start, length in pieces}
    if not all(0 < length <= held.get(offset, 0) for offset, length in zip(offsets, lengths, strict=True)):
        return None
    return _table([(base + at, length) for at, length in zip(offsets, lengths, strict=True)], range(frames + 1))


def _by_basic_table(pieces: Fragments, offsets: Sequence[int], frames: int) -> list[int] | None:
    """A table of another length than the frames is believed only where fragments are not one to a frame."""
    if not offsets or (len(offsets) != frames and len(pieces) == frames):
        return None
    base = pieces[0][0]
    index = {start - base: at for at, (start, _) in enumerate(pieces)}
    starts = [index.get(offset, -1) for offset in offsets]
    if starts[0] != 0 or any(after <= before for before, after in pairwise(starts)):
        return None
    return [*starts, len(pieces)]


def _by_count(pieces: Fragments, frames: int) -> list[int] | None:
    if frames == 1 or len(pieces) == 1:
        return [0, len(pieces)]
    return list(range(frames + 1)) if len(pieces) == frames else None


def _by_markers(buf: Buffer, pieces: Fragments, frames: int) -> list[int] | None:
    """Frames end where a fragment ends an image, or begin where one starts an image, whichever gives the right
    number."""
    if len(pieces) < frames:
        return None
    ended = [0]
    for at, (offset, length) in enumerate(pieces, 1):
        if at == len(pieces) or _END_OF_IMAGE in bytes(buf[offset + max(0, length - _TAIL) : offset + length]):
            ended.append(at)
    if len(ended) - 1 == frames:
        return ended
    begun = [at for at, (offset, _) in enumerate(pieces) if bytes(buf[offset : offset + 4]).startswith(_START_OF_IMAGE)]
    if len(begun) == frames and begun[0] == 0:
        return [*begun, len(pieces)]
    return ended if len(ended) > 2 else None

"""A data set as DICOM JSON with its bulk left in the file: what the archive keeps of an instance beside its bytes
(PS3.18 F)."""

from dataclasses import dataclass
from struct import unpack

import orjson

from storage.dictionary import PIXELS
from storage.elements import inline_bytes, number, person_name, text, texts, whole_number
from storage.frames import Buffer, FrameTable, frames_of, native_frames
from storage.inflate import inflated
from storage.limits import Limits
from storage.part10 import EXPLICIT_BIG, IMPLICIT_LITTLE, FileMeta
from storage.scan import BIG_ENDIAN, LITTLE, Reader
from storage.values import Element

__all__ = [
    "Element",
    "Limits",
    "Scan",
    "inflated",
    "number",
    "person_name",
    "scan",
    "text",
    "texts",
    "to_json",
    "whole_number",
]

_IMPLICIT = frozenset({IMPLICIT_LITTLE, "1.2.840.113619.5.2"})  # the second is GE's, Big Endian in its pixel data only
_VIDEO = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))
"""Transfer syntaxes whose fragments are one stream: MPEG-2, MPEG-4 AVC, HEVC, each also as `...1` for fragmentable."""

_NUMBER_OF_FRAMES = "00280008"
_OFFSETS, _LENGTHS = "7FE00001", "7FE00002"


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass over an instance finds.

    `elements` in tag order, without group lengths, group 2 and trailing padding. `bulk` names values left in the file
    by tag, or tag/item/tag, with offset and length; an encapsulated one begins with its Basic Offset Table item and
    ends before its sequence delimiter. `header_end` is where the pixel data element begins, or the end of the file.
    For a deflated data set all offsets are in `inflated`. `encapsulated` when the pixel data is in fragments.
    """

    elements: dict[str, Element]
    dataset_offset: int
    header_end: int
    frames: FrameTable
    bulk: dict[str, tuple[int, int]]
    warnings: tuple[str, ...]
    encapsulated: bool = False


def scan(buf: Buffer, meta: FileMeta, limits: Limits = Limits()) -> Scan:  # noqa: B008
    """Read the data set behind `meta`; a truncated, endless, too deep or too large one is CannotUnderstand.

    Elements are shared between scans: never change one. Characters that cannot be read are replaced and named in
    `warnings`, never refused.
    """
    buf = inflated(buf, meta, limits)
    syntax = meta.transfer_syntax_uid
    reader = Reader(buf, limits)
    elements = reader.read(
        meta.dataset_offset, implicit=syntax in _IMPLICIT, order=BIG_ENDIAN if syntax == EXPLICIT_BIG else LITTLE
    )
    frames = _frames(buf, reader, elements, video=syntax.startswith(_VIDEO))
    header_end = reader.pixels.element_offset if reader.pixels else len(buf)
    return Scan(
        elements, meta.dataset_offset, header_end, frames, reader.bulk, tuple(reader.warnings), _encapsulated(reader)
    )


def _encapsulated(reader: Reader) -> bool:
    return reader.pixels is not None and reader.pixels.items is not None


def _frames(buf: Buffer, reader: Reader, elements: dict[str, Element], *, video: bool) -> FrameTable:
    pixels = reader.pixels
    if pixels is None:
        return FrameTable()
    expected = 1 if video else whole_number(elements, _NUMBER_OF_FRAMES, 1)
    if pixels.items is None:
        table = native_frames(elements, pixels.value_offset, pixels.length, pixels.tag)
    else:
        offsets, lengths = (_longs(buf, reader, elements, tag) for tag in (_OFFSETS, _LENGTHS))
        table = frames_of(buf, pixels.items, expected, offsets, lengths)
    if table.count != expected:
        reader.warn(f"{expected} frames are said to be in {PIXELS[pixels.tag]}, {table.count} were found")
    elif table.size:
        reader.warn(f"the only frame of {PIXELS[pixels.tag]} is cut")
    return table


def _longs(buf: Buffer, reader: Reader, elements: dict[str, Element], tag: str) -> tuple[int, ...]:
    """64-bit numbers of an Extended Offset Table, wherever its value is."""
    offset, length = reader.bulk.get(tag, (0, 0))
    raw = bytes(buf[offset : offset + length]) or inline_bytes(elements, tag)
    return unpack(f"<{len(raw) // 8}Q", raw[: len(raw) // 8 * 8])


def to_json(elements: dict[str, Element]) -> bytes:
    """The DICOM JSON model of a data set as bytes."""
    return orjson.dumps(elements)

"""Bytes of single elements, for data sets that no library would write."""

import struct

from storage.part10 import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, FileMeta

LITTLE = FileMeta("", "", EXPLICIT_LITTLE, 0)
IMPLICIT = FileMeta("", "", IMPLICIT_LITTLE, 0)
BIG = FileMeta("", "", EXPLICIT_BIG, 0)
"""What to scan a bare data set with."""

UNDEFINED = 0xFFFFFFFF
LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV", b"QQ"}


def explicit(tag: int, vr: bytes, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    size = len(value) if length is None else length
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) + vr
    return head + (struct.pack(order + "HI", 0, size) if vr in LONG else struct.pack(order + "H", size)) + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def item(value: bytes, length: int | None = None) -> bytes:
    return implicit(0xFFFEE000, value, length)


ITEM_END, SEQUENCE_END = implicit(0xFFFEE00D, b""), implicit(0xFFFEE0DD, b"")

"""Pictures as one animated GIF, put together from single ones and given piece by piece."""

import io
from collections.abc import Iterable, Iterator
from struct import pack
from typing import Final

from PIL import Image as Pillow

_HEAD: Final = 13
_LOOP: Final = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
_END: Final = b";"


def animated(pictures: Iterable[Pillow.Image], *, milliseconds: float) -> Iterator[bytes]:
    """A piece for each picture; one alone gives a GIF that stands still, and all have the size of the first."""
    first_table = b""
    for number, picture in enumerate(pictures):
        encoded = io.BytesIO()
        indexed = picture if picture.mode == "L" else picture.quantize(256, method=Pillow.Quantize.FASTOCTREE)
        indexed.save(encoded, "GIF", optimize=False, interlace=0)
        gif = encoded.getvalue()
        table, frame = _parts(gif)
        if number == 0:
            yield gif[:_HEAD] + table + _LOOP
            first_table = table
        own = b"" if table == first_table else table
        flags = 0x80 | _size_bits(own) if own else 0
        control = pack("<4sHBB", b"!\xf9\x04\0", max(2, round(milliseconds / 10)), 0, 0)
        yield b"".join((control, frame[:9], bytes([flags]), own, frame[10:]))
    yield _END


def _size_bits(table: bytes) -> int:
    return (len(table) // 3).bit_length() - 2


def _parts(gif: bytes) -> tuple[bytes, bytes]:
    """The table of colours, and the image from its separator to the end of its code."""
    colours = 3 * (2 << (gif[10] & 7)) if gif[10] & 0x80 else 0
    table, at = gif[_HEAD : _HEAD + colours], _HEAD + colours
    while gif[at] == 0x21:  # extensions
        at += 2
        while gif[at]:
            at += 1 + gif[at]
        at += 1
    if gif[at + 9] & 0x80:
        size = 3 * (2 << (gif[at + 9] & 7))
        table = gif[at + 10 : at + 10 + size]
        return table, gif[at : at + 10] + gif[at + 10 + size : -1]
    return table, gif[at:-1]

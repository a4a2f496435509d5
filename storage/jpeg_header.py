"""What a JPEG image says of itself, as the attributes of the Image Pixel Module (ISO 10918-1 B.2.2, PS3.3 C.7.6.3)."""

from struct import Struct
from typing import IO

from storage.values import Element

_SEGMENT = Struct(">BBH")
_FRAME = Struct(">BHHB")
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_MOST_SEGMENTS = 1000


def image_pixel(file: IO[bytes]) -> dict[str, Element]:
    """Rows, columns, samples and bits by its start of frame; empty when there is none to be found."""
    file.seek(0)
    if file.read(2) != b"\xff\xd8":
        return {}
    for _ in range(_MOST_SEGMENTS):
        head = file.read(_SEGMENT.size)
        if len(head) < _SEGMENT.size or head[0] != 0xFF:
            return {}
        _, marker, length = _SEGMENT.unpack(head)
        if marker in _FRAMES:
            frame = file.read(_FRAME.size)
            return _attributes(frame, lossless=marker in _LOSSLESS) if len(frame) == _FRAME.size else {}
        file.seek(length - 2, 1)
    return {}


def _attributes(frame: bytes, *, lossless: bool) -> dict[str, Element]:
    bits, rows, columns, samples = _FRAME.unpack(frame)
    colour = "RGB" if lossless else "YBR_FULL_422"
    found = {
        "00280002": _us(samples),
        "00280004": {"vr": "CS", "Value": [colour if samples == 3 else "MONOCHROME2"]},
        "00280010": _us(rows),
        "00280011": _us(columns),
        "00280100": _us(8 if bits <= 8 else 16),
        "00280101": _us(bits),
        "00280102": _us(bits - 1),
        "00280103": _us(0),
    }
    return found | ({"00280006": _us(0)} if samples == 3 else {})


def _us(value: int) -> Element:
    return {"vr": "US", "Value": [value]}

"""What a JPEG image says of itself: the attributes of the Image Pixel Module, and the transfer syntaxes it can be kept
in (ISO 10918-1 B.2, PS3.3 C.7.6.3, PS3.5 8.2.1)."""

from collections.abc import Iterator
from struct import Struct
from typing import IO

from storage.values import Element
from vna.model.transfer_syntaxes import JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS, JPEG_LOSSLESS_SV1

_SEGMENT = Struct(">BBH")
_FRAME = Struct(">BHHB")
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_SCAN = 0xDA
_PREDICTED = 0xC3
_SYNTAXES = {0xC0: (JPEG_BASELINE, JPEG_EXTENDED), 0xC1: (JPEG_EXTENDED,)}
_LOSSLESS_SYNTAXES = ((JPEG_LOSSLESS,), (JPEG_LOSSLESS_SV1, JPEG_LOSSLESS))
"""Of any predictor, and of the first one alone."""
_MOST_SEGMENTS = 1000


def image_pixel(file: IO[bytes]) -> dict[str, Element]:
    """Rows, columns, samples and bits by its start of frame; empty when there is none to be found."""
    for marker in _segments(file):
        if marker in _FRAMES:
            frame = file.read(_FRAME.size)
            return _attributes(frame, lossless=marker in _LOSSLESS) if len(frame) == _FRAME.size else {}
    return {}


def syntaxes(file: IO[bytes]) -> tuple[str, ...]:
    """The transfer syntaxes of its process, the closest first; empty for what is no JPEG image, and for processes that
    DICOM has none for."""
    process = 0
    for marker in _segments(file):
        if marker in _FRAMES:
            process = marker
        elif marker == _SCAN:
            return _LOSSLESS_SYNTAXES[_predictor(file) == 1] if process == _PREDICTED else _SYNTAXES.get(process, ())
    return ()


def _predictor(file: IO[bytes]) -> int:
    """Ss of the scan header, which follows the components (ISO 10918-1 B.2.3, H.1.2)."""
    components = file.read(1)
    rest = file.read(2 * components[0] + 1) if components else b""
    return rest[-1] if rest else 0


def _segments(file: IO[bytes]) -> Iterator[int]:
    """The marker of each segment up to the first scan, the file being at what the segment holds."""
    file.seek(0)
    if file.read(2) != b"\xff\xd8":
        return
    for _ in range(_MOST_SEGMENTS):
        head = file.read(_SEGMENT.size)
        while head.startswith(b"\xff\xff"):  # a marker may have bytes of filling before it (ISO 10918-1 B.1.1.2)
            head = head[1:] + file.read(1)
        if len(head) < _SEGMENT.size or head[0] != 0xFF:
            return
        _, marker, length = _SEGMENT.unpack(head)
        at = file.tell()
        yield marker
        if marker == _SCAN:
            return
        file.seek(at + length - 2)


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

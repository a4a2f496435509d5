"""PNG and GIF as pixels of an image: what they say of themselves, and their samples (PS3.18 10.5.2, PS3.3 C.7.6.3)."""

from dataclasses import replace
from struct import Struct
from typing import Final

from vna.model.errors import Damaged, TooLarge
from vna.pixels.codecs import CODECS
from vna.pixels.image import PICTURES, Image

MOST_BYTES: Final = 256 << 20
"""Of a picture as it comes."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_HEADER: Final = Struct(">8s4x4sLLBB")
"""Signature and IHDR of PNG: columns, rows, bits, kind of colour (ISO 15948 11.2.2)."""
_SCREEN: Final = Struct("<6sHH")
"""Signature and logical screen of GIF: columns, rows."""
_PALETTE, _GREY = 3, (0, 4)


def pixels_of_picture(content: bytes, media_type: str) -> tuple[Image, bytes]:
    """How its pixels are described, and they themselves in little endian, one picture behind the other.

    Damaged, or TooLarge; NotAcceptable for one that shows what is behind it.
    """
    if len(content) > MOST_BYTES:
        raise TooLarge(f"a picture is larger than {MOST_BYTES} bytes")
    image = _described(content, media_type)
    image.check()
    with CODECS.one() as codec:
        pixels = codec.decode(content, image, media_type)
    return replace(image, number_of_frames=len(pixels) // image.frame_bytes), pixels


def _described(content: bytes, media_type: str) -> Image:
    described = _png(content) if media_type == PICTURES[0] else _gif(content)
    if described is None:
        raise Damaged(f"what comes as {media_type} is none")
    columns, rows, samples, bits = described
    return Image(rows, columns, samples, bits, bits, 0, "MONOCHROME2" if samples == 1 else "RGB")


def _png(content: bytes) -> tuple[int, int, int, int] | None:
    """Columns, rows, samples and bits; None when it is no PNG."""
    if len(content) < _HEADER.size:
        return None
    signature, chunk, columns, rows, depth, kind = _HEADER.unpack_from(content)
    if (signature, chunk) != (_PNG, b"IHDR"):
        return None
    return columns, rows, 1 if kind in _GREY else 3, 16 if depth == 16 and kind != _PALETTE else 8


def _gif(content: bytes) -> tuple[int, int, int, int] | None:
    """The same of a GIF, of which every colour becomes RGB."""
    if len(content) < _SCREEN.size or content[:6] not in (b"GIF87a", b"GIF89a"):
        return None
    _, columns, rows = _SCREEN.unpack_from(content)
    return columns, rows, 3, 8

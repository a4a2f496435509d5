"""Which images a compression can hold, and how they are described in it (PS3.5 Tables 8.2.1-1 to 8.2.4-1)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from vna.model import transfer_syntaxes as ts
from vna.model.errors import NotAcceptable
from vna.pixels.image import Image


@dataclass(frozen=True, slots=True)
class Holds:
    """What a compression takes; `rgb` and `ybr` are what RGB and YBR_FULL are called in it."""

    allocated: tuple[int, ...] = (8, 16)
    most_bits: int = 16
    most_colour_bits: int = 16
    signed: bool = True
    palette: bool = True
    rgb: str = "RGB"
    ybr: str = "YBR_FULL"
    method: str = ""
    """Of Lossy Image Compression Method (PS3.3 C.7.6.1.1.5.1), where it is lossy."""


HOLDS: Final[Mapping[str, Holds]] = {
    ts.RLE: Holds(allocated=(8, 16, 32), most_bits=32, most_colour_bits=32),
    ts.JPEG_BASELINE: Holds((8,), 8, 8, False, False, "YBR_FULL_422", "YBR_FULL_422", "ISO_10918_1"),
    ts.JPEG_EXTENDED: Holds((8, 16), 12, 8, False, False, "YBR_FULL_422", "YBR_FULL_422", "ISO_10918_1"),
    ts.JPEG_LOSSLESS_SV1: Holds(),
    ts.JPEG_LS: Holds(),
    ts.JPEG_LS_NEAR: Holds(palette=False, method="ISO_14495_1"),
    ts.JPEG_2000_LOSSLESS: Holds(allocated=(8, 16, 32), most_bits=24, rgb="YBR_RCT"),
    ts.JPEG_2000: Holds(allocated=(8, 16, 32), most_bits=24, palette=False, rgb="YBR_ICT", method="ISO_15444_1"),
    ts.HTJ2K_LOSSLESS: Holds(rgb="YBR_RCT"),
    ts.HTJ2K_LOSSLESS_RPCL: Holds(rgb="YBR_RCT"),
}

_ONE_SAMPLE: Final = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_THREE_SAMPLES: Final = ("RGB", "YBR_FULL")


def held_as(image: Image, target_uid: str) -> Image:
    """The description of `image`, decoded, once it is compressed; NotAcceptable, and why, when it cannot be."""
    name, holds = ts.TRANSFER_SYNTAXES[target_uid].name, HOLDS[target_uid]
    if reason := _refusal(image, holds):
        raise NotAcceptable(f"{name} cannot hold {reason}")
    renamed = {"RGB": holds.rgb, "YBR_FULL": holds.ybr}
    photometric = renamed.get(image.photometric_interpretation, image.photometric_interpretation)
    return replace(image, photometric_interpretation=photometric)


def _refusal(image: Image, holds: Holds) -> str:
    photometric, samples = image.photometric_interpretation, image.samples_per_pixel
    if photometric not in (_ONE_SAMPLE if samples == 1 else _THREE_SAMPLES if samples == 3 else ()):
        return f"pixels of {samples} samples that are {photometric or 'undescribed'}"
    if image.bits_allocated not in holds.allocated:
        return f"pixels of {image.bits_allocated} bits allocated"
    if image.bits_stored > (most := holds.most_bits if samples == 1 else holds.most_colour_bits):
        return f"{'pixels' if samples == 1 else 'colour'} of {image.bits_stored} bits, the most is {most}"
    if image.bits_allocated == 16 and samples == 3 and holds.most_colour_bits == 8:
        return "colour of 16 bits allocated"
    if image.pixel_representation and not holds.signed:
        return "signed pixels"
    if photometric == "PALETTE COLOR" and not holds.palette:
        return "palette colour: indices must not change"
    return ""

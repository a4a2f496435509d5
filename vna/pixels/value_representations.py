"""Which value representation an element has where the encoding does not say (PS3.5 A.1, PS3.6 section 6)."""

from collections.abc import Mapping
from typing import Final

from pydicom.datadict import dictionary_VR, private_dictionary_VR

from vna.pixels.elements import PIXEL_DATA

SWAPPED_UNITS: Final[Mapping[str, int]] = {
    "AT": 2,
    "OW": 2,
    "SS": 2,
    "US": 2,
    "FL": 4,
    "OF": 4,
    "OL": 4,
    "SL": 4,
    "UL": 4,
    "FD": 8,
    "OD": 8,
    "OV": 8,
    "SV": 8,
    "UV": 8,
}
"""How many bytes belong together when the byte order changes; a VR not here has no byte order (PS3.5 7.3, Table 6.2-1).

OW is 16-bit words also where a pixel has 32 bits: so says Table 6.2-1, and so does dcmtk.
"""

SAMPLES_PER_PIXEL: Final = 0x00280002
PHOTOMETRIC_INTERPRETATION: Final = 0x00280004
PLANAR_CONFIGURATION: Final = 0x00280006
NUMBER_OF_FRAMES: Final = 0x00280008
ROWS: Final = 0x00280010
COLUMNS: Final = 0x00280011
BITS_ALLOCATED: Final = 0x00280100
BITS_STORED: Final = 0x00280101
PIXEL_REPRESENTATION: Final = 0x00280103
LUT_DESCRIPTOR: Final = 0x00283002
WAVEFORM_BITS_ALLOCATED: Final = 0x54001004

NUMBERS: Final = frozenset(
    {
        SAMPLES_PER_PIXEL,
        PLANAR_CONFIGURATION,
        ROWS,
        COLUMNS,
        BITS_ALLOCATED,
        BITS_STORED,
        PIXEL_REPRESENTATION,
        LUT_DESCRIPTOR,
        WAVEFORM_BITS_ALLOCATED,
    }
)
TEXTS: Final = frozenset({PHOTOMETRIC_INTERPRETATION, NUMBER_OF_FRAMES})


class Surroundings:
    """What the elements of one data set or item read so far say about those still to come."""

    __slots__ = ("creators", "numbers", "parent", "texts")

    def __init__(self, parent: "Surroundings | None" = None) -> None:
        self.parent = parent
        self.numbers: dict[int, int] = {}
        self.texts: dict[int, str] = {}
        self.creators: dict[int, str] = {}

    def learn(self, tag: int, value: bytes, *, little: bool) -> None:
        """Remember a short value, when it is one that decides about others."""
        if tag in NUMBERS:
            if len(value) >= 2:
                self.numbers[tag] = int.from_bytes(value[:2], "little" if little else "big")
        elif tag in TEXTS:
            self.texts[tag] = value.decode("latin-1").strip(" \0")
        elif _is_creator(tag):
            self.creators[tag] = value.decode("latin-1").strip(" \0")

    def number(self, tag: int, default: int) -> int:
        """Of this data set or the nearest one around it."""
        if tag in self.numbers:
            return self.numbers[tag]
        return self.parent.number(tag, default) if self.parent else default

    def decides(self, tag: int) -> bool:
        """Whether the value of `tag` is one to learn."""
        return tag in NUMBERS or tag in TEXTS or _is_creator(tag)


def _is_creator(tag: int) -> bool:
    return bool(tag & 0x10000) and 0x10 <= tag & 0xFFFF <= 0xFF


def implied_vr(tag: int, around: Surroundings) -> str:
    """By dictionary and surroundings; UN for what nobody knows."""
    if tag & 0x10000:
        return _private_vr(tag, around)
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "UL" if tag & 0xFFFF == 0 else "UN"
    return _resolved(tag, vr, around) if " or " in vr else vr


def _private_vr(tag: int, around: Surroundings) -> str:
    if _is_creator(tag):
        return "LO"
    creator = around.creators.get(tag & 0xFFFF0000 | (tag >> 8 & 0xFF))
    if creator is None:
        return "UN"
    try:
        vr = private_dictionary_VR(tag, creator)
    except KeyError:
        return "UN"
    return _resolved(tag, vr, around) if " or " in vr else vr


def _resolved(tag: int, vr: str, around: Surroundings) -> str:
    if vr == "US or SS":
        return "SS" if around.number(PIXEL_REPRESENTATION, 0) == 1 else "US"
    if vr == "US or OW":  # LUT Data: one entry is a number (PS3.3 C.11.1.1.1)
        return "US" if around.number(LUT_DESCRIPTOR, 0) == 1 else "OW"
    if tag == PIXEL_DATA:
        return "OW" if around.number(BITS_ALLOCATED, 16) > 8 else "OB"
    if tag >> 16 == 0x5400:
        return "OW" if around.number(WAVEFORM_BITS_ALLOCATED, 16) > 8 else "OB"
    return "OW"

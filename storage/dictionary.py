"""Tags and value representations as tables (PS3.6, PS3.5 6.2), laid out for reading a header fast."""

from functools import lru_cache

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

VRS: dict[int, str] = {tag: entry[0] for tag, entry in DicomDictionary.items()}
"""Tag number to VR as the dictionary has it, ambiguous ones ("US or SS") included; repeating groups are in `vr_of`."""

KEYS: dict[int, str] = {tag: f"{tag:08X}" for tag in DicomDictionary}
"""Tag number to the name it has in the DICOM JSON model (PS3.18 F.2.2)."""

_REPEATERS = tuple(
    (int(mask.replace("x", "0"), 16), int("".join("0" if c == "x" else "F" for c in mask), 16), entry[0])
    for mask, entry in RepeatersDictionary.items()
)

PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00010, 0x7FE00008, 0x7FE00009
PIXELS = {PIXEL_DATA: "7FE00010", FLOAT_PIXEL_DATA: "7FE00008", DOUBLE_FLOAT_PIXEL_DATA: "7FE00009"}
CHARACTER_SET = 0x00080005
PIXEL_REPRESENTATION = 0x00280103
TRAILING_PADDING = 0xFFFCFFFC
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LUT_DESCRIPTORS = frozenset({0x00281101, 0x00281102, 0x00281103, 0x00283002})

BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
SHORT_LENGTH = (  # two bytes of length in Explicit VR; every other VR has four (PS3.5 7.1.2)
    *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO"),
    *("LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"),
)
LONG_LENGTH = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
SHORT_VRS = {vr.encode(): vr for vr in SHORT_LENGTH}
LONG_VRS = {vr.encode(): vr for vr in LONG_LENGTH}
NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
WORDS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
"""Bytes of a word that Big Endian turns around (PS3.5 7.3)."""


@lru_cache(maxsize=16384)
def key_of(tag: int) -> str:
    """The tag as eight upper-case hexadecimal digits."""
    return f"{tag:08X}"


def vr_of(tag: int) -> str:
    """The VR that Implicit VR leaves unsaid: from the dictionary, LO for private creators, else UN (PS3.5 6.2.2,
    7.8.1)."""
    vr = VRS.get(tag)
    if vr is None:
        vr = _private(tag) if tag >> 16 & 1 else _repeating(tag)
    return vr


def _private(tag: int) -> str:
    return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"


def _repeating(tag: int) -> str:
    if not tag & 0xFFFF:
        return "UL"  # group length
    return next((vr for value, mask, vr in _REPEATERS if tag & mask == value), "UN")

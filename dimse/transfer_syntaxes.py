"""Transfer syntaxes that are taken and kept as received (PS3.6 Table A-1, PS3.5 section 10 and annex A).

pydicom's own, and those it does not know yet. Data sets in syntaxes that are not self-contained over DIMSE
(JPIP references are, their pixels are elsewhere) are stored all the same: the archive keeps what it is given.
"""

from __future__ import annotations

from typing import Final

from pydicom._uid_dict import UID_dictionary

IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"

JPEG_XL: Final = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
}

NOT_FOR_STORAGE: Final = frozenset(
    {
        "1.2.840.10008.1.2.6.1",  # RFC 2557 MIME encapsulation, retired: no data set
        "1.2.840.10008.1.2.6.2",  # XML encoding, retired: no data set
        "1.2.840.10008.1.2.7.1",  # SMPTE ST 2110 streams: PS3.22, never over DIMSE
        "1.2.840.10008.1.2.7.2",
        "1.2.840.10008.1.2.7.3",
        "1.2.840.10008.1.20",  # Papyrus 3, retired: a file format
    }
)

TRANSFER_SYNTAX_NAMES: Final[dict[str, str]] = {
    uid: entry[0]
    for uid, entry in UID_dictionary.items()
    if entry[1] == "Transfer Syntax" and uid not in NOT_FOR_STORAGE
} | JPEG_XL

STORAGE_TRANSFER_SYNTAXES: Final = tuple(TRANSFER_SYNTAX_NAMES)

UNCOMPRESSED: Final = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)
QUERY_TRANSFER_SYNTAXES: Final = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
)

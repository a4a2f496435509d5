"""Transfer syntaxes: which there are, and what changing one into another needs to know (PS3.6 Table A-1, PS3.5 A)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydicom._uid_dict import UID_dictionary

IMPLICIT_LE: Final = "1.2.840.10008.1.2"
EXPLICIT_LE: Final = "1.2.840.10008.1.2.1"
ENCAPSULATED_UNCOMPRESSED: Final = "1.2.840.10008.1.2.1.98"
DEFLATED_LE: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE: Final = "1.2.840.10008.1.2.2"
JPEG_BASELINE: Final = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED: Final = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS: Final = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_SV1: Final = "1.2.840.10008.1.2.4.70"
JPEG_LS: Final = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR: Final = "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS: Final = "1.2.840.10008.1.2.4.90"
JPEG_2000: Final = "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS: Final = "1.2.840.10008.1.2.4.201"
HTJ2K_LOSSLESS_RPCL: Final = "1.2.840.10008.1.2.4.202"
HTJ2K: Final = "1.2.840.10008.1.2.4.203"
RLE: Final = "1.2.840.10008.1.2.5"


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """`lossy`: pixels in it may have lost something; `can_decode`: its pixel data can be written in a native syntax;
    `can_encode`: native pixel data can be written in it."""

    uid: str
    name: str
    encapsulated: bool = True
    explicit: bool = True
    little_endian: bool = True
    deflated: bool = False
    lossy: bool = False
    can_decode: bool = False
    can_encode: bool = False

    @property
    def native(self) -> bool:
        """Pixels are kept as plain numbers in the data set, so that any native syntax can be made of any other."""
        return not self.encapsulated and self.can_decode


_NATIVE: Final = (
    TransferSyntax(EXPLICIT_LE, "Explicit VR Little Endian", encapsulated=False, can_decode=True),
    TransferSyntax(IMPLICIT_LE, "Implicit VR Little Endian", encapsulated=False, explicit=False, can_decode=True),
    TransferSyntax(EXPLICIT_BE, "Explicit VR Big Endian", encapsulated=False, little_endian=False, can_decode=True),
    TransferSyntax(
        DEFLATED_LE, "Deflated Explicit VR Little Endian", encapsulated=False, deflated=True, can_decode=True
    ),
)

_JPEG_XL: Final = {  # PS3.6 of 2025; pydicom 3.0.2 does not have them
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
}

_DECODABLE: Final = frozenset(
    {
        ENCAPSULATED_UNCOMPRESSED,
        JPEG_BASELINE,
        JPEG_EXTENDED,
        JPEG_LOSSLESS,
        JPEG_LOSSLESS_SV1,
        JPEG_LS,
        JPEG_LS_NEAR,
        JPEG_2000_LOSSLESS,
        JPEG_2000,
        HTJ2K_LOSSLESS,
        HTJ2K_LOSSLESS_RPCL,
        HTJ2K,
        RLE,
    }
)

_ENCODABLE: Final = frozenset(
    {
        JPEG_BASELINE,
        JPEG_EXTENDED,
        JPEG_LOSSLESS_SV1,
        JPEG_LS,
        JPEG_LS_NEAR,
        JPEG_2000_LOSSLESS,
        JPEG_2000,
        HTJ2K_LOSSLESS,
        HTJ2K_LOSSLESS_RPCL,
        RLE,
    }
)

_LOSSLESS: Final = frozenset(
    {
        ENCAPSULATED_UNCOMPRESSED,
        JPEG_LOSSLESS,
        "1.2.840.10008.1.2.4.58",
        "1.2.840.10008.1.2.4.65",
        "1.2.840.10008.1.2.4.66",
        JPEG_LOSSLESS_SV1,
        JPEG_LS,
        JPEG_2000_LOSSLESS,
        "1.2.840.10008.1.2.4.92",
        "1.2.840.10008.1.2.4.110",
        HTJ2K_LOSSLESS,
        HTJ2K_LOSSLESS_RPCL,
        RLE,
    }
)

# Pixels are behind a URL (PS3.5 A.6, A.7): the data set is plain, but no native syntax may say of itself what it says.
_REFERENCED: Final = {
    "1.2.840.10008.1.2.4.94": False,
    "1.2.840.10008.1.2.4.95": True,
    "1.2.840.10008.1.2.4.204": False,
    "1.2.840.10008.1.2.4.205": True,
}

_NO_DATA_SET: Final = ("1.2.840.10008.1.2.6.", "1.2.840.10008.1.2.7.", "1.2.840.10008.1.20")


def _names() -> dict[str, str]:
    known = {
        uid: entry[0]
        for uid, entry in UID_dictionary.items()
        if entry[1] == "Transfer Syntax" and not uid.startswith(_NO_DATA_SET)
    }
    return known | _JPEG_XL


def _table() -> dict[str, TransferSyntax]:
    table = {syntax.uid: syntax for syntax in _NATIVE}
    for uid, name in _names().items():
        if uid in _REFERENCED:
            table[uid] = TransferSyntax(uid, name, encapsulated=False, deflated=_REFERENCED[uid], lossy=True)
        elif uid not in table:
            table[uid] = TransferSyntax(
                uid, name, lossy=uid not in _LOSSLESS, can_decode=uid in _DECODABLE, can_encode=uid in _ENCODABLE
            )
    return table


TRANSFER_SYNTAXES: Final[Mapping[str, TransferSyntax]] = _table()


STORAGE_TRANSFER_SYNTAXES: Final = tuple(TRANSFER_SYNTAXES)
"""Those an object can come in, and is kept in (PS3.5 section 10 and annex A)."""

QUERY_TRANSFER_SYNTAXES: Final = (EXPLICIT_LE, IMPLICIT_LE, DEFLATED_LE, EXPLICIT_BE)
"""Those of identifiers, in order of preference."""


def can_transcode(source_uid: str, target_uid: str) -> bool:
    """Whether an object kept in `source_uid` can, by its syntax, be given in `target_uid` with nothing lost.

    A damaged object may fail all the same, and one whose pixels a compression cannot hold, or that has none.
    """
    target = TRANSFER_SYNTAXES.get(target_uid)
    return source_uid == target_uid or (
        target is not None and not target.lossy and can_transcode_lossily(source_uid, target_uid)
    )


def can_transcode_lossily(source_uid: str, target_uid: str) -> bool:
    """The same, also into syntaxes that lose something: for those who ask for such a one by name."""
    if source_uid == target_uid:
        return True
    source, target = TRANSFER_SYNTAXES.get(source_uid), TRANSFER_SYNTAXES.get(target_uid)
    return source is not None and target is not None and source.can_decode and (target.native or target.can_encode)

"""What it takes to read what was exported: transfer syntaxes, and SOP Classes that need software of their own."""

from dataclasses import dataclass
from typing import Final

from pydicom._uid_dict import UID_dictionary

from vna.model.transfer_syntaxes import TRANSFER_SYNTAXES


@dataclass(frozen=True, slots=True)
class Decoder:
    """What is needed for something that occurs `count` times, after which standard, and which free software does it."""

    uid: str
    name: str
    standard: str
    free: str
    count: int


_PLAIN = ("DICOM PS3.5 7, 8 and A.1 to A.3 (no compression)", "DCMTK, GDCM, pydicom, Orthanc, dcm4che")
_DEFLATE = ("DICOM PS3.5 A.5; RFC 1951", "DCMTK, GDCM, pydicom, dcm4che")
_JPEG = ("ISO/IEC 10918-1 (ITU-T T.81)", "DCMTK (dcmdjpeg), GDCM, dcm4che, FFmpeg")
_JPEG_LS = ("ISO/IEC 14495-1 (ITU-T T.87)", "CharLS, DCMTK (dcmdjpls), GDCM")
_JPEG_2000 = ("ISO/IEC 15444-1 (ITU-T T.800)", "OpenJPEG, GDCM")
_JPEG_2000_2 = ("ISO/IEC 15444-2 (ITU-T T.801)", "none known for all of it")
_HTJ2K = ("ISO/IEC 15444-15 (ITU-T T.814)", "OpenJPH, OpenJPEG 2.5")
_JPEG_XL = ("ISO/IEC 18181-1", "libjxl")
_MPEG2 = ("ISO/IEC 13818-2 (ITU-T H.262)", "FFmpeg, VLC")
_H264 = ("ISO/IEC 14496-10 (ITU-T H.264)", "FFmpeg, VLC")
_H265 = ("ISO/IEC 23008-2 (ITU-T H.265)", "FFmpeg, VLC")
_RLE = ("DICOM PS3.5 G (PackBits)", "DCMTK (dcmdrle), GDCM, pydicom")
_UNKNOWN = ("the DICOM conformance statement of the system that made it", "none known")

_JPEG_FAMILY = "1.2.840.10008.1.2.4."
_SYNTAXES: Final[dict[str, tuple[str, str]]] = {  # PS3.5 10 and annex A; PS3.6 Table A-1
    **dict.fromkeys(
        ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.98"], _PLAIN
    ),
    "1.2.840.10008.1.2.1.99": _DEFLATE,
    "1.2.840.10008.1.2.5": _RLE,
    **dict.fromkeys([_JPEG_FAMILY + str(number) for number in range(50, 71)], _JPEG),
    **dict.fromkeys([_JPEG_FAMILY + str(number) for number in (80, 81)], _JPEG_LS),
    **dict.fromkeys([_JPEG_FAMILY + str(number) for number in (90, 91)], _JPEG_2000),
    **dict.fromkeys([_JPEG_FAMILY + str(number) for number in (92, 93)], _JPEG_2000_2),
    **dict.fromkeys([_JPEG_FAMILY + number + part for number in ("100", "101") for part in ("", ".1")], _MPEG2),
    **dict.fromkeys([_JPEG_FAMILY + str(number) + part for number in range(102, 107) for part in ("", ".1")], _H264),
    **dict.fromkeys([_JPEG_FAMILY + str(number) for number in (107, 108)], _H265),
    **dict.fromkeys([_JPEG_FAMILY + str(number) for number in (110, 111, 112)], _JPEG_XL),
    **dict.fromkeys([_JPEG_FAMILY + str(number) for number in (201, 202, 203)], _HTJ2K),
}

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_CLASSES: Final[dict[str, tuple[str, str]]] = {
    _STORAGE + "104.1": ("ISO 32000 (PDF)", "any PDF reader; DCMTK (dcm2pdf) takes it out"),
    _STORAGE + "104.2": ("HL7 CDA Release 2 (XML)", "any XML reader; DCMTK (dcm2cda)"),
    _STORAGE + "104.3": ("STL", "3D Slicer, MeshLab"),
    _STORAGE + "104.4": ("Wavefront OBJ", "3D Slicer, MeshLab"),
    _STORAGE + "104.5": ("Wavefront MTL", "3D Slicer, MeshLab"),
    _STORAGE + "66": ("raw data of the maker of the device", "none known"),
}
_PREFIXES: Final = (
    (_STORAGE + "88.", ("DICOM PS3.3 A.35 (structured report)", "DCMTK (dsrdump), 3D Slicer, dcm4che")),
    (_STORAGE + "9.", ("DICOM PS3.3 A.34 (waveform)", "pydicom, dcm4che")),
    (_STORAGE + "481.", ("DICOM PS3.3 A.17 to A.20 and A.86 (radiotherapy)", "3D Slicer (SlicerRT), pydicom")),
)


def needed_for_syntax(uid: str, count: int) -> Decoder:
    """What reads a transfer syntax."""
    known = TRANSFER_SYNTAXES.get(uid)
    return Decoder(uid, known.name if known else uid, *_SYNTAXES.get(uid, _UNKNOWN), count)


def needed_for_class(uid: str, count: int) -> Decoder | None:
    """What reads a SOP Class beside its transfer syntax; None for plain images."""
    found = _CLASSES.get(uid) or next((said for prefix, said in _PREFIXES if uid.startswith(prefix)), None)
    if found is None and uid in UID_dictionary:
        return None
    name = UID_dictionary[uid][0] if uid in UID_dictionary else uid
    return Decoder(uid, name, *(found or _UNKNOWN), count)

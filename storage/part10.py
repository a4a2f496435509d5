"""The first bytes of a DICOM file: preamble and File Meta Information (PS3.10 7)."""

from dataclasses import dataclass
from struct import Struct, error

from storage.dictionary import LONG_VRS, SHORT_VRS
from storage.frames import Buffer
from vna.model.errors import CannotUnderstand

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

IMPLEMENTATION_CLASS_UID = "2.25.152089728123362327742438673371187669623"
IMPLEMENTATION_VERSION_NAME = "VNA_0_1"

_PREAMBLE = 128
_PREFIX = b"DICM"
_MOST_ELEMENTS = 1000
_GROUP_2 = b"\x02\x00"
_EXPLICIT = Struct("<HH2sH")
_IMPLICIT = Struct("<HHI")
_LONG = Struct("<I")
_TAG = Struct("<HH")
_GUESSED_BYTES = 64 << 10
_KEPT_ELEMENTS = {
    0x0002: "sop_class_uid",
    0x0003: "sop_instance_uid",
    0x0010: "transfer_syntax_uid",
    0x0016: "source_ae",
}


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What group 2 says, "" where it is silent; `dataset_offset` is where the data set begins."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset_offset: int


def read_file_meta(buf: Buffer) -> FileMeta:
    """File Meta Information of a file, tolerant of what is met in the field.

    The preamble may be missing, the group length wrong or absent, the elements in Implicit VR. A transfer syntax that
    is not said is guessed from the first elements of the data set; without group 2 these have to be of group 0008.
    What is no DICOM file is CannotUnderstand.
    """
    start = _start(buf)
    found, offset = _group_2(buf, start)
    if not found.get("transfer_syntax_uid"):
        found["transfer_syntax_uid"] = guess_transfer_syntax(buf, offset, required=offset == start)
    return FileMeta(
        found.get("sop_class_uid", ""), found.get("sop_instance_uid", ""), found["transfer_syntax_uid"], offset
    )


def source_ae(buf: Buffer) -> str:
    """The AE title that wrote the file, by its group 2; "" where it does not say."""
    found, _ = _group_2(buf, _start(buf))
    return found.get("source_ae", "")


def _start(buf: Buffer) -> int:
    if bytes(buf[_PREAMBLE : _PREAMBLE + 4]) == _PREFIX:
        return _PREAMBLE + 4
    return 4 if bytes(buf[:4]) == _PREFIX else 0


def _group_2(buf: Buffer, offset: int) -> tuple[dict[str, str], int]:
    """Its UIDs and AE title, and where the first element of another group begins; its group length is not trusted."""
    found: dict[str, str] = {}
    for _ in range(_MOST_ELEMENTS):
        if bytes(buf[offset : offset + 2]) != _GROUP_2:
            return found, offset
        try:
            number, start, end = _meta_element(buf, offset)
        except error as exc:
            raise CannotUnderstand(f"the File Meta Information is truncated at offset {offset}") from exc
        if end > len(buf):
            raise CannotUnderstand(f"(0002,{number:04X}) at offset {offset} runs past the end: truncated")
        if name := _KEPT_ELEMENTS.get(number):
            found[name] = bytes(buf[start : min(end, start + 256)]).strip(b" \0").decode("latin-1")
        offset = end
    raise CannotUnderstand(f"the File Meta Information has more than {_MOST_ELEMENTS} elements")


def _meta_element(buf: Buffer, offset: int) -> tuple[int, int, int]:
    """Element number, and where its value begins and ends."""
    _, number, vr, length = _EXPLICIT.unpack_from(buf, offset)
    start = offset + 8
    if vr in LONG_VRS:
        (length,) = _LONG.unpack_from(buf, start)
        start += 4
    elif vr not in SHORT_VRS:
        _, number, length = _IMPLICIT.unpack_from(buf, offset)
    return number, start, start + length


def guess_transfer_syntax(buf: Buffer, offset: int, *, required: bool) -> str:
    """The native syntax that the first element looks like; `required` to be a plausible begin of group 0008."""
    head = bytes(buf[offset : offset + 8])
    if not head and not required:
        return EXPLICIT_LITTLE
    if len(head) < 8:
        raise CannotUnderstand("the file is too short to be a DICOM file")
    explicit = head[4:6] in SHORT_VRS or head[4:6] in LONG_VRS
    if required and not _plausible(buf, offset, head, explicit):
        raise CannotUnderstand("the file is no DICOM file: no DICM prefix, no group 0008 first")
    if not explicit:
        return IMPLICIT_LITTLE
    return EXPLICIT_BIG if head[0] == 0 and head[1] else EXPLICIT_LITTLE


def _plausible(buf: Buffer, offset: int, head: bytes, explicit: bool) -> bool:
    if explicit:
        return head[:2] in (b"\x08\x00", b"\x00\x08")
    group, number, length = _IMPLICIT.unpack(head)
    following = offset + 8 + length
    if group != 8 or number > 0x1000 or following + 8 > len(buf):
        return False
    next_group, next_number, _ = _IMPLICIT.unpack_from(buf, following)
    return bool(next_group >= 8 and (next_group, next_number) > (group, number))


def _element(number: int, vr: bytes, value: bytes, padding: bytes = b"\0") -> bytes:
    value += padding * (len(value) % 2)
    return _EXPLICIT.pack(2, number, vr, len(value)) + value


_VERSION = _EXPLICIT.pack(2, 0x0001, b"OB", 0) + _LONG.pack(2) + b"\x00\x01"
_IMPLEMENTATION = _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID.encode()) + _element(
    0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode(), b" "
)


def write_file_meta(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae: str = "", receiving_ae: str = ""
) -> bytes:
    """Preamble, prefix and File Meta Information for a data set that came without (PS3.10 Table 7.1-1)."""
    elements = [
        _VERSION,
        _element(0x0002, b"UI", sop_class_uid.encode("ascii", "replace")),
        _element(0x0003, b"UI", sop_instance_uid.encode("ascii", "replace")),
        _element(0x0010, b"UI", transfer_syntax_uid.encode("ascii", "replace")),
        _IMPLEMENTATION,
    ]
    for number, title in ((0x0016, source_ae), (0x0018, receiving_ae)):
        if title:
            elements.append(_element(number, b"AE", title.encode("ascii", "replace")[:16], b" "))
    group = b"".join(elements)
    return bytes(_PREAMBLE) + _PREFIX + _element(0, b"UL", _LONG.pack(len(group))) + group


def guess_uid(buf: Buffer, tag: int) -> str:
    """What looks like a UID of this tag in the first bytes of a little endian object; "" when nothing does.

    No parsing: an item of a sequence may be what is found.
    """
    raw = bytes(buf[:_GUESSED_BYTES])
    at = raw.find(_TAG.pack(tag >> 16, tag & 0xFFFF))
    if at < 0 or at + 8 > len(raw):
        return ""
    _, _, vr, length = _EXPLICIT.unpack_from(raw, at)
    if vr != b"UI":
        _, _, length = _IMPLICIT.unpack_from(raw, at)
    return raw[at + 8 : at + 8 + min(length, 65)].rstrip(b" \0").decode("latin-1")

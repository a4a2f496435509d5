"""Which instance the beginning of a refused part was to be, as far as that can be told (PS3.10 7.1, PS3.5 7.1)."""

import struct

from vna.model.identifiers import is_uid

_TAG = struct.Struct("<HH")
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_MEDIA_SOP_CLASS, _MEDIA_SOP_INSTANCE = 0x00020002, 0x00020003
_WANTED = frozenset({_SOP_CLASS, _SOP_INSTANCE, _MEDIA_SOP_CLASS, _MEDIA_SOP_INSTANCE})


def identify(head: bytes) -> tuple[str, str]:
    """SOP Class UID and SOP Instance UID, of the data set or else of group 2; both "" unless both are there."""
    found = _uids(head)
    for tags in ((_SOP_CLASS, _SOP_INSTANCE), (_MEDIA_SOP_CLASS, _MEDIA_SOP_INSTANCE)):
        sop_class_uid, sop_instance_uid = (found.get(tag, "") for tag in tags)
        if is_uid(sop_class_uid) and is_uid(sop_instance_uid):
            return sop_class_uid, sop_instance_uid
    return "", ""


def _uids(head: bytes) -> dict[int, str]:
    """The elements wanted, in explicit or implicit little endian; whatever else the bytes are, reading just stops."""
    found: dict[int, str] = {}
    at = 132 if head[128:132] == b"DICM" else 0
    while at + 12 <= len(head):
        group, element = _TAG.unpack_from(head, at)
        tag = group << 16 | element
        if tag > _SOP_INSTANCE:
            break
        at, length = _value(head, at)
        if tag in _WANTED:
            found[tag] = head[at : at + min(length, 128)].rstrip(b"\0 ").decode("ascii", "replace")
        at += length
    return found


def _value(head: bytes, at: int) -> tuple[int, int]:
    """Where the value of the element at `at` begins, and its length."""
    vr = head[at + 4 : at + 6]
    if vr in _LONG_VRS:
        return at + 12, int.from_bytes(head[at + 8 : at + 12], "little")
    if vr.isalpha() and vr.isupper():
        return at + 8, int.from_bytes(head[at + 6 : at + 8], "little")
    return at + 8, int.from_bytes(head[at + 4 : at + 8], "little")

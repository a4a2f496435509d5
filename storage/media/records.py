"""Directory records: what a DICOMDIR says of patients, studies, series and instances (PS3.3 F.5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final

from storage.elements import text
from storage.encode import encode
from storage.values import Element
from vna.model.errors import CannotUnderstand

Elements = Mapping[str, Element]

_HEAD = Struct("<HHI HH2sHI HH2sHH HH2sHI")
HEAD_BYTES: Final = _HEAD.size
"""The item's own header and the three elements that say where other records are."""

_IN_USE: Final = 0xFFFF
_LONGEST_SEQUENCE: Final = 32 << 10


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute of a record; `invented` stands where it is of type 1 and the object does not say it."""

    tag: str
    vr: str
    required: bool = False
    invented: str = ""


def _keys(*keys: tuple[str, str] | tuple[str, str, str]) -> tuple[Key, ...]:
    return tuple(Key(one[0], one[1], len(one) == 3, one[2] if len(one) == 3 else "") for one in keys)


_NUMBER = ("00200013", "IS", "0")
_DATE, _TIME = ("00080023", "DA", "19000101"), ("00080033", "TM", "000000")
_DATE_OR_NOT, _TIME_OR_NOT = ("00080023", "DA"), ("00080033", "TM")
_CONCEPT = ("0040A043", "SQ", "")
_CONTENT = (_NUMBER, _DATE, _TIME)
_NAMED = (("00700080", "CS", "UNNAMED"), ("00700081", "LO"), ("00700084", "PN"))

KEYS: Final[Mapping[str, tuple[Key, ...]]] = {  # PS3.3 F.5.1 to F.5.46
    "PATIENT": _keys(("00100010", "PN"), ("00100020", "LO", "UNKNOWN"), ("00100030", "DA"), ("00100040", "CS")),
    "STUDY": _keys(
        ("00080020", "DA", "19000101"),
        ("00080030", "TM", "000000"),
        ("00080050", "SH"),
        ("00081030", "LO"),
        ("0020000D", "UI", ""),
        ("00200010", "SH", "0"),
    ),
    "SERIES": _keys(("00080060", "CS", "OT"), ("0008103E", "LO"), ("0020000E", "UI", ""), ("00200011", "IS", "0")),
    "IMAGE": _keys(_NUMBER),
    "RT DOSE": _keys(_NUMBER, ("3004000A", "CS", "PLAN")),
    "RT STRUCTURE SET": _keys(_NUMBER, ("30060002", "SH", "UNNAMED"), ("30060008", "DA"), ("30060009", "TM")),
    "RT PLAN": _keys(_NUMBER, ("300A0002", "SH", "UNNAMED"), ("300A0006", "DA"), ("300A0007", "TM")),
    "RT TREAT RECORD": _keys(_NUMBER, ("30080250", "DA"), ("30080251", "TM")),
    "PRESENTATION": _keys(_NUMBER, *_NAMED, ("00700082", "DA", "19000101"), ("00700083", "TM", "000000")),
    "WAVEFORM": _keys(*_CONTENT),
    "SR DOCUMENT": _keys(*_CONTENT, _CONCEPT, ("0040A491", "CS", "PARTIAL"), ("0040A493", "CS", "UNVERIFIED")),
    "KEY OBJECT DOC": _keys(*_CONTENT, _CONCEPT),
    "SPECTROSCOPY": _keys(
        *_CONTENT,
        ("00080008", "CS", "ORIGINAL"),
        ("00280008", "IS", "1"),
        ("00280010", "US", "1"),
        ("00280011", "US", "1"),
        ("00289001", "UL", "1"),
        ("00289002", "UL", "1"),
    ),
    "RAW DATA": _keys(*_CONTENT),
    "REGISTRATION": _keys(*_CONTENT, *_NAMED),
    "FIDUCIAL": _keys(*_CONTENT, *_NAMED),
    "VALUE MAP": _keys(*_CONTENT, *_NAMED),
    "STEREOMETRIC": (),
    "ENCAP DOC": _keys(
        _NUMBER,
        _DATE_OR_NOT,
        _TIME_OR_NOT,
        ("00420010", "ST"),
        ("00420012", "LO", "application/octet-stream"),
        ("0040A043", "SQ"),
    ),
    "MEASUREMENT": _keys(*_CONTENT, *_NAMED),
    "SURFACE": _keys(*_CONTENT, *_NAMED),
    "SURFACE SCAN": _keys(_DATE, _TIME),
    "TRACT": _keys(*_CONTENT, *_NAMED),
    "ASSESSMENT": _keys(_NUMBER, ("00080012", "DA", "19000101"), ("00080013", "TM")),
    "RADIOTHERAPY": _keys(_NUMBER, ("00700081", "LO"), ("00700084", "PN")),
    "PLAN": (),
}

_WHERE_SAID: Final[Mapping[str, tuple[Key, ...]]] = {"PATIENT": _keys(("00100021", "LO"))}
"""What a record has beside its keys, where the object says it: a Patient ID alone does not tell patients of two issuers
apart."""

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_BY_CLASS: Final = {
    _STORAGE + suffix: kind
    for kind, suffixes in {  # PS3.3 Table F.4-1, the UIDs of PS3.6 Table A-1
        "RT DOSE": ("481.2",),
        "RT STRUCTURE SET": ("481.3",),
        "RT PLAN": ("481.5", "481.8"),
        "RT TREAT RECORD": ("481.4", "481.6", "481.7", "481.9"),
        "PRESENTATION": (*(f"11.{number}" for number in range(1, 13)), "131"),
        "KEY OBJECT DOC": ("88.59",),
        "SPECTROSCOPY": ("4.2",),
        "RAW DATA": ("66",),
        "REGISTRATION": ("66.1", "66.3"),
        "FIDUCIAL": ("66.2",),
        "VALUE MAP": ("67",),
        "STEREOMETRIC": ("77.1.5.3",),
        "ENCAP DOC": tuple(f"104.{number}" for number in range(1, 6)),
        "MEASUREMENT": (*(f"78.{number}" for number in (1, 2, 3, 4, 5, 7)), "80.1"),
        "SURFACE": ("66.5",),
        "SURFACE SCAN": ("68.1", "68.2"),
        "TRACT": ("66.6",),
        "ASSESSMENT": ("90.1",),
        "RADIOTHERAPY": tuple(f"481.{number}" for number in (*range(10, 14), *range(16, 26))),
    }.items()
    for suffix in suffixes
}
_BY_PREFIX: Final = ((_STORAGE + "88.", "SR DOCUMENT"), (_STORAGE + "9.", "WAVEFORM"))


def type_of(sop_class_uid: str) -> str:
    """The record type of an instance; what no other type is for is an IMAGE (PS3.3 F.4)."""
    if found := _BY_CLASS.get(sop_class_uid):
        return found
    return next((kind for prefix, kind in _BY_PREFIX if sop_class_uid.startswith(prefix)), "IMAGE")


def body(kind: str, header: Elements, file: Elements | None = None) -> bytes:
    """A record but for its head; `file` says which file it refers to (0004,1500 to 0004,1512)."""
    made: dict[str, Element] = {
        "00041430": {"vr": "CS", "Value": [kind]},
        **(file or {}),
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
    }
    for key in KEYS[kind]:
        made[key.tag] = _found(key, header)
    for key in _WHERE_SAID.get(kind, ()):
        if "Value" in (said := _found(key, header)):
            made[key.tag] = said
    return encode(dict(sorted(made.items())))


def reference(path: str, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> Elements:
    """Which file a record refers to."""
    return {
        "00041500": {"vr": "CS", "Value": path.split("/")},
        "00041510": {"vr": "UI", "Value": [sop_class_uid]},
        "00041511": {"vr": "UI", "Value": [sop_instance_uid]},
        "00041512": {"vr": "UI", "Value": [transfer_syntax_uid]},
    }


def _found(key: Key, header: Elements) -> Element:
    element = header.get(key.tag)
    if element is not None and element.get("vr") == key.vr and element.get("Value") and _fits(key, element):
        return element
    if not key.invented:
        return {"vr": key.vr}
    invented = int(key.invented) if key.vr in ("IS", "US", "UL") else key.invented
    return {"vr": key.vr, "Value": [invented]}


def _fits(key: Key, element: Element) -> bool:
    if key.required and key.vr != "SQ" and not text({"": element}, "").strip():
        return False
    try:
        return len(encode({key.tag: element})) <= _LONGEST_SEQUENCE
    except CannotUnderstand:
        return False


def head(length: int, following: int, lower: int) -> bytes:
    """Item header and offsets of a record whose body has `length` bytes; 0 where there is no such record."""
    return _HEAD.pack(
        0xFFFE, 0xE000, HEAD_BYTES - 8 + length,
        0x0004, 0x1400, b"UL", 4, following,
        0x0004, 0x1410, b"US", 2, _IN_USE,
        0x0004, 0x1420, b"UL", 4, lower,
    )  # fmt: skip

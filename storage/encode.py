"""Elements of the DICOM JSON model as a data set in Explicit VR Little Endian, bulk apart (PS3.5 7.1, PS3.18 F.2)."""

from binascii import a2b_base64
from collections.abc import Callable, Mapping
from math import isfinite
from struct import Struct, error
from typing import Any

from storage.dictionary import BINARY, ITEM, LONG_LENGTH, NUMBERS
from storage.elements import texts
from storage.values import Element
from vna.model.errors import CannotUnderstand

_SHORT = Struct("<HH2sH")
_LONG = Struct("<HH2s2xI")
_ITEM = Struct("<HHI")
_TAG = Struct("<HH")
_LONGEST_SHORT = 0xFFFE
_LONGEST_DECIMAL = 16
_CHARACTER_SET = "00080005"
_UTF8: Element = {"vr": "CS", "Value": ["ISO_IR 192"]}
_FOUR_BYTES = frozenset(LONG_LENGTH)

Elements = Mapping[str, Element]


def encode(elements: Elements) -> bytes:
    """The data set, in tag order, its text in UTF-8; a Specific Character Set says so wherever there is one.

    CannotUnderstand where a value cannot be written as what its VR says; what text may look like is not judged.
    """
    if _CHARACTER_SET in elements:
        elements = {**elements, _CHARACTER_SET: _UTF8}
    return b"".join(_element(tag, element) for tag, element in sorted(elements.items()))


def _element(tag: str, element: Element) -> bytes:
    vr = element["vr"]
    try:
        value = _VALUES[vr](element)
        group, number = int(tag[:4], 16), int(tag[4:], 16)
    except (KeyError, TypeError, ValueError, error) as exc:
        raise CannotUnderstand(f"the attribute {tag} has a value that its VR does not allow") from exc
    if vr in _FOUR_BYTES:
        return _LONG.pack(group, number, vr.encode(), len(value)) + value
    if len(value) > _LONGEST_SHORT:
        raise CannotUnderstand(f"the attribute {tag} has a value that is longer than its VR allows")
    return _SHORT.pack(group, number, vr.encode(), len(value)) + value


def _sequence(element: Element) -> bytes:
    made = []
    for item in element.get("Value", ()):
        inside = encode(item or {})
        made.append(_ITEM.pack(ITEM >> 16, ITEM & 0xFFFF, len(inside)) + inside)
    return b"".join(made)


def _padded(value: bytes, padding: bytes) -> bytes:
    return value + padding if len(value) % 2 else value


def _text(element: Element) -> bytes:
    return _padded("\\".join(texts({"": element}, "")).encode(), b" ")


def _uid(element: Element) -> bytes:
    return _padded("\\".join(texts({"": element}, "")).encode(), b"\0")


def _decimals(element: Element) -> bytes:
    return _padded("\\".join(map(_decimal, element.get("Value", ()))).encode(), b" ")


def _decimal(value: Any) -> str:
    """At most 16 characters (PS3.5 Table 6.2-1)."""
    if not isinstance(value, float) or not isfinite(value):
        return "" if value is None else str(value)
    written = repr(value)
    digits = _LONGEST_DECIMAL
    while len(written) > _LONGEST_DECIMAL:
        digits -= 1
        written = f"{value:.{digits}g}"
    return written


def _numbers(code: str) -> Callable[[Element], bytes]:
    def pack(element: Element) -> bytes:
        values = element.get("Value", ())
        return Struct(f"<{len(values)}{code}").pack(*(float(v) if code in "fd" else int(v) for v in values))

    return pack


def _tags(element: Element) -> bytes:
    return b"".join(_TAG.pack(int(tag[:4], 16), int(tag[4:], 16)) for tag in element.get("Value", ()))


def _binary(element: Element) -> bytes:
    if "BulkDataURI" in element:
        raise ValueError("bulk")
    return _padded(a2b_base64(element.get("InlineBinary", "")), b"\0")


_VALUES: dict[str, Callable[[Element], bytes]] = {
    **dict.fromkeys(["AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"], _text),
    **dict.fromkeys(BINARY, _binary),
    **{vr: _numbers(code) for vr, code in NUMBERS.items()},
    "AT": _tags,
    "DS": _decimals,
    "IS": _decimals,
    "SQ": _sequence,
    "UI": _uid,
}

"""Which texts are values of an attribute: by value representation (PS3.5 6.2) and value multiplicity (PS3.5 6.4)."""

import re
from dataclasses import dataclass

from vna.model import dates
from vna.model.dictionary import vm_of, vr_of

LONGEST = 65_534
"""Bytes that fit into an element with a 16-bit length."""

_NO_CONTROL = r"\x00-\x1f\x7f-\x9f\ud800-\udfff"
_STRING = rf"[^\\{_NO_CONTROL}]"
_TEXT = rf"(?:[^{_NO_CONTROL}]|[\t\n\f\r])"
_COMPONENT = rf"[^\\^={_NO_CONTROL}]*"
_GROUP = rf"(?![^=]{{65}}){_COMPONENT}(?:\^{_COMPONENT}){{0,4}}"


@dataclass(frozen=True, slots=True)
class Form:
    """What one value looks like, as an expression and in words."""

    expression: str
    words: str


FORMS: dict[str, Form] = {  # PS3.5 Table 6.2-1
    "AE": Form(r"(?! *\Z)[ -\[\]-~]{1,16}", "1 to 16 printable ASCII characters without backslash"),
    "AS": Form(r"\d{3}[DWMY]", "an age such as 045Y"),
    "CS": Form(r"[A-Z0-9 _]{1,16}", "at most 16 of capitals, digits, space and underscore"),
    "DA": Form(r"\d{8}", "a date, YYYYMMDD"),
    "DS": Form(r"(?!.{17})[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[Ee][+-]?\d+)?", "a number of at most 16 characters"),
    "DT": Form(r"[\d.+-]{4,26}", "a date and time, YYYYMMDDHHMMSS.FFFFFF&ZZXX"),
    "IS": Form(r"(?!.{13})[+-]?\d+", "a whole number of at most 12 characters"),
    "LO": Form(rf"{_STRING}{{0,64}}", "at most 64 characters without control characters"),
    "LT": Form(rf"{_TEXT}{{0,10240}}", "at most 10240 characters"),
    "PN": Form(rf"{_GROUP}(?:={_GROUP}){{0,2}}", "a person name: 3 groups of 5 components and 64 characters at most"),
    "SH": Form(rf"{_STRING}{{0,16}}", "at most 16 characters without control characters"),
    "ST": Form(rf"{_TEXT}{{0,1024}}", "at most 1024 characters"),
    "TM": Form(r"\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?", "a time, HHMMSS.FFFFFF"),
    "UC": Form(rf"{_STRING}*", "characters without control characters"),
    "UR": Form(r"[A-Za-z0-9:/?#\[\]@!$&'()*+,;=%._~-]+", "a URI"),
    "UT": Form(rf"{_TEXT}*", "characters without control characters"),
}
"""The value representations that are text, UIDs apart."""

_ONE_VALUE = frozenset({"LT", "ST", "UR", "UT"})
"""Here a backslash parts no values."""

_EXISTS = {"DA": dates.normal_date, "DT": dates.normal_datetime, "TM": dates.normal_time}


def fault(tag: str, text: str) -> str:
    """Why an attribute whose VR is one of FORMS cannot have this value, without quoting it; "" when it can.

    No value at all is always possible.
    """
    vr, vm = vr_of(tag), vm_of(tag)
    if not text:
        return ""
    values = [text] if vr in _ONE_VALUE else text.split("\\")
    if not _allows(vm, len(values)):
        return f"its value multiplicity is {vm}, and {len(values)} values are given"
    if len(text.encode(errors="replace")) > LONGEST:
        return f"a value is at most {LONGEST} bytes long"
    if not all(_is_value(vr, value) for value in values if value):
        return f"a value of VR {vr} is {FORMS[vr].words}"
    return ""


def _is_value(vr: str, value: str) -> bool:
    if re.fullmatch(FORMS[vr].expression, value, re.ASCII) is None:
        return False
    exists = _EXISTS.get(vr)
    return exists is None or bool(exists(value))


def _allows(vm: str, count: int) -> bool:
    """`1`, `1-3`, `1-n`, or `2-2n`: a multiple of 2."""
    found = re.fullmatch(r"(\d+)(?:-(\d*)(n?))?", vm)
    assert found is not None
    least, most, many = int(found[1]), found[2], found[3]
    if most is None:
        return count == least
    if many:
        return count >= least and count % int(most or 1) == 0
    return least <= count <= int(most)

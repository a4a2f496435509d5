"""The value of one element as DICOM JSON (PS3.18 F.2), by value representation."""

from binascii import b2a_base64
from collections.abc import Callable
from functools import lru_cache, partial
from math import isfinite, isnan
from struct import Struct, calcsize, unpack
from typing import Any

from storage.dictionary import BINARY, NUMBERS, WORDS
from vna.model.charsets import NAME_DELIMITERS, TEXT_DELIMITERS, VALUE_DELIMITERS, decode

Element = dict[str, Any]
"""One attribute of the DICOM JSON model: "vr" and at most one of "Value", "InlineBinary", "BulkDataURI". Never changed
once made: equal elements are one object."""

Decoded = tuple[Element, str]
"""An element, and what is wrong with its value ("" if nothing)."""

BIG = ">"
"""Ends the name of a VR whose value is Big Endian: `US>`."""

_PADDING = " \0"
_MAX_INTEGER = 2**63
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_TAG, _BIG_TAG = Struct("<HH"), Struct(">HH")


def decode_value(vr: str, raw: bytes, codecs: tuple[str, ...]) -> Decoded:
    """The element that `raw` means in a VR other than SQ."""
    if not raw:
        return {"vr": vr[:2]}, ""
    return _DECODERS[vr](raw, codecs)


cached_value = lru_cache(maxsize=16384)(decode_value)
"""The same for short values, which come again and again: equal values give the same element."""


def _element(vr: str, values: list[Any], problem: str = "") -> Decoded:
    """An element whose only value is empty has no Value (PS3.18 F.2.5)."""
    if len(values) == 1 and values[0] is None:
        return {"vr": vr}, problem
    return {"vr": vr, "Value": values}, problem


def _ascii(raw: bytes) -> tuple[str, str]:
    try:
        return raw.decode("ascii"), ""
    except UnicodeDecodeError:
        return decode(raw, ("ascii",))[0], "has characters outside ASCII"


def _code(vr: str, raw: bytes, _: tuple[str, ...]) -> Decoded:
    """Leading and trailing padding is not significant (PS3.5 6.2)."""
    text, problem = _ascii(raw)
    return _element(vr, [part.strip(_PADDING) or None for part in text.split("\\")], problem)


def _trailing(vr: str, raw: bytes, _: tuple[str, ...]) -> Decoded:
    text, problem = _ascii(raw)
    return _element(vr, [part.rstrip(_PADDING) or None for part in text.split("\\")], problem)


def _address(vr: str, raw: bytes, _: tuple[str, ...]) -> Decoded:
    text, problem = _ascii(raw)
    return _element(vr, [text.rstrip(_PADDING) or None], problem)


def _text(raw: bytes, codecs: tuple[str, ...], delimiters: frozenset[int]) -> tuple[str, str]:
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii"), ""
    text, good = decode(raw, codecs, delimiters)
    return text, "" if good else "has bytes that are no characters of its character set"


def _strings(vr: str, raw: bytes, codecs: tuple[str, ...]) -> Decoded:
    text, problem = _text(raw, codecs, VALUE_DELIMITERS)
    return _element(vr, [part.rstrip(_PADDING) or None for part in text.split("\\")], problem)


def _long_text(vr: str, raw: bytes, codecs: tuple[str, ...]) -> Decoded:
    text, problem = _text(raw, codecs, TEXT_DELIMITERS)
    return _element(vr, [text.rstrip(_PADDING) or None], problem)


def _names(vr: str, raw: bytes, codecs: tuple[str, ...]) -> Decoded:
    text, problem = _text(raw, codecs, NAME_DELIMITERS)
    return _element(vr, [_name(part.rstrip(_PADDING)) for part in text.split("\\")], problem)


def _name(text: str) -> dict[str, str] | None:
    """The component groups that are not empty (PS3.18 F.2.2); what a fourth `=` begins belongs to no group."""
    if "=" not in text:
        return {"Alphabetic": text} if text else None
    groups = {name: part for name, part in zip(_NAME_GROUPS, text.split("="), strict=False) if part}
    return groups or None


def _decimals(vr: str, raw: bytes, _: tuple[str, ...]) -> Decoded:
    text, problem = _ascii(raw)
    return _element(vr, [_decimal(part.strip(_PADDING)) for part in text.split("\\")], problem)


def _decimal(text: str) -> int | float | str | None:
    """A number where the text is a finite one, else the text itself (PS3.18 F.2.3: Number or String)."""
    if not text:
        return None
    try:
        number: int | float = float(text) if "." in text or "e" in text or "E" in text else int(text)
    except ValueError:
        return text
    if "_" in text or not -_MAX_INTEGER <= number < _MAX_INTEGER:  # Python's own notation; past what JSON readers take
        return number if isinstance(number, float) and isfinite(number) and "_" not in text else text
    return number


def _numbers(vr: str, code: str, size: int, order: str, raw: bytes, _: tuple[str, ...]) -> Decoded:
    count, rest = divmod(len(raw), size)
    if rest:  # nothing is lost when the bytes are shown as they are
        return _inline("UN", 0, raw, ())[0], "has a length that its VR does not allow"
    values: list[Any] = list(unpack(f"{order}{count}{code}", raw))
    if vr in ("FL", "FD") and not isfinite(sum(values)):
        values = [_special(value) for value in values]
    return {"vr": vr, "Value": values}, ""


def _special(value: float) -> float | str:
    """JSON has no numbers for these (RFC 8259 6); PS3.18 F.2.3 is silent on them."""
    if isfinite(value):
        return value
    return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _tags(vr: str, pair: Struct, raw: bytes, _: tuple[str, ...]) -> Decoded:
    whole = len(raw) - len(raw) % 4
    values = [f"{group:04X}{number:04X}" for group, number in pair.iter_unpack(raw[:whole])]
    problem = "" if whole == len(raw) else "has a length that its VR does not allow"
    return ({"vr": vr, "Value": values} if values else {"vr": vr}), problem


def _inline(vr: str, word: int, raw: bytes, _: tuple[str, ...]) -> Decoded:
    """Words come out Little Endian, as every syntax in use has them (PS3.18 F.2.7, PS3.5 7.3)."""
    if word and len(raw) % word == 0:
        raw = b"".join(raw[at : at + word][::-1] for at in range(0, len(raw), word))
    return {"vr": vr, "InlineBinary": b2a_base64(raw, newline=False).decode("ascii")}, ""


def _decoders() -> dict[str, Callable[[bytes, tuple[str, ...]], Decoded]]:
    kinds = {
        _code: ("AE", "CS"),
        _trailing: ("AS", "DA", "DT", "TM"),
        _address: ("UR",),
        _strings: ("LO", "SH", "UC"),
        _long_text: ("LT", "ST", "UT"),
        _names: ("PN",),
        _decimals: ("DS", "IS"),
    }
    table: dict[str, Callable[[bytes, tuple[str, ...]], Decoded]] = {
        vr: partial(kind, vr) for kind, vrs in kinds.items() for vr in vrs
    }
    table["UI"] = partial(_code, "UI")
    for vr, code in NUMBERS.items():
        size = calcsize("<" + code)
        table[vr] = partial(_numbers, vr, code, size, "<")
        table[vr + BIG] = partial(_numbers, vr, code, size, BIG)
    table["AT"], table["AT" + BIG] = partial(_tags, "AT", _TAG), partial(_tags, "AT", _BIG_TAG)
    for vr in BINARY:
        table[vr] = partial(_inline, vr, 0)
        table[vr + BIG] = partial(_inline, vr, WORDS.get(vr, 0))
    return table


_DECODERS = _decoders()

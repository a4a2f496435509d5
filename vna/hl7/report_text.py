"""Parts of a report in OBX-5: `base64^n` each, text or HTML."""

import base64
import binascii
import re
from typing import Final

from vna.hl7.message import Segment
from vna.hl7.refusal import Condition, Refused
from vna.model.reports import Part, PartName

_PLACE: Final = ("OBX", 5)
_LAYOUT: Final = re.compile(r"[\r\n\t]")
_ALPHABET: Final = re.compile(r"[A-Za-z0-9+/=]+", re.ASCII)
_LONGEST_WORD: Final = 60
_SHORTEST_PACKED: Final = 12
_RUN: Final = re.compile(rf"[A-Za-z0-9+/=]{{{_LONGEST_WORD + 1},}}", re.ASCII)
_ONE_WORD: Final = re.compile(r"[A-Za-z]?[a-z]*|[A-Z]+", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
MOST_PART: Final = 4 << 20
"""Bytes of one part."""


def parts(obx: Segment, number: int, *, is_html: bool) -> list[Part]:
    """The parts of one OBX in the order of the message; Refused when one of them cannot be read, or comes twice."""
    found: dict[PartName, Part] = {}
    for repetition in obx.repetitions(5):
        name = _name(obx, repetition, number)
        if name in found:
            raise _wrong(number, "parts", f"OBX-5 has part {name.value} twice")
        text = decoded(obx.part(repetition, 1), obx.codec, number)
        found[name] = Part(name, text, is_html)
    return list(found.values())


def _name(obx: Segment, repetition: str, number: int) -> PartName:
    try:
        return PartName(obx.part(repetition, 2))
    except ValueError:
        raise _wrong(number, "parts", "OBX-5 has a part whose number is none of 1 to 4") from None


def decoded(value: str, codec: str, number: int = 1) -> str:
    """The text of base64; plain text that is only called so is taken as it is. Refused when it is neither."""
    packed = _LAYOUT.sub("", value).replace(" ", "")
    if len(packed) > MOST_PART:
        raise _wrong(number, "report_encoding", f"OBX-5 has a part of more than {MOST_PART} bytes")
    try:
        data = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        if _is_prose(value) or _is_short(value):
            return value
        raise _wrong(number, "report_encoding", "OBX-5 has a part that is no base64") from None
    if " " in value.strip() and _is_prose(value):
        return value
    is_word = len(packed) <= _LONGEST_WORD and _ONE_WORD.fullmatch(packed) is not None
    for name in ("utf-8",) if is_word else dict.fromkeys(("utf-8", codec)):
        text = _text(data, name, is_short=len(packed) <= _LONGEST_WORD)
        if text is not None:
            return text
    if is_word or (len(packed) <= _SHORTEST_PACKED and _is_short(value)):
        return value
    raise _wrong(number, "report_encoding", "OBX-5 has a part that is no text in the message's character set")


def _text(data: bytes, codec: str, *, is_short: bool) -> str | None:
    """None where it is none: of little of it, control characters say that it was never packed."""
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text or (is_short and _CONTROL.search(text)) else text


def _is_prose(value: str) -> bool:
    """Words with something between or in them that base64 has not, and that are not pieces of broken base64."""
    return not _ALPHABET.fullmatch(value.strip()) and _RUN.search(value) is None


def _is_short(value: str) -> bool:
    """A word that is too short for a report in base64, and does not end as one would."""
    return len(value) <= _LONGEST_WORD and "=" not in value


def _wrong(number: int, rule: str, words: str) -> Refused:
    return Refused(Condition.DATA_TYPE, words, _PLACE, rule=rule, sequence=number)

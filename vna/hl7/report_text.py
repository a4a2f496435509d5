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
        if _is_prose(value):
            return value
        raise _wrong(number, "report_encoding", "OBX-5 has a part that is no base64") from None
    if " " in value.strip() and _is_prose(value):
        return value
    for name in dict.fromkeys(("utf-8", codec)):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise _wrong(number, "report_encoding", "OBX-5 has a part that is no text in the message's character set")


def _is_prose(value: str) -> bool:
    """Words with something between them that are not pieces of broken base64."""
    words = value.split()
    return len(words) > 1 and not any(len(word) > _LONGEST_WORD and _ALPHABET.fullmatch(word) for word in words)


def _wrong(number: int, rule: str, words: str) -> Refused:
    return Refused(Condition.DATA_TYPE, words, _PLACE, rule=rule, sequence=number)

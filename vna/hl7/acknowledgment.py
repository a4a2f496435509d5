"""Answers in original mode: MSH, MSA and, where something is wrong, ERR (HL7 v2.5 2.9.2, 2.15.5, 2.15.8)."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from vna.hl7.message import Delimiters, Segment
from vna.hl7.refusal import Refused
from vna.model.message_charsets import codec_of

_APPLICATION: Final = "VNA"
_VERSION: Final = "2.3.1"
"""Spoken where the sender's own is not known."""

_NEW_ERR: Final = re.compile(r"2\.[5-9](\.[0-9])?")
"""From 2.5 on ERR has a field for each thing; until then, and where the version is none, ERR-1 says everything
(HL7 v2.5 2.15.5)."""

_ECHOED: Final = 250
_WORDS: Final = 80
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class Code(StrEnum):
    """Acknowledgment codes of the original mode (HL7 table 0008)."""

    ACCEPT = "AA"
    ERROR = "AE"
    REJECT = "AR"


@dataclass(frozen=True, slots=True)
class Coding:
    """Codes of a national profile for what is wrong, by the names of its rules, for messages of some types.

    `other` is for what has no name there; what is wrong with the message as such, and has no name, has no code either.
    """

    kinds: frozenset[str] = frozenset()
    codes: Mapping[str, str] = field(default_factory=dict)
    other: str = ""
    system: str = ""

    def code(self, header: Segment | None, refused: Refused) -> str:
        """The code; empty where there is none."""
        if header is None or not refused.rule or header.value(9, 1) not in self.kinds:
            return ""
        return self.codes.get(refused.rule, self.other)


NO_CODING: Final = Coding()


def code_of(refused: Refused | None) -> Code:
    """What the answer says in MSA-1."""
    if refused is None:
        return Code.ACCEPT
    return Code.REJECT if refused.rejects else Code.ERROR


def acknowledge(header: Segment | None, refused: Refused | None = None, coding: Coding = NO_CODING) -> bytes:
    """The answer to the message with this header (None: it had none that could be read), in its own character set.

    A code of the national profile goes before that of HL7 table 0357 in ERR-1 of old versions, and into ERR-5 of new
    ones.
    """
    echo = _Echo(header)
    signs = echo.delimiters
    lines = [_msh(echo), signs.field.join(("MSA", code_of(refused), echo(10), *_words(refused, signs)))]
    if refused is not None:
        national = (coding.code(header, refused), coding.system)
        lines.append(_err(refused, echo.version, signs, national))
    codec = header.codec if header is not None else "ascii"
    return ("\r".join(lines) + "\r").encode(codec, "replace")


class _Echo:
    """Fields of the message that go back to its sender as they came, cut and without control characters."""

    def __init__(self, header: Segment | None) -> None:
        self._header = header
        self.delimiters = header.delimiters if header is not None else Delimiters()
        self.version = self(12, 1) or _VERSION

    def __call__(self, field: int, component: int | None = None) -> str:
        if self._header is None:
            return ""
        raw = self._header.raw(field)
        if component is not None:
            raw = self._header.part(raw, component)
        return _CONTROL.sub("", raw)[:_ECHOED]


def _msh(echo: _Echo) -> str:
    signs = echo.delimiters
    event = echo(9, 2)
    kind = ("ACK", event, "ACK") if event and echo.version != "2.3" else ("ACK",)
    fields = [
        "MSH",
        signs.encoding_characters,
        echo(5) or _APPLICATION,
        echo(6),
        echo(3),
        echo(4),
        datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000"),
        "",
        signs.component.join(kind),
        secrets.token_hex(10),
        echo(11) or "P",
        echo.version,
    ]
    character_set = echo(18)
    if character_set and codec_of(character_set.split(signs.repetition)) is not None:
        fields += ["", "", "", "", "", character_set]
    return signs.field.join(fields)


def _words(refused: Refused | None, signs: Delimiters) -> tuple[str, ...]:
    return () if refused is None else (escaped(_shortened(str(refused)), signs),)


def _shortened(words: str) -> str:
    """What fits, without half a word."""
    if len(words) <= _WORDS:
        return words
    whole = words[: _WORDS + 1].rpartition(" ")[0]
    return (whole or words[:_WORDS]).rstrip(" ,:;")


def _err(refused: Refused, version: str, signs: Delimiters, national: tuple[str, str]) -> str:
    code, text, _ = refused.condition.value
    segment, field, component = (*map(str, refused.place), "", "", "")[:3]
    sequence, words = str(refused.sequence), escaped(str(refused), signs)[:_ECHOED]
    coded: tuple[str, ...] = (code, text, "HL70357")
    if _NEW_ERR.fullmatch(version) is None:
        if national[0]:
            coded = (national[0], words, national[1], *coded)
        place = (segment, sequence if segment else "", field, signs.subcomponent.join(coded))
        return signs.field.join(("ERR", signs.component.join(place)))
    place = (segment, sequence, field, *(("1", component) if component else ())) if field else (segment,)
    application = signs.component.join((national[0], words, national[1])) if national[0] else ""
    return signs.field.join(
        ("ERR", "", signs.component.join(place), signs.component.join(coded), "E", application, "", "", words)
    )


def escaped(text: str, signs: Delimiters) -> str:
    """The text with its delimiters as escape sequences (HL7 v2.5 2.7)."""
    mark = signs.escape
    names = {signs.field: "F", signs.component: "S", signs.subcomponent: "T", signs.repetition: "R", mark: "E"}
    return "".join(f"{mark}{names[sign]}{mark}" if sign in names else sign for sign in text)

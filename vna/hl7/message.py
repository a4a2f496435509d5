"""Reading HL7 v2 messages (HL7 v2.5 2.5 to 2.8): split only where somebody looks, and never without a bound."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vna.hl7.refusal import Condition, Refused
from vna.model.message_charsets import UNDECLARED, codec_of

MAX_SEGMENTS: Final = 10_000
MAX_FIELDS: Final = 1_000
MAX_REPETITIONS: Final = 1_000
MAX_PARTS: Final = 100
"""Components of a repetition, subcomponents of a component."""

_HEADER_BYTES: Final = 64 << 10
_MARK: Final = b"\xef\xbb\xbf"
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_SIGNS: Final = re.compile(r"[\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]")


@dataclass(frozen=True, slots=True)
class Delimiters:
    """What MSH-1 and MSH-2 say; the defaults stand in for those left out."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def encoding_characters(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. Numbers count from 1, as the standard's do; what is not there is an empty text."""

    text: str
    delimiters: Delimiters
    codec: str = "utf-8"

    @property
    def name(self) -> str:
        """PID, OBR and so on."""
        return self.text[:3]

    def raw(self, field: int) -> str:
        """A field as it came, with all that is in it. MSH-1 is the field separator itself (HL7 v2.5 2.15.9.1)."""
        number = field - 1 if self.name == "MSH" else field
        if self.name == "MSH" and field == 1:
            return self.delimiters.field
        if not 0 < number <= MAX_FIELDS:
            return ""
        return _nth(self.text.split(self.delimiters.field, number + 1), number)

    def repetitions(self, field: int) -> list[str]:
        """The repetitions of a field as they came; none where it is empty. Refused when there are too many."""
        raw = self.raw(field)
        if not raw:
            return []
        found = raw.split(self.delimiters.repetition, MAX_REPETITIONS)
        if len(found) > MAX_REPETITIONS:
            raise Refused(Condition.DATA_TYPE, f"{self.name}-{field} repeats too often", (self.name, field))
        return found

    def value(self, field: int, component: int = 1, subcomponent: int = 1, *, repetition: int = 1) -> str:
        """The text there, escapes undone. HL7's `""` for an empty value is given as it is."""
        found = self.raw(field).split(self.delimiters.repetition, repetition)
        return self.part(_nth(found, repetition - 1), component, subcomponent)

    def part(self, repetition: str, component: int, subcomponent: int = 1) -> str:
        """The text of a component of one repetition, escapes undone."""
        parts = repetition.split(self.delimiters.component, min(component, MAX_PARTS))
        parts = _nth(parts, component - 1).split(self.delimiters.subcomponent, min(subcomponent, MAX_PARTS))
        return self.unescaped(_nth(parts, subcomponent - 1)).strip(" ")

    def unescaped(self, text: str) -> str:
        r"""Undo `\F\`, `\S\`, `\T\`, `\R\`, `\E\`, `\Xhh\` and `\.br\`; marks for highlighting go, others stay
        (HL7 v2.5 2.7)."""
        mark = re.escape(self.delimiters.escape)
        if self.delimiters.escape not in text:
            return text
        return re.sub(f"{mark}([^{mark}]{{1,4096}}){mark}", self._meaning, text)

    def _meaning(self, found: re.Match[str]) -> str:
        code, signs = found[1], self.delimiters
        plain = {
            "F": signs.field,
            "S": signs.component,
            "T": signs.subcomponent,
            "R": signs.repetition,
            "E": signs.escape,
            ".br": "\n",
            "H": "",
            "N": "",
        }.get(code)
        if plain is not None:
            return plain
        try:
            return bytes.fromhex(code[1:]).decode(self.codec) if code[0] == "X" else found[0]
        except ValueError:
            return found[0]


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its segments in their order, MSH first."""

    segments: tuple[Segment, ...]

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    @property
    def type(self) -> tuple[str, str]:
        """Message type and trigger event, MSH-9.1 and MSH-9.2."""
        return self.header.value(9, 1), self.header.value(9, 2)

    def all(self, name: str) -> Iterator[Segment]:
        """Every segment of this name."""
        return (segment for segment in self.segments if segment.name == name)

    def one(self, name: str) -> Segment:
        """The only segment of this name; Refused where there is none, or more than one."""
        found = list(self.all(name))
        if len(found) == 1:
            return found[0]
        words = f"there are {len(found)} {name} segments where one belongs" if found else f"there is no {name} segment"
        raise Refused(Condition.SEQUENCE, words, (name,))


def read_header(data: bytes, undeclared: str = UNDECLARED) -> Segment | None:
    """MSH, from the first bytes of a message; None when that is not what they are.

    What is not of its character set is replaced: this is for answering, and for finding out how to read the rest.
    """
    first = re.split(rb"[\r\n]", data[:_HEADER_BYTES], maxsplit=1)[0].removeprefix(_MARK)
    signs = _delimiters(first.decode("latin-1"))
    if signs is None:
        return None
    codec = _codec(Segment(first.decode("latin-1"), signs), undeclared) or "ascii"
    return Segment(first.decode(codec, "replace"), signs, codec)


def read(data: bytes, header: Segment, undeclared: str = UNDECLARED) -> Message:
    """The whole message, in the character set of MSH-18, else in the codec `undeclared`. Refused in words when that
    cannot be."""
    codec = _codec(header, undeclared)
    if codec is None:
        raise Refused(
            Condition.TABLE_VALUE,
            "the character set in MSH-18 is not known",
            ("MSH", 18),
            rejects=True,
            rule="character_set",
        )
    try:
        text = data.removeprefix(_MARK).decode(codec)
    except UnicodeDecodeError as exc:
        words = f"byte {exc.start + 1} of the message is not in its character set ({codec}): MSH-18 has to say which"
        raise Refused(Condition.DATA_TYPE, words, ("MSH", 18), rejects=True, rule="character_set") from exc
    return Message(tuple(_segments(text, header.delimiters, codec)))


def _codec(header: Segment, undeclared: str) -> str | None:
    return codec_of(header.raw(18).split(header.delimiters.repetition, 8), undeclared)


def _segments(text: str, delimiters: Delimiters, codec: str) -> Iterator[Segment]:
    end = "\r" if "\r" in text else "\n"
    lines = text.split(end, MAX_SEGMENTS)
    if len(lines) > MAX_SEGMENTS:
        raise Refused(Condition.SEQUENCE, f"the message has more than {MAX_SEGMENTS} segments", rejects=True)
    for number, line in enumerate(lines, 1):
        line = line.strip("\n")
        if not line.strip():
            continue
        if not _NAME.fullmatch(line[:3]) or line[3:4] not in ("", delimiters.field):
            raise Refused(Condition.SEQUENCE, f"line {number} of the message is no segment", rejects=True)
        yield Segment(line, delimiters, codec)


def _delimiters(text: str) -> Delimiters | None:
    """From MSH-1 and MSH-2; None when the text does not begin a message, or its delimiters are not five signs."""
    if not text.startswith("MSH") or len(text) < 4:
        return None
    field = text[3]
    signs = text[4:].split(field, 1)[0][:5]  # a fifth one is for truncation (HL7 v2.7 2.5.5.2)
    default = Delimiters().encoding_characters
    used = field + signs[:4] + default[len(signs[:4]) :]
    if len(set(used)) < len(used) or not signs or not all(map(_SIGNS.fullmatch, used)):
        return None
    return Delimiters(*used)


def _nth(parts: list[str], number: int) -> str:
    return parts[number] if number < len(parts) else ""

"""What one value of a key asks of one value of an attribute (PS3.4 C.2.2.2): typed, so that the index can translate it.

Every condition has `holds(value)` over a value of the DICOM JSON model.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from vna.model import dates
from vna.model.dates import Span
from vna.model.identifiers import significant
from vna.model.names import normalised_group, text_of
from vna.model.sounds import searched_words, sound_of
from vna.model.wildcards import compiled, expression, has_wildcard, is_universal

_CHECKED: dict[str, Any] = {"DA": dates.normal_date, "TM": dates.normal_time, "DT": dates.normal_datetime}


@dataclass(frozen=True, slots=True)
class Equal:
    """Single value matching of text: case sensitive, outer spaces apart."""

    text: str

    def holds(self, value: Any) -> bool:
        return plain(value) == self.text


@dataclass(frozen=True, slots=True)
class Like:
    """Wild card matching of text: case sensitive."""

    pattern: str

    def holds(self, value: Any) -> bool:
        return compiled(self.pattern).fullmatch(plain(value)) is not None


@dataclass(frozen=True, slots=True)
class Number:
    """IS, DS and binary numbers are compared by value: 7, 007 and 7.0 are one."""

    number: float

    def holds(self, value: Any) -> bool:
        return number_of(value) == self.number


@dataclass(frozen=True, slots=True)
class Within:
    """Range matching, and single values as ranges of one; `vr` is DA, TM or DT."""

    span: Span
    vr: str

    def holds(self, value: Any) -> bool:
        return self.span.holds(_CHECKED[self.vr](plain(value)))


@dataclass(frozen=True, slots=True)
class Moment:
    """A range of dates and one of times as one range (PS3.4 C.2.2.2.5.4); holds of a date and the time beside it.

    A date without a time lies in the range when its day does.
    """

    span: Span

    def holds_of(self, date: Any, time: Any) -> bool:
        day, clock = dates.normal_date(plain(date)), dates.normal_time(plain(time))
        if day and not clock:
            return self.days.holds(day)
        return bool(day) and self.span.holds(day + clock)

    @property
    def days(self) -> Span:
        """The range, without its times."""
        lower, upper = self.span.lower, self.span.upper
        return Span(None if lower is None else lower[:8], None if upper is None else upper[:8])


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name, wild cards allowed, letters folded (vna.model.names).

    Without "=" in the key `groups` has one pattern, which any component group may match; else each pattern that is
    there has to match the group in its place.
    """

    groups: tuple[str, ...]

    def holds(self, value: Any) -> bool:
        groups = _groups(text_of(value))
        if len(self.groups) == 1:
            return any(self._matches(self.groups[0], group) for group in groups if group)
        padded = groups + ("",) * len(self.groups)
        return all(
            is_universal(pattern) or self._matches(pattern, group)
            for pattern, group in zip(self.groups, padded, strict=False)
        )

    @staticmethod
    def _matches(pattern: str, group: str) -> bool:
        return _name_expression(pattern).fullmatch(group) is not None


@dataclass(frozen=True, slots=True)
class FuzzyName:
    """Every word of the key begins a word of the name, in any order, group and script; or the name matches as it is
    written. With `sounds` (a code for each word, "" for none) a word may also sound like one of the name.
    """

    words: tuple[str, ...]
    name: Name
    sounds: tuple[str, ...] = ()

    def holds(self, value: Any) -> bool:
        if self.name.holds(value):
            return True
        there = searched_words(text_of(value))
        heard = {sound_of(word) for word in there} if any(self.sounds) else set()
        sounds = self.sounds or ("",) * len(self.words)
        return all(
            any(compiled(word + "*").fullmatch(one) for one in there) or (sound != "" and sound in heard)
            for word, sound in zip(self.words, sounds, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Empty:
    """Empty value matching: the attribute has no value, or is not there."""


Condition = Equal | Like | Number | Within | Moment | Name | FuzzyName | Empty

NUMERIC_VRS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
WITHOUT_WILDCARDS = frozenset({"AS", "AT", "UI"})
UNMATCHABLE_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ"})


_NO_TEXT = re.compile("[\ud800-\udfff]")
"""What databases do not take as text, and no value has: it matches only what was unreadable there too."""


def plain(value: Any) -> str:
    """A value as text without outer spaces and padding."""
    return significant(text_of(value))


def number_of(value: Any) -> float | None:
    """A value as a number; whole numbers stay exact, however large."""
    if isinstance(value, int | float):
        return value
    text = plain(value)
    try:
        return int(text) if text.isascii() and "_" not in text else None
    except ValueError:
        pass
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def number_text(number: float) -> str:
    """A number as text, one for all ways to write it."""
    return str(int(number)) if number == int(number) else repr(float(number))


def condition(vr: str, text: str, *, fuzzy: bool = False, phonetic: bool = False) -> Condition | None:
    """What a key's value means; None for a DA, TM or DT that is neither a date or time nor a range of them."""
    text = significant(_NO_TEXT.sub("\ufffd", text))
    if vr in _CHECKED:
        span = {"DA": dates.date_span, "TM": dates.time_span, "DT": dates.datetime_span}[vr](text)
        return None if span is None else Within(span, vr)
    if vr == "PN":
        return _name(text, fuzzy=fuzzy, phonetic=phonetic)
    if vr in NUMERIC_VRS:
        number = number_of(text)
        if number is not None:
            return Number(number)
    if vr == "AT":
        text = text.replace(",", "").strip("()").upper()
    return Like(text) if has_wildcard(text) and vr not in WITHOUT_WILDCARDS else Equal(text)


def _name(text: str, *, fuzzy: bool, phonetic: bool) -> Condition:
    groups = tuple(normalised_group(group) for group in text.split("="))
    if not any(groups[1:]) and groups[0]:
        groups = groups[:1]
    name = Name(groups)
    if not fuzzy:
        return name
    asked = tuple(word for word in searched_words(text) if not is_universal(word))
    return FuzzyName(asked, name, tuple(map(sound_of, asked)) if phonetic else ()) if asked else name


@lru_cache(maxsize=4096)
def _groups(name: str) -> tuple[str, ...]:
    return tuple(normalised_group(group) for group in name.split("="))


@lru_cache(maxsize=1024)
def _name_expression(pattern: str) -> re.Pattern[str]:
    """Empty components at the end of a name count as there: FAMILY^* matches FAMILY, as it matches FAMILY^^^."""
    stem = pattern.rstrip("^*")
    carets, star, _ = pattern[len(stem) :].partition("*")
    if not star:
        return compiled(stem)
    rest = rf"(?:\^{{{len(carets)}}}.*)?" if carets else ".*"
    return re.compile(expression(stem) + rest, re.DOTALL)

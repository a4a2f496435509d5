"""Parts of a source's list of studies that one search asks for, and how each is parted again.

A source may end every answer after so many matches, and need not say so. Days are parted into ranges, down to one day;
a day into minutes. Studies without a date have no day: they are looked for by the beginnings of Patient IDs, which is
the other key that a source has to match by wildcard (PS3.4 Table C.6-5).
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

import orjson

from vna.model.query import Key
from vna.routing.scope import PATIENT_ID, STUDY_DATE, STUDY_TIME

_DAY = "%Y%m%d"
_LAST_MINUTE = 24 * 60 - 1
_USUAL = (date(1980, 1, 1), date(2035, 1, 1))
"""Where days are likely; others are looked for all the same."""
_BEGINNINGS = frozenset(string.digits + string.ascii_uppercase)
_WILDCARDS = frozenset("*?\\")


class Kind(StrEnum):
    """What a window is a range of."""

    EVERYTHING = "everything"
    DAYS = "days"
    MINUTES = "minutes"
    BEGINNING = "beginning"
    EXACTLY = "exactly"


@dataclass(frozen=True, slots=True)
class Window:
    """All studies; those of days from `first` to `last`; of minutes of one day; of Patient IDs that begin so."""

    kind: Kind = Kind.EVERYTHING
    first: date = date.min
    last: date = date.max
    begin: int = 0
    end: int = _LAST_MINUTE
    text: str = ""

    @property
    def span(self) -> str:
        """As text, for keeping."""
        days = (self.first.isoformat(), self.last.isoformat())
        return orjson.dumps([self.kind.value, *days, self.begin, self.end, self.text]).decode()

    @property
    def keys(self) -> tuple[Key, ...]:
        """What asks for it."""
        keys = []
        if self.kind is Kind.DAYS or self.is_of_days:
            keys.append(Key((STUDY_DATE,), "DA", (self._days,)))
        if (self.begin, self.end) != (0, _LAST_MINUTE):
            keys.append(Key((STUDY_TIME,), "TM", (f"{_time(self.begin)}00-{_time(self.end)}59.999999",)))
        if self.kind in (Kind.BEGINNING, Kind.EXACTLY):
            keys.append(Key((PATIENT_ID,), "LO", (self.text + ("*" if self.kind is Kind.BEGINNING else ""),)))
        return tuple(keys)

    @property
    def is_of_days(self) -> bool:
        """Whether only studies of some days are in it."""
        return (self.first, self.last) != (date.min, date.max)

    @property
    def _days(self) -> str:
        if self.first == self.last:
            return _day(self.first)
        begin = "" if self.first == date.min else _day(self.first)
        end = "" if self.last == date.max else _day(self.last)
        return f"{begin}-{end}" if begin or end else f"{_day(date(1, 1, 1))}-"

    @property
    def words(self) -> str:
        """For people; beginnings of Patient IDs are not told."""
        alike = ", patients whose ID begins alike" if self.kind in (Kind.BEGINNING, Kind.EXACTLY) else ""
        if not self.is_of_days:
            return "all studies" + alike
        if self.first == self.last:
            minutes = (self.begin, self.end) != (0, _LAST_MINUTE)
            clock = f" from {_clock(self.begin)} to {_clock(self.end)}" if minutes else ""
            return f"{self.first}{clock}{alike}"
        begin = "the first day" if self.first == date.min else f"{self.first}"
        return f"{begin} to {'the last day' if self.last == date.max else self.last}"

    def contains(self, study_date: str) -> bool:
        """Whether a study with that date can be in an answer."""
        return not self.is_of_days or _day(self.first) <= study_date <= _day(self.last)

    def parted(self, study_dates: Sequence[str], patient_ids: Sequence[str]) -> tuple["Window", ...]:
        """The same in smaller parts, where the answer to it had these; empty for what cannot be parted."""
        if self.kind is Kind.EVERYTHING:
            return replace(self, kind=Kind.DAYS).parted(study_dates, ())
        if self.kind is Kind.DAYS and self.first < self.last:
            middle = self._middle(study_dates)
            return replace(self, last=middle), replace(self, first=middle + timedelta(days=1))
        if self.kind in (Kind.DAYS, Kind.MINUTES):
            if self.begin == self.end:
                return self.beginnings(patient_ids)
            noon = (self.begin + self.end) // 2
            minutes = replace(self, kind=Kind.MINUTES)
            return replace(minutes, end=noon), replace(minutes, begin=noon + 1)
        if self.kind is Kind.BEGINNING and len(self.text) < 64:
            return (replace(self, kind=Kind.EXACTLY), *self.beginnings(patient_ids))
        return ()

    def beginnings(self, patient_ids: Sequence[str]) -> tuple["Window", ...]:
        """By Patient IDs that go on with any letter or digit, or as one of these does."""
        own = {one[len(self.text)] for one in patient_ids if one.startswith(self.text) and len(one) > len(self.text)}
        following = sorted((_BEGINNINGS | own) - _WILDCARDS)
        return tuple(replace(self, kind=Kind.BEGINNING, text=self.text + letter) for letter in following)

    def _middle(self, study_dates: Sequence[str]) -> date:
        """A day with about as many studies before as after it, going by what was answered."""
        known = sorted(found for text in study_dates if (found := _read(text)) is not None)
        if known:
            middle = known[(len(known) - 1) // 2]
        else:
            begin, end = max(self.first, _USUAL[0]), min(self.last, _USUAL[1])
            middle = begin + (end - begin) // 2 if begin < end else self.first
        return min(max(middle, self.first), self.last - timedelta(days=1))


def read(span: str) -> Window:
    """What `span` wrote."""
    kind, first, last, begin, end, text = orjson.loads(span)
    return Window(Kind(kind), date.fromisoformat(first), date.fromisoformat(last), begin, end, text)


def _day(day: date) -> str:
    return day.strftime(_DAY).zfill(8)


def _read(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def _time(minute: int) -> str:
    return f"{minute // 60:02}{minute % 60:02}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"

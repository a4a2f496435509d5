"""Periods between two examinations, counted by the calendar in local time."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Unit(StrEnum):
    """What a period is counted in."""

    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"
    YEARS = "years"


_DAYS = {Unit.DAYS: 1, Unit.WEEKS: 7}
_MONTHS = {Unit.MONTHS: 1, Unit.YEARS: 12}


@dataclass(frozen=True, slots=True)
class Period:
    """So many days, weeks, months or years; half a year is six months, however many days those have."""

    number: int
    unit: Unit = Unit.MONTHS

    def before(self, at: str) -> str:
        """The first moment (`YYYYMMDDHHMMSS`) that is within the period before this one; a day counts whole. Empty
        where `at` is no time."""
        day = day_of(at)
        return "" if day is None else f"{self._earlier(day):%Y%m%d}000000"

    def after(self, at: str) -> str:
        """No moment later than this has `at` within its period."""
        day = day_of(at)
        return "" if day is None else f"{self._earlier(day, back=-1) + timedelta(3):%Y%m%d}235959"

    @property
    def months(self) -> int:
        """In whole months, upwards."""
        return self.number * _MONTHS[self.unit] if self.unit in _MONTHS else -(-self.number * _DAYS[self.unit] // 30)

    def _earlier(self, day: date, back: int = 1) -> date:
        try:
            if self.unit in _DAYS:
                return day - timedelta(self.number * _DAYS[self.unit] * back)
            return _months_before(day, self.number * _MONTHS[self.unit] * back)
        except (OverflowError, ValueError):
            return date.min if back > 0 else date(9999, 1, 1)


def day_of(text: str) -> date | None:
    """The day of a local time; None where it has none."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def _months_before(day: date, months: int) -> date:
    """The same day of the month, or its last one where the month is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))

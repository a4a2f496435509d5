"""Dates, times and date-times: one normal form that sorts as time does, and ranges of it (PS3.5 6.2, PS3.4 C.2.2.2.5).

Normal forms are of fixed length: YYYYMMDD, HHMMSS.FFFFFF, and both together. What is no date or time has the normal
form "", and matches no range. Forms of ACR-NEMA, 1997.07.04 and 10:30:00, are read as well.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

_DATE = r"(\d{4})(?:(\d\d)(\d\d)|\.(\d\d)\.(\d\d)|-(\d\d)-(\d\d))"
_TIME = r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?"
_DATETIME = (
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-](?:0\d|1[0-4])[0-5]\d)?"
)
_DATE_RE = re.compile(_DATE, re.ASCII)
_TIME_RE = re.compile(_TIME, re.ASCII)
_DATETIME_RE = re.compile(_DATETIME, re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """From `lower` to `upper` in normal form, both included; None is open. `ranged` when written with a hyphen."""

    lower: str | None
    upper: str | None
    ranged: bool = False

    def holds(self, value: str) -> bool:
        """Whether a value in normal form lies within; "" never does."""
        return (
            bool(value) and (self.lower is None or self.lower <= value) and (self.upper is None or value <= self.upper)
        )


def normal_date(text: str) -> str:
    """YYYYMMDD, or "" when `text` is no day of the calendar."""
    found = _DATE_RE.fullmatch(_stripped(text))
    if found is None:
        return ""
    year, month, day = _date_parts(found)
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return ""
    return year + month + day


def normal_time(text: str) -> str:
    """HHMMSS.FFFFFF, parts not given as zero, or "" when `text` is no time of day."""
    found = _TIME_RE.fullmatch(_stripped(text))
    return "" if found is None else _filled_time(*found.groups(), upper=False)


def normal_datetime(text: str) -> str:
    """YYYYMMDDHHMMSS.FFFFFF, in UTC where an offset is given, or ""."""
    span = _datetime_point(_stripped(text))
    return "" if span is None or span.lower is None else span.lower


def date_span(text: str) -> Span | None:
    """The days that a key of VR DA means; None when it means nothing."""
    return _span(text, _DATE, _date_point)


def time_span(text: str) -> Span | None:
    """The times that a key of VR TM means: a time without seconds means the whole minute."""
    return _span(text, _TIME, _time_point)


def datetime_span(text: str) -> Span | None:
    """The moments that a key of VR DT means; a hyphen and four digits up to 1459 are an offset, not a year."""
    return _span(text, _DATETIME, _datetime_point)


def joined(dates: Span, times: Span) -> Span | None:
    """A range of dates and one of times as a single range; None unless both are ranges of the same form."""
    same_form = (dates.lower is None, dates.upper is None) == (times.lower is None, times.upper is None)
    if not (dates.ranged and times.ranged and same_form):
        return None
    return Span(
        None if dates.lower is None or times.lower is None else dates.lower + times.lower,
        None if dates.upper is None or times.upper is None else dates.upper + times.upper,
        ranged=True,
    )


def _stripped(text: str) -> str:
    return text.strip(" \0")


def _span(text: str, form: str, point: Callable[[str], Span | None]) -> Span | None:
    text = _stripped(text)
    single = point(text)
    if single is not None:
        return single
    found = re.fullmatch(rf"(?P<from>{form})?\s*-\s*(?P<to>{form})?", text, re.ASCII)
    if found is None or not (found["from"] or found["to"]):
        return None
    first = point(found["from"]) if found["from"] else Span(None, None)
    last = point(found["to"]) if found["to"] else Span(None, None)
    if first is None or last is None:
        return None
    return Span(first.lower, last.upper, ranged=True)


def _date_parts(found: re.Match[str]) -> tuple[str, str, str]:
    year, *rest = found.groups()
    month, day = (part for part in rest if part is not None)
    return year, month, day


def _date_point(text: str) -> Span | None:
    """Bounds need not be in the calendar: people ask for the 31st of every month."""
    found = _DATE_RE.fullmatch(text)
    if found is None:
        return None
    year, month, day = _date_parts(found)
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    return Span(year + month + day, year + month + day)


def _filled_time(hour: str, minute: str | None, second: str | None, fraction: str | None, *, upper: bool) -> str:
    """Every part there; those not given at the start or the end of their period. A leap second is 60."""
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 60:
        return ""
    fill = ("59", "59", "9") if upper else ("00", "00", "0")
    return f"{hour}{minute or fill[0]}{second or fill[1]}.{(fraction or '').ljust(6, fill[2])}"


def _time_point(text: str) -> Span | None:
    found = _TIME_RE.fullmatch(text)
    if found is None:
        return None
    lower, upper = (_filled_time(*found.groups(), upper=end) for end in (False, True))
    return Span(lower, upper) if lower else None


def _datetime_point(text: str) -> Span | None:
    found = _DATETIME_RE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    bounds = []
    for upper in (False, True):
        clock = _filled_time(hour or ("23" if upper else "00"), minute, second, fraction, upper=upper)
        month_filled = month or ("12" if upper else "01")
        day_filled = day or (_last_day(year, month_filled) if upper else "01")
        if not clock or not normal_date(year + month_filled + day_filled):
            return None
        bounds.append(_in_utc(year + month_filled + day_filled + clock, offset))
    return Span(bounds[0], bounds[1])


def _last_day(year: str, month: str) -> str:
    return next((day for day in ("31", "30", "29", "28") if normal_date(year + month + day)), "00")


def _in_utc(text: str, offset: str | None) -> str:
    if not offset or text[12:14] == "60":
        return text
    sign = -1 if offset[0] == "-" else 1
    shift = sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    try:
        moment = datetime.strptime(text, "%Y%m%d%H%M%S.%f") - shift  # noqa: DTZ007 (both sides are made UTC here)
    except OverflowError:
        return text
    return moment.strftime("%Y%m%d%H%M%S.%f").rjust(21, "0")

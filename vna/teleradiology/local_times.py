"""Local times of the profile (`YYYYMMDDHHMMSS`) beside those of the index (ISO 8601, UTC)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from storage.index.events import read_time, time_text

LATEST = "99991231235959"
"""Stands where a time is not known: every rule is in force then."""


def read(text: str, zone: ZoneInfo) -> datetime | None:
    """The moment that is meant; what is cut off (seconds, the time of day) is 0. None where it is no time."""
    digits = text[:14]
    try:
        return datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=zone)
    except ValueError:
        return None


def as_utc(text: str, zone: ZoneInfo) -> str:
    """As the index writes times; empty where it is none."""
    found = read(text, zone)
    return "" if found is None else time_text(found.astimezone(UTC))


def local(utc: str, zone: ZoneInfo) -> str:
    """A time of the index as a local one."""
    return f"{read_time(utc).astimezone(zone):%Y%m%d%H%M%S}" if utc else ""


def end_of(at: str) -> str:
    """A local time to the second: a day means its end, whatever else is cut off is 0."""
    return at + "235959" if len(at) == 8 else at.ljust(14, "0")[:14]


def begin_of(at: str) -> str:
    """A local time to the second: what is cut off is 0, so that a day means its beginning."""
    return at.ljust(14, "0")[:14]


def hours_before(utc: str, hours: int) -> str:
    """A time of the index, so many hours earlier; empty where there is none."""
    if not utc:
        return ""
    try:
        return time_text(read_time(utc) - timedelta(hours=hours))
    except OverflowError:
        return ""

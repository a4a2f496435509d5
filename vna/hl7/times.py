"""Time stamps of HL7 as local times of the national profile (HL7 v2.5 2.A.77)."""

import re
from datetime import datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

_STAMP: Final = re.compile(
    r"(?P<date>\d{8})(?P<clock>\d{4}(?:\d{2}(?:\.\d{1,4})?)?)?(?P<offset>[+-](?:0\d|1[0-4])[0-5]\d)?", re.ASCII
)


def local_time(text: str, zone: ZoneInfo) -> str:
    """`YYYYMMDDHHMMSS` in the zone, midnight where only a day is said; "" when the text is no time of the calendar."""
    found = _STAMP.fullmatch(text)
    if found is None:
        return ""
    digits = (found["date"] + (found["clock"] or "").partition(".")[0]).ljust(14, "0")
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S")  # noqa: DTZ007  local already where no offset is said
        offset = found["offset"]
        if offset is None:
            return digits
        away = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
        there = timezone(-away if offset[0] == "-" else away)
        return moment.replace(tzinfo=there).astimezone(zone).strftime("%Y%m%d%H%M%S").rjust(14, "0")
    except (ValueError, OverflowError):
        return ""

"""How fast something may be at which time of the day: bytes or instances a second, nothing, or without limit."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vna.model.errors import BadRequest

_MINUTES: Final = 24 * 60
_UNITS: Final = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_PERIOD: Final = re.compile(r"(?P<from>\d{1,2}:\d{2})\s*-\s*(?P<to>\d{1,2}:\d{2})\s*=\s*(?P<rate>.+)\Z")
_RATE: Final = re.compile(r"(?P<number>\d{1,12}(\.\d{1,6})?)\s*(?P<unit>[A-Za-z]*)\s*/\s*s\Z")
_BURST_SECONDS: Final = 0.1
_SLICE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Rate:
    """Most bytes and instances a second; None is without limit, 0 is nothing at all."""

    bytes: float | None = None
    instances: float | None = None

    @property
    def is_pause(self) -> bool:
        """Whether nothing may be done."""
        return self.bytes == 0 or self.instances == 0


UNLIMITED: Final = Rate()


@dataclass(frozen=True, slots=True)
class Period:
    """From one minute of the day to before another."""

    begin: int
    end: int
    rate: Rate


@dataclass(frozen=True, slots=True)
class Timetable:
    """Rates by the time of day, as the clock of this machine shows it; none where no period says so."""

    periods: tuple[Period, ...] = ()

    def at(self, minute: int) -> Rate:
        """The rate in that minute of the day."""
        return next((one.rate for one in self.periods if one.begin <= minute < one.end), UNLIMITED)

    def pause_ends(self, minute: int) -> str:
        """When the pause of that minute is over, as the clock shows it; empty where it never is."""
        for later in range(1, _MINUTES):
            after = (minute + later) % _MINUTES
            if not self.at(after).is_pause:
                return f"{after // 60:02}:{after % 60:02}"
        return ""


def read_timetable(text: str) -> Timetable:
    """`20MB/s`, or `07:00-19:00=20MB/s, 19:00-07:00=unlimited`; BadRequest names what is wrong."""
    entries = [one.strip() for one in text.split(",")]
    if len(entries) == 1 and "=" not in entries[0]:
        periods = [Period(0, _MINUTES, _rate(entries[0]))]
    else:
        periods = [period for entry in entries for period in _periods(entry)]
    taken: set[int] = set()
    for period in periods:
        minutes = set(range(period.begin, period.end))
        if taken & minutes:
            twice = min(taken & minutes)
            raise BadRequest(f"two rates are given for {twice // 60:02}:{twice % 60:02}")
        taken |= minutes
    if len(taken) == _MINUTES and all(period.rate.is_pause for period in periods):
        raise BadRequest("a rate of 0 all day lets nothing happen")
    return Timetable(tuple(periods))


def _periods(entry: str) -> tuple[Period, ...]:
    """One that goes past midnight is two."""
    found = _PERIOD.match(entry)
    if found is None:
        raise BadRequest(
            f"{entry[:60] or 'nothing'} is no rate: write 20MB/s, or 07:00-19:00=20MB/s, 19:00-07:00=unlimited"
        )
    begin, end, rate = _minute(found["from"]), _minute(found["to"]), _rate(found["rate"].strip())
    if begin in (end, _MINUTES):
        raise BadRequest(f"{entry[:60]} is no time of the day")
    if begin < end:
        return (Period(begin, end, rate),)
    late = Period(begin, _MINUTES, rate)
    return (late, Period(0, end, rate)) if end else (late,)


def _minute(text: str) -> int:
    hour, minute = (int(part) for part in text.split(":"))
    if minute > 59 or hour * 60 + minute > _MINUTES:
        raise BadRequest(f"{text} is no time of the day")
    return hour * 60 + minute


def _rate(text: str) -> Rate:
    if text == "unlimited":
        return UNLIMITED
    if text == "0":
        return Rate(0, 0)
    found = _RATE.match(text)
    unit = found["unit"].upper() if found is not None else ""
    if found is None or (unit not in ("", "INSTANCES") and unit not in _UNITS):
        raise BadRequest(
            f"{text[:60] or 'nothing'} is no rate: write 20MB/s, 500KB/s, 50/s (instances), 0 or unlimited"
        )
    number = float(found["number"])
    if unit in _UNITS:
        return Rate(bytes=number * _UNITS[unit])
    return Rate(instances=number)


class Governor:
    """Keeps all threads that share it to a timetable; what was agreed changes while they run."""

    def __init__(
        self,
        timetable: Timetable,
        stopped: threading.Event,
        *,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timetable = timetable
        self._stopped = stopped
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._bytes_free_at = self._instances_free_at = 0.0
        self._last = UNLIMITED

    def pause(self) -> str | None:
        """When work goes on, where there is a pause now: a time of the day, or an empty text for never."""
        minute = self._minute()
        return self._timetable.pause_ends(minute) if self._timetable.at(minute).is_pause else None

    def wait_turn(self) -> bool:
        """Wait while there is a pause; False when stopped."""
        while self.pause() is not None:
            if self._stopped.wait(_SLICE_SECONDS):
                return False
        return not self._stopped.is_set()

    def take(self, size: int, instances: int = 0) -> None:
        """Wait until so many bytes and instances more are in order. A pause is no matter of what has begun."""
        rate = self._rate()
        with self._lock:
            now = self._clock()
            wait_until = now
            if rate.bytes and size:
                begin = max(self._bytes_free_at, now - _BURST_SECONDS)
                self._bytes_free_at = begin + size / rate.bytes
                wait_until = begin
            if rate.instances and instances:
                begin = max(self._instances_free_at, now - _BURST_SECONDS)
                self._instances_free_at = begin + instances / rate.instances
                wait_until = max(wait_until, begin)
        self._sleep(wait_until, rate)

    def _sleep(self, wait_until: float, rate: Rate) -> None:
        while (left := wait_until - self._clock()) > 0 and not self._stopped.wait(min(left, _SLICE_SECONDS)):
            if self._rate() != rate:
                with self._lock:
                    self._bytes_free_at = self._instances_free_at = 0.0
                return

    def _rate(self) -> Rate:
        """In a pause the one before it: what has begun is brought to its end."""
        rate = self._timetable.at(self._minute())
        if not rate.is_pause:
            self._last = rate
        return self._last

    def _minute(self) -> int:
        now = self._now()
        return now.hour * 60 + now.minute

"""Bytes from elsewhere: not more a second than was agreed, not more than there may be, and not for ever."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from vna.board import Board, Numbers, OwnBoard
from vna.model.errors import TooLarge, Unavailable
from vna.model.priority import Priority
from vna.model.sources import Bounds

_BURST_SECONDS: Final = 0.1
"""How much of unused time may be made up for."""
_LOOK_SECONDS: Final = 0.02
"""How often those who wait look whether it is their turn."""
_WAITING_SECONDS: Final = 0.1
"""Whoever has not looked for so long does not wait any more."""
_BACK_SECONDS: Final = 0.05
"""Whoever had to wait and was served is expected for so long: the next piece comes at once, or after a round trip."""
_PORTION_SECONDS: Final = 0.05
"""What is taken at once: so long somebody of a higher class waits, however large the pieces of others are."""
_SHARE: Final = 20
"""A class gets one part in so many of the time, whoever waits above it: what gets nothing breaks off at its sender."""
_SHARE_SECONDS: Final = 1.0

_ALL, _OF_CLASS, _WAITING, _EXPECTED, _HELD_UP = 0, 1, 4, 7, 10
"""Places of numbers, those after the first one for each class: when the line is free again, for all and for those of a
class; when somebody of a class waited last; until when somebody is expected; until when a class yields."""


class Pace:
    """At most so many bytes a second of all who share the board, and of each class that `most` names; 0 is no limit.

    Higher classes go first, so that those below get what these leave, and a twentieth at least.
    """

    def __init__(
        self,
        bytes_per_second: int,
        *,
        most: Mapping[Priority, int] | None = None,
        board: Board | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rates: dict[Priority, tuple[tuple[int, int], ...]] = {}
        for one in Priority:
            lines = ((_ALL, bytes_per_second), (_OF_CLASS + one, (most or {}).get(one, 0)))
            self._rates[one] = tuple((line, rate) for line, rate in lines if rate)
        self._board = board or OwnBoard()
        self._clock = clock
        self._sleep = sleep

    def limits(self, priority: Priority) -> bool:
        """Whether there is a limit for this class."""
        return bool(self._rates[priority])

    def take(self, size: int, priority: Priority = Priority.ROUTINE) -> None:
        """Wait until so many bytes more are in order."""
        for portion in self.portions(size, priority):
            while (pause := self.ask(portion, priority)) > 0:
                self._sleep(pause)

    def portions(self, size: int, priority: Priority) -> Iterator[int]:
        """So many bytes, as they are asked for."""
        rates = self._rates[priority]
        most = max(1, int(min((rate for _, rate in rates), default=0) * _PORTION_SECONDS)) if rates else size
        while size > 0:
            yield min(size, most)
            size -= most

    def ask(self, size: int, priority: Priority) -> float:
        """0 when they are in order now and taken, else the seconds after which to ask again."""
        rates = self._rates[priority]
        if not rates:
            return 0.0
        with self._board.held() as numbers:
            now = self._clock()
            free_at = max(numbers[line] for line, _ in rates)
            if free_at > now:
                numbers[_WAITING + priority] = now
                return min(free_at - now, _LOOK_SECONDS)
            if self._yields(numbers, priority, now):
                numbers[_WAITING + priority] = now
                return _LOOK_SECONDS / 2
            for line, rate in rates:
                numbers[line] = max(numbers[line], now - _BURST_SECONDS) + size / rate
            waited = now - numbers[_WAITING + priority] < _WAITING_SECONDS
            numbers[_EXPECTED + priority] = now + _BACK_SECONDS if waited else 0.0
            numbers[_WAITING + priority] = 0.0
            longest = size / min(rate for _, rate in rates)
            numbers[_HELD_UP + priority] = now + max(longest * _SHARE, _SHARE_SECONDS)
            return 0.0

    def _yields(self, numbers: Numbers, priority: Priority, now: float) -> bool:
        above = range(priority + 1, len(Priority))
        waits = any(now - numbers[_WAITING + one] < _WAITING_SECONDS or now < numbers[_EXPECTED + one] for one in above)
        return waits and now < numbers[_HELD_UP + priority]


def paced(chunks: Iterator[bytes], pace: Pace, priority: Priority) -> Iterator[bytes]:
    """The same chunks, at that pace; what they are read from is closed with them."""
    try:
        for chunk in chunks:
            pace.take(len(chunk), priority)
            yield chunk
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def received(
    pieces: Iterator[bytes],
    name: str,
    pace: Pace,
    bounds: Bounds,
    *,
    most: int,
    priority: Priority = Priority.ROUTINE,
) -> Iterator[bytes]:
    """The same pieces, at that pace: TooLarge past `most` bytes, Unavailable when they come too slowly.

    Only what is waited for them counts, not what the reader does between them.
    """
    taken, waited = 0, 0.0
    while True:
        begun = time.monotonic()
        piece = next(pieces, None)
        waited += time.monotonic() - begun
        if piece is None:
            return
        taken += len(piece)
        if taken > most:
            raise TooLarge(f"{name} sends more than {most} bytes")
        if waited > bounds.grace_seconds and taken < bounds.bytes_per_second * waited:
            raise Unavailable(f"{name} sends fewer than {bounds.bytes_per_second} bytes a second")
        pace.take(len(piece), priority)
        yield piece

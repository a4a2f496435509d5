"""Bytes from elsewhere: not more a second than was agreed, not more than there may be, and not for ever."""

import threading
import time
from collections.abc import Callable, Iterator

from vna.model.errors import TooLarge, Unavailable
from vna.model.sources import Bounds

_BURST_SECONDS = 0.1
"""How much of unused time may be made up for."""


class Pace:
    """At most so many bytes a second, together, of all threads that share it; 0 is without limit."""

    def __init__(
        self,
        bytes_per_second: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = 0.0

    def take(self, size: int) -> None:
        """Wait until so many bytes more are in order."""
        if not self._rate:
            return
        with self._lock:
            now = self._clock()
            begin = max(self._free_at, now - _BURST_SECONDS)
            self._free_at = begin + size / self._rate
        if begin > now:
            self._sleep(begin - now)


def received(pieces: Iterator[bytes], name: str, pace: Pace, bounds: Bounds, *, most: int) -> Iterator[bytes]:
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
        pace.take(len(piece))
        yield piece

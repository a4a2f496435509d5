"""Trying again what another machine did not do: with back-off, and for so long only."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from vna.model.errors import Unavailable

Result = TypeVar("Result")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_REST_SECONDS = 5.0


class Passing(Unavailable):
    """It may go well the next time, `after` so many seconds at the earliest."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class Tries:
    """Tries of one machine, `seconds` at most for each thing that is wanted of it.

    When it did nothing for so long, what is wanted in the next few seconds is tried once: nobody waits in vain one
    after the other.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._rests_until = 0.0

    def run(self, work: Callable[[], Result]) -> Result:
        """What `work` gives; whatever else than Passing it raises is not tried again."""
        began = time.monotonic()
        until = began if began < self._rests_until else began + self._seconds
        pause = _FIRST_PAUSE
        while True:
            try:
                result = work()
            except Passing as exc:
                wait = max(pause * random.uniform(0.5, 1.0), exc.after)  # spreads those who wait
                if time.monotonic() + wait > until:
                    self._rests_until = time.monotonic() + _REST_SECONDS
                    raise
                time.sleep(wait)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._rests_until = 0.0
                return result

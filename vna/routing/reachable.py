"""Which destinations answer: one that does not is left alone for a while, so that it costs nobody a worker."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from vna.model.errors import Unavailable

_RESTS = (5.0, 10.0, 20.0, 40.0, 60.0)
_TRIAL_SECONDS = 120.0
"""While one tries whether it answers again, the others do not wait for that."""


@dataclass(slots=True)
class _Silence:
    until: float
    times: int
    reason: str


class Reachable:
    """What this process knows of destinations."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._silent: dict[str, _Silence] = {}

    def require(self, name: str) -> None:
        """Unavailable while it is left alone; after that whoever asks first is the one to try."""
        with self._lock:
            silence = self._silent.get(name)
            if silence is None:
                return
            now = self._clock()
            if now < silence.until:
                raise Unavailable(silence.reason)
            silence.until = now + _TRIAL_SECONDS

    def silent(self, name: str, reason: str) -> None:
        """It did not answer."""
        with self._lock:
            known = self._silent.get(name)
            times = known.times + 1 if known is not None else 0
            rest = _RESTS[min(times, len(_RESTS) - 1)]
            self._silent[name] = _Silence(self._clock() + rest, times, reason)

    def answers(self, name: str) -> bool:
        """It answered; whether it did not before."""
        with self._lock:
            return self._silent.pop(name, None) is not None

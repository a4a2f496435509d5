"""pynetdicom's timers on the monotonic clock."""

from __future__ import annotations

import time

from pynetdicom.timer import Timer


class MonotonicTimer(Timer):
    """Does not care when the system's clock is set, and once stopped has not expired."""

    @property
    def running(self) -> bool:
        return self._start_time is not None

    @property
    def expired(self) -> bool:
        return self.running and self.timeout is not None and self.remaining < 0

    @property
    def remaining(self) -> float:
        """Seconds until it expires; 1 if it never does, as the parent has it."""
        if self.timeout is None:
            return 1.0
        if self._start_time is None:
            return self.timeout
        return self.timeout - (time.monotonic() - self._start_time)

    def start(self) -> None:
        self._start_time = time.monotonic()

    def stop(self) -> None:
        self._start_time = None

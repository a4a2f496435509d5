"""A source that does not answer is waited for, by all who need it together, and for so long and no longer."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from vna.model.errors import Unavailable, VnaError
from vna.model.sources import Verifying

_MOST_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds a source is waited for, and how long the first wait is; each next one is twice as long."""

    seconds: float = 1800.0
    first: float = 1.0


class Stopped(Exception):
    """Somebody asked for an end; nothing is wrong."""


class Reaching:
    """Whether a source answers at all, tried at one of its doors."""

    def __init__(
        self,
        name: str,
        doors: Sequence[Verifying],
        stopped: threading.Event,
        patience: Patience,
        told: Callable[[str], None],
    ) -> None:
        self._name = name
        self._doors = doors
        self._stopped = stopped
        self._patience = patience
        self._told = told
        self._lock = threading.Lock()

    def wait(self) -> bool:
        """Return when it answers; whether that took waiting. Unavailable when patience ends, Stopped when stopped."""
        with self._lock:
            if self._answers():
                return False
            begun, pause = time.monotonic(), self._patience.first
            while time.monotonic() - begun < self._patience.seconds:
                self._told(f"{self._name} does not answer, and is tried again")
                if self._stopped.wait(pause):
                    raise Stopped
                if self._answers():
                    self._told("")
                    return True
                pause = min(2 * pause, _MOST_SECONDS)
        raise Unavailable(f"{self._name} does not answer any more")

    def _answers(self) -> bool:
        """An answer is one, whatever it says."""
        for door in self._doors:
            try:
                door.verify()
            except Unavailable:
                continue
            except VnaError:
                return True
            return True
        return False

"""Whose turn it is at a door of ours: requests that may wait are served so many at once, and so many bytes a second.

Interactive ones never wait here.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import anyio

from vna.board import Free, SharedBoard
from vna.model.errors import OutOfResources
from vna.model.priority import Priority
from vna.pacing import Pace
from vna.places import Places

_LOOK_SECONDS: Final = 0.05


def nothing() -> None:
    """Frees what was not taken."""


class Turns:
    """Of one door: `most` says of a class how many of its requests are served at once; without a number all are.

    `waiting` is how many of a class wait in this process. `folder` is where the processes of this node have the rest
    in common.
    """

    def __init__(
        self,
        door: str = "",
        most: Mapping[Priority, int] | None = None,
        pace: Pace | None = None,
        folder: Path | None = None,
        *,
        waiting: int = 100,
    ) -> None:
        self.pace = pace or Pace(0)
        self._places: dict[Priority, Places] = {}
        for one, count in (most or {}).items():
            if count and one < max(Priority):
                board = SharedBoard(folder, f"{door} {one.word}") if folder is not None else None
                self._places[one] = Places(dict.fromkeys(Priority, count), board)
        self._lock = threading.Lock()
        self._most_waiting = waiting
        self._waiting = dict.fromkeys(Priority, 0)

    def limits(self, priority: Priority) -> bool:
        """Whether a request of this class may have to wait for its turn."""
        return priority in self._places

    @contextmanager
    def turn(self, priority: Priority, seconds: float, meanwhile: Callable[[], bool] = lambda: True) -> Iterator[bool]:
        """Wait for it; False when `meanwhile` says that nobody wants it any more.

        OutOfResources when it does not come in time, or too many wait already.
        """
        places = self._places.get(priority)
        free: Free | None = nothing if places is None else places.take(priority)
        if places is not None and free is None:
            with self._counted(priority):
                free = places.wait(priority, seconds, meanwhile)
            if free is None and meanwhile():
                raise _busy(priority)
        try:
            yield free is not None
        finally:
            if free is not None:
                free()

    async def take(self, priority: Priority, seconds: float) -> Free:
        """The same for an event loop: what gives it back."""
        places = self._places.get(priority)
        if places is None:
            return nothing
        if (free := places.take(priority)) is not None:
            return free
        deadline = time.monotonic() + seconds
        with self._counted(priority):
            while time.monotonic() < deadline:
                await anyio.sleep(_LOOK_SECONDS)
                if (free := places.take(priority)) is not None:
                    return free
        raise _busy(priority)

    @contextmanager
    def _counted(self, priority: Priority) -> Iterator[None]:
        with self._lock:
            if self._waiting[priority] >= self._most_waiting:
                raise _busy(priority)
            self._waiting[priority] += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting[priority] -= 1


def _busy(priority: Priority) -> OutOfResources:
    return OutOfResources(f"too many {priority.word} requests at once: ask again later")

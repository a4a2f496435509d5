"""So many at once, and whose turn it is when all places are taken."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from vna.board import Board, Free, OwnBoard
from vna.model.priority import Priority

_LOOK_SECONDS: Final = 0.05
_SELDOM_SECONDS: Final = 0.2
"""How often those look who have waited for long: what this process frees they hear of at once."""
_WAITING_SECONDS: Final = 0.25
"""Whoever has not looked for so long does not wait any more."""


class Places:
    """Of all who share the board at most so many at once, of each class; higher ones go first.

    A class takes places from its last one down to the first, which it shares with those below, so that what it has
    beyond theirs is kept for it.
    """

    def __init__(self, most: Mapping[Priority, int], board: Board | None = None) -> None:
        self._most = dict(most)
        self._board = board or OwnBoard()
        self._freed = threading.Condition()

    def most(self, priority: Priority) -> int:
        """How many of this class there may be at once."""
        return self._most[priority]

    def take(self, priority: Priority) -> Free | None:
        """A place if there is one now; None also says to the others that somebody waits."""
        if not self._is_held_up(priority):
            for place in reversed(range(self._most[priority])):
                if (free := self._board.take(place)) is not None:
                    return self._freeing(free)
        with self._board.held() as numbers:
            numbers[priority] = time.monotonic()
        return None

    @contextmanager
    def place(self, priority: Priority, seconds: float) -> Iterator[bool]:
        """A place, waited for at most so long; False when none came."""
        free = self.take(priority) or self.wait(priority, seconds)
        try:
            yield free is not None
        finally:
            if free is not None:
                free()

    def wait(self, priority: Priority, seconds: float, meanwhile: Callable[[], bool] = lambda: True) -> Free | None:
        """A place as soon as there is one; None when none came, or `meanwhile` says that nobody wants it any more."""
        begun = time.monotonic()
        while (waited := time.monotonic() - begun) < seconds and meanwhile():
            with self._freed:
                self._freed.wait(min(max(waited / 20, _LOOK_SECONDS), _SELDOM_SECONDS))
            if (free := self.take(priority)) is not None:
                with self._board.held() as numbers:
                    numbers[priority] = 0.0  # unless others of the class wait, who say so again
                return free
        return None

    def _is_held_up(self, priority: Priority) -> bool:
        if priority is max(Priority):
            return False
        with self._board.held() as numbers:
            now = time.monotonic()
            return any(now - numbers[one] < _WAITING_SECONDS for one in range(priority + 1, len(Priority)))

    def _freeing(self, free: Free) -> Free:
        def freed() -> None:
            free()
            with self._freed:
                self._freed.notify_all()

        return freed


def sharing(count: int, bulk: int = 0) -> dict[Priority, int]:
    """How many each class may have of so many: one is kept for each class above, as far as they go round.

    `bulk` is how many bulk requests may have instead, all but one at most.
    """
    routine = max(1, count - 1)
    return {
        Priority.INTERACTIVE: count,
        Priority.ROUTINE: routine,
        Priority.BULK: min(bulk, routine) or max(1, count - 2),
    }


def in_use(name: str, most: int, priority: Priority) -> str:
    """What is said when none became free."""
    which = " bulk" if priority is Priority.BULK else ""
    return f"all {most}{which} connections to {name} are in use"

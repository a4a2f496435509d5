"""Callers many of whose look-ups fail: somebody may be guessing numbers. They are slowed down, and told of.

Processes of a node count together, in a bounded table: of more callers than a part of it has room for, the one who has
been quiet longest is forgotten.
"""

import time
from collections.abc import Callable
from hashlib import sha256

from vna.board import Board, Numbers

PARTS = 64
"""Boards over which callers are spread."""
_STEP = 0.05
"""Seconds that each failure too many adds."""
_WIDTH = 3
_CALLERS = 5
"""Of one board: caller, begin of the minute, failures in it."""


class Guesses:
    """`many` failures within `seconds` are too many: from then on each call waits, the longer the more there are, up to
    `longest` seconds."""

    def __init__(
        self,
        board_of: Callable[[int], Board],
        *,
        many: int = 30,
        seconds: float = 60.0,
        longest: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board_of = board_of
        self._boards: dict[int, Board] = {}
        self._many = many
        self._seconds = seconds
        self._longest = longest
        self._clock = clock

    def failed(self, caller: str) -> int:
        """Count a failure; how many there are when they have just become too many, else 0."""
        part, mark = _place_of(caller)
        now = self._clock()
        with self._board(part).held() as numbers:
            place = _find(numbers, mark)
            if place is None:
                place = min(range(0, _CALLERS * _WIDTH, _WIDTH), key=lambda one: numbers[one + 1])
                numbers[place], numbers[place + 1], numbers[place + 2] = mark, now, 0.0
            if now - numbers[place + 1] > self._seconds:
                numbers[place + 1], numbers[place + 2] = now, 0.0
            numbers[place + 2] += 1
            failures = int(numbers[place + 2])
        return failures if failures == self._many else 0

    def pause(self, caller: str) -> float:
        """Seconds that this caller is to wait before the next answer."""
        part, mark = _place_of(caller)
        with self._board(part).held() as numbers:
            place = _find(numbers, mark)
            if place is None or self._clock() - numbers[place + 1] > self._seconds:
                return 0.0
            beyond = numbers[place + 2] - self._many
        return 0.0 if beyond < 0 else min(self._longest, _STEP * (beyond + 1))

    def _board(self, part: int) -> Board:
        return self._boards.get(part) or self._boards.setdefault(part, self._board_of(part))


def _find(numbers: Numbers, mark: float) -> int | None:
    return next((place for place in range(0, _CALLERS * _WIDTH, _WIDTH) if numbers[place] == mark), None)


def _place_of(caller: str) -> tuple[int, float]:
    """The board of a caller, and the number that stands for it there."""
    digest = sha256(caller.encode()).digest()
    return digest[0] % PARTS, float(int.from_bytes(digest[1:7], "big") + 1)

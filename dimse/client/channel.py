"""Between the thread that receives a C-GET's instances and the one that reads them: some bytes, never a whole study."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from dimse.upper_layer.handlers import StoreCommand
from vna.model.errors import Unavailable

MOST_BYTES: Final = 8 << 20
MOST_SECONDS: Final = 600.0
"""How long a reader may take for a few megabytes."""


@dataclass(slots=True)
class Begins:
    """An instance begins."""

    command: StoreCommand


@dataclass(slots=True)
class Ends:
    """It is whole. Who reads it says so: then the sender is told."""

    taken: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Breaks:
    """It will not come to its end."""


Event = Begins | bytes | Ends | Breaks


class Channel:
    """One writes events, one reads them; the writer waits while there are too many bytes."""

    def __init__(self) -> None:
        self.count = 0
        """Events that were ever put."""
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._closed = False
        self._poked = False
        self._changed = threading.Condition()

    def put(self, event: Event) -> None:
        """Unavailable when nobody reads any more."""
        deadline = time.monotonic() + MOST_SECONDS
        with self._changed:
            while self._bytes >= MOST_BYTES and not self._closed and time.monotonic() < deadline:
                self._changed.wait(1.0)
            if self._closed or self._bytes >= MOST_BYTES:
                raise Unavailable("nobody takes what was asked for")
            self._events.append(event)
            self._bytes += len(event) if isinstance(event, bytes) else 0
            self.count += 1
            self._changed.notify_all()

    def get(self, seconds: float) -> Event | None:
        """The next event; None when none comes within so many seconds, or when poked."""
        with self._changed:
            if not self._events and not self._poked:
                self._changed.wait(seconds)
            self._poked = False
            if not self._events:
                return None
            event = self._events.popleft()
            self._bytes -= len(event) if isinstance(event, bytes) else 0
            self._changed.notify_all()
            return event

    def poke(self) -> None:
        """Have the reader look around."""
        with self._changed:
            self._poked = True
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody reads any more."""
        with self._changed:
            self._closed = True
            for event in self._events:
                if isinstance(event, Ends):
                    event.taken.set()
            self._events.clear()
            self._bytes = 0
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether nobody reads any more."""
        return self._closed

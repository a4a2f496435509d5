"""Series on their way here: who waits for what of them, in one process."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vna.model.errors import Unavailable, VnaError
from vna.model.priority import Priority


class Wanted(Protocol):
    """An instance by its place."""

    @property
    def study_instance_uid(self) -> str: ...

    @property
    def series_instance_uid(self) -> str: ...

    @property
    def sop_instance_uid(self) -> str: ...


class StillComing(Unavailable):
    """It is on its way, and takes longer than one waits."""

    def __init__(self) -> None:
        super().__init__("it is still being fetched: ask again in a moment")


class Bring(Protocol):
    """Has instances here, and waits for so many seconds until they are."""

    def __call__(
        self, wanted: Sequence[Wanted], seconds: float = 0.0, priority: Priority = Priority.INTERACTIVE
    ) -> None:
        """NotFound when nobody has one of them, Unavailable says in words why it does not come."""


class Waiter:
    """Waits for some instances, or for the end of the flights that should bring them; tells of it once."""

    def __init__(self, enough: int, tell: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._missing = enough
        self._flights = 0
        self._tell: Callable[[], None] | None = tell
        self.errors: list[VnaError] = []

    def waits_for(self, flights: int) -> None:
        """So many flights are under way for it."""
        with self._lock:
            self._flights += flights

    def came(self) -> None:
        """One of its instances is here."""
        with self._lock:
            self._missing -= 1
            tell = self._due()
        if tell is not None:
            tell()

    def ended(self, error: VnaError | None) -> None:
        """One of its flights is over; nothing more comes of it."""
        with self._lock:
            self._flights -= 1
            if error is not None:
                self.errors.append(error)
            tell = self._due()
        if tell is not None:
            tell()

    @property
    def has_enough(self) -> bool:
        """Whether what it waited for is here."""
        return self._missing <= 0

    def _due(self) -> Callable[[], None] | None:
        if self._tell is None or not (self._missing <= 0 or self._flights <= 0):
            return None
        tell, self._tell = self._tell, None
        return tell


@dataclass(slots=True)
class Flight:
    """One series on its way. To be used under the lock of whoever keeps it."""

    study_instance_uid: str
    series_instance_uid: str
    asked: dict[str, None] = field(default_factory=dict)
    """What readers wait for, in the order in which they came."""
    priority: Priority = Priority.BULK
    """The highest of those who wait."""
    came: set[str] = field(default_factory=set)
    failed: dict[str, VnaError] = field(default_factory=dict)
    waiting: dict[str, list[Waiter]] = field(default_factory=dict)
    waiters: list[Waiter] = field(default_factory=list)

    def ask(self, uids: Iterable[str], waiter: Waiter, priority: Priority) -> list[Waiter]:
        """Somebody waits for these; who has to be told at once that one of them came, as often as it did."""
        told = []
        self.priority = max(self.priority, priority)
        for uid in uids:
            if uid in self.came:
                told.append(waiter)
                continue
            self.failed.pop(uid, None)
            self.asked.setdefault(uid)
            self.waiting.setdefault(uid, []).append(waiter)
        self.waiters.append(waiter)
        return told

    def arrived(self, uid: str) -> list[Waiter]:
        """It is here; who waited for it."""
        self.came.add(uid)
        self.asked.pop(uid, None)
        return self.waiting.pop(uid, [])

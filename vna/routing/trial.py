"""Trying a source: does each of its doors work, and if not, why."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from vna.model.access import Action, Actor
from vna.model.errors import BadRequest, Conflict, VnaError
from vna.model.sources import Doors, Source, Verifying
from vna.security.policy import Policy
from vna.security.sources import Sources

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tried:
    """One door: `reason` says why it does not work, and is empty where it does."""

    door: str
    reason: str = ""

    @property
    def works(self) -> bool:
        """Whether it does."""
        return not self.reason


class Trial:
    """Tries sources; `doors` makes the doors of one."""

    def __init__(self, policy: Policy, sources: Sources, doors: Callable[[Source], Doors]) -> None:
        self._policy = policy
        self._sources = sources
        self._doors = doors
        self._lock = threading.Lock()
        self._under_way: dict[str, int] = {}

    def run(self, actor: Actor, name: str) -> Iterator[Tried]:
        """Each door that is configured, as it is tried. NotFound for a source that is not known, BadRequest for one
        without an archive."""
        for door, one in self._verifying(actor, name):
            yield Tried(door, _why_not(one))

    def at_once(self, actor: Actor, name: str, seconds: float) -> list[Tried]:
        """The same, all of them at the same time and for so long at most. Conflict while others are at it."""
        doors = self._verifying(actor, name)
        with self._lock:
            if name in self._under_way:
                raise Conflict(f"{name} is being tried already")
            self._under_way[name] = len(doors)
        found: dict[str, str] = {}
        threads = [threading.Thread(target=self._try, args=(name, found, *each), daemon=True) for each in doors]
        for thread in threads:
            thread.start()
        until = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return [Tried(door, found.get(door, f"{name} does not answer within {seconds:g} seconds")) for door, _ in doors]

    def _verifying(self, actor: Actor, name: str) -> Sequence[tuple[str, Verifying]]:
        self._policy.check(actor, Action.ADMIN, name)
        source = self._sources.get(actor, name)
        if not source.archive.is_there:
            raise BadRequest(f"{name} has no archive that could be read")
        return self._doors(source).verifying

    def _try(self, name: str, found: dict[str, str], door: str, one: Verifying) -> None:
        try:
            found[door] = _why_not(one)
        except Exception:
            log.exception("door of a source not tried", extra={"source": name, "door": door})
            found[door] = "trying it failed; the archive's log says why"
        finally:
            with self._lock:
                self._under_way[name] -= 1
                if not self._under_way[name]:
                    del self._under_way[name]


def _why_not(door: Verifying) -> str:
    try:
        door.verify()
    except VnaError as error:
        return str(error) or "it does not work"
    return ""

"""Trying a source: does each of its doors work, and if not, why."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vna.model.access import Action, Actor
from vna.model.errors import BadRequest, VnaError
from vna.model.sources import Doors, Source
from vna.security.policy import Policy
from vna.security.sources import Sources


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

    def run(self, actor: Actor, name: str) -> Iterator[Tried]:
        """Each door that is configured, as it is tried. NotFound for a source that is not known, BadRequest for one
        without an archive."""
        self._policy.check(actor, Action.ADMIN, name)
        source = self._sources.get(actor, name)
        if not source.archive.is_there:
            raise BadRequest(f"{name} has no archive that could be read")
        for door, one in self._doors(source).verifying:
            try:
                one.verify()
            except VnaError as error:
                yield Tried(door, str(error))
            else:
                yield Tried(door)

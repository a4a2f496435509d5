"""What is done at regular times, as an operator sees it: when it was done, what came of it, and when it is due."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from storage.index import jobs, regular
from storage.index.engine import Database
from vna.jobs.regular import Regular
from vna.model.access import Action, Actor
from vna.model.errors import Conflict, NotFound
from vna.security.policy import Policy


@dataclass(frozen=True, slots=True)
class Planned:
    """Something that is done at regular times; times are ISO 8601 UTC, empty for never or not known yet."""

    name: str
    every: timedelta
    done_at: str
    outcome: str
    due_at: str
    running: bool


class Schedule:
    """Lists what is done regularly, and has it done at once."""

    def __init__(self, database: Database, policy: Policy, kinds: Mapping[str, Regular]) -> None:
        self._database = database
        self._policy = policy
        self._kinds = dict(kinds)

    def all(self, actor: Actor) -> list[Planned]:
        """Everything that is on, by name."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            last = {one.name: one for one in regular.known(connection)}
            running = {name for name in self._kinds if jobs.numbers(connection, name, name)}
        return [
            Planned(name, one.every, *self._times(last.get(name)), running=name in running)
            for name, one in sorted(self._kinds.items())
        ]

    def run(self, actor: Actor, name: str) -> None:
        """Have it done now, whatever is due when. NotFound, or Conflict while it is waiting or being done."""
        self._policy.check(actor, Action.ADMIN, name)
        if name not in self._kinds:
            raise NotFound(f"nothing that is done regularly is called {name}")
        with self._database.transaction() as connection:
            if jobs.numbers(connection, name, name):
                raise Conflict(f"{name} is at it already")
            jobs.add(connection, name, order_key=name, priority=self._kinds[name].priority)

    @staticmethod
    def _times(last: regular.Last | None) -> tuple[str, str, str]:
        return (last.done_at, last.outcome, last.due_at) if last is not None else ("", "", "")

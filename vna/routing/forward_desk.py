"""What an operator does with forwarding: look at it, have one study sent, have what failed tried again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from storage.index import forwarding, jobs, lookup
from storage.index.engine import Database
from storage.index.events import time_text
from vna.model.access import Action, Actor
from vna.model.errors import NotFound
from vna.routing.forward_rules import ForwardRule
from vna.routing.forwarding import KINDS, Mode, Task, queue
from vna.security.policy import Policy

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Standing:
    """How forwarding to a destination stands: jobs (a study each) that wait or were given up, instances that failed."""

    to: str
    rules: tuple[ForwardRule, ...]
    waiting: int
    given_up: int
    failed: int
    last_error: str


class ForwardDesk:
    """Rules, destinations, and what became of what was sent."""

    def __init__(
        self, database: Database, policy: Policy, rules: Sequence[ForwardRule], require: Callable[[str], None]
    ) -> None:
        """`require` raises when a name is no destination."""
        self._database = database
        self._policy = policy
        self._rules = tuple(rules)
        self._require = require

    def listed(self, actor: Actor) -> list[Standing]:
        """Every destination of a rule, and those where something failed."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            names = dict.fromkeys((*self._targets(), *forwarding.failed_destinations(connection)))
            found = []
            for name in names:
                waiting, given_up, error = forwarding.jobs_of(connection, KINDS, name)
                failed, reason = forwarding.failures(connection, name)
                rules = tuple(rule for rule in self._rules if rule.to == name)
                found.append(Standing(name, rules, waiting, given_up, failed, error or reason))
        return found

    def send(self, actor: Actor, study: str, to: str, *, again: bool = False) -> str:
        """Have a study sent, whatever the rules say; `again` what arrived there before too. Gives since when it counts
        for `progress`. NotFound when the study is not held, or the name is no destination."""
        self._policy.check(actor, Action.ADMIN, study)
        self._require(to)
        since = time_text(datetime.now(UTC)) if again else ""
        with self._database.transaction() as connection:
            if lookup.state(connection, study) is None:
                raise NotFound("no such study")
            queue(connection, Task(to, study, Mode.BY_HAND, since=since))
            forwarding.clear_error(connection, Mode.BY_HAND.kind, f"{to} {study}")
        return since

    def progress(self, actor: Actor, study: str, to: str, since: str) -> tuple[int, int, bool]:
        """How many instances are here, of how many it is known what became of them, and whether a job is at it."""
        self._policy.check(actor, Action.ADMIN, study)
        with self._database.read() as connection:
            here, known = forwarding.counts(connection, to, study, since)
            return here, known, jobs.waiting(connection, Mode.BY_HAND.kind, f"{to} {study}")

    def trouble(self, actor: Actor, study: str, to: str) -> str:
        """Why the job of `send` waits, "" when nothing went wrong."""
        self._policy.check(actor, Action.ADMIN, study)
        with self._database.read() as connection:
            return forwarding.error_of(connection, Mode.BY_HAND.kind, f"{to} {study}")

    def failed(self, actor: Actor, study: str, to: str) -> list[str]:
        """Why instances of a study were not taken there."""
        self._policy.check(actor, Action.ADMIN, study)
        with self._database.read() as connection:
            return forwarding.reasons(connection, to, study)

    def retry(self, actor: Actor, to: str = "") -> int:
        """Have what waits, failed or was given up tried now, at one destination or all; how many studies."""
        self._policy.check(actor, Action.ADMIN, to)
        with self._database.read() as connection:
            names = dict.fromkeys((*self._targets(), *forwarding.failed_destinations(connection)))
        if to and to not in names:
            self._require(to)
        return sum(self._retry(name) for name in ((to,) if to else names))

    def _retry(self, name: str) -> int:
        after, count = "", 0
        with self._database.transaction() as connection:
            count += forwarding.hurry(connection, KINDS, name, dead=True)
            forwarding.forgive(connection, name)
        while True:
            with self._database.transaction() as connection:
                found = forwarding.failed_studies(connection, name, after=after, limit=_PAGE)
                for study in found:
                    queue(connection, Task(name, study, Mode.FAILED))
            count += len(found)
            if len(found) < _PAGE:
                return count
            after = found[-1]

    def _targets(self) -> list[str]:
        return [rule.to for rule in self._rules]

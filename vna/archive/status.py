"""Is the archive able to work, and what does it hold: for the page, readiness and operators."""

from dataclasses import dataclass
from datetime import datetime

from storage.blobs.base import BlobStore
from storage.index import jobs, lookup, regular, verify_runs
from storage.index.engine import Database
from storage.index.events import read_time
from storage.index.lookup import ListedConflict
from vna.archive.verifying import VERIFY
from vna.model.access import Action, Actor
from vna.model.errors import VnaError
from vna.security.policy import Policy


@dataclass(frozen=True, slots=True)
class Readiness:
    """`problems` says in words what keeps the archive from working; empty when it is ready."""

    problems: tuple[str, ...]
    free_bytes: int | None

    @property
    def ready(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Care:
    """Objects that were damaged when they were looked at last, and when everything had been; None for never."""

    damaged: int
    verified_at: datetime | None


class Status:
    """Looks without changing anything."""

    def __init__(self, database: Database, blobs: BlobStore, policy: Policy, *, min_free: int) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._min_free = min_free

    def readiness(self) -> Readiness:
        """Asked by load balancers without a login: it says nothing about what is held."""
        problems: list[str] = []
        free: int | None = None
        try:
            with self._database.read() as connection:
                lookup.ping(connection)
        except VnaError as exc:
            problems.append(str(exc))
        try:
            self._blobs.check()
            free = self._blobs.free_bytes()
        except (VnaError, OSError) as exc:
            problems.append(str(exc) if isinstance(exc, VnaError) else "the blob store does not answer")
        if free is not None and free < self._min_free:
            problems.append("less space is free than VNA_STORAGE__MIN_FREE asks for: stores are refused, reads go on")
        return Readiness(tuple(problems), free)

    def counts(self, actor: Actor) -> dict[str, int]:
        """Rows by level."""
        self._policy.check(actor, Action.QUERY)
        with self._database.read() as connection:
            return lookup.counts(connection)

    def jobs(self) -> dict[tuple[str, str], int]:
        """Jobs by kind and state. Asked by machines without a login: it says nothing about what is held."""
        with self._database.read() as connection:
            return jobs.counts_by_kind(connection)

    def care(self) -> Care:
        """How what is kept was found. Asked by machines without a login: it says nothing about what is held."""
        with self._database.read() as connection:
            last = regular.last(connection, VERIFY)
            damaged = verify_runs.count_damaged(connection)
        return Care(damaged, read_time(last.done_at) if last is not None and last.done_at else None)

    def damaged(self, actor: Actor) -> int:
        """Objects that were damaged when they were looked at last."""
        self._policy.check(actor, Action.QUERY)
        return self.care().damaged

    def given_up(self, actor: Actor) -> int:
        """Jobs that a person has to look at."""
        self._policy.check(actor, Action.QUERY)
        return sum(count for (_, state), count in self.jobs().items() if state == jobs.DEAD)

    def conflicts(self, actor: Actor, limit: int = 100) -> list[ListedConflict]:
        """Studies that came under two patients, newest first."""
        self._policy.check(actor, Action.QUERY)
        with self._database.read() as connection:
            return lookup.listed_conflicts(connection, limit)

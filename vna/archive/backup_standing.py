"""Whether backups and restore tests were done in time, for operators and alarms."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.index import backup_runs, regular
from storage.index.backup_runs import BACKUP, TEST, Run
from storage.index.engine import Connection, Database
from storage.index.events import read_time, time_text
from vna.model.access import Action, Actor
from vna.security.policy import Policy

log = logging.getLogger(__name__)

_GRACE = 1.5
"""A backup is overdue when so many periods are over since the last good one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: places of backups, and how often; no places where nothing is."""

    places: tuple[str, ...]
    every: timedelta
    test_every: timedelta


@dataclass(frozen=True, slots=True)
class Standing:
    """Seconds since the last good backup (of the place that is worst) and restore test, None where there was none; what
    is overdue, in sentences."""

    backup_age: float | None
    test_age: float | None
    overdue: tuple[str, ...]


class BackupStanding:
    """Remembers what was done, and says what is overdue."""

    def __init__(self, database: Database, policy: Policy, plan: Plan) -> None:
        self._database = database
        self._policy = policy
        self._plan = plan

    def standing(self, now: datetime | None = None) -> Standing:
        """Asked by machines without a login: it says nothing about what is held."""
        now = now or datetime.now(UTC)
        with self._database.read() as connection:
            ages = [_age(backup_runs.newest(connection, BACKUP, p, good=True), now) for p in self._plan.places or ("",)]
            test = _age(backup_runs.newest(connection, TEST, good=True), now)
            overdue = self._overdue(connection, now)
        return Standing(None if None in ages else max(age for age in ages if age is not None), test, overdue)

    def told(self, actor: Actor) -> tuple[str, ...]:
        """What is overdue, for operators."""
        self._policy.check(actor, Action.ADMIN)
        return self.standing().overdue

    def latest(self, actor: Actor, limit: int = 20) -> list[Run]:
        """Backups and restore tests, newest first."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return backup_runs.latest(connection, limit)

    def remember(self, actor: Actor, run: Run) -> None:
        """One ended."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.transaction() as connection:
            backup_runs.add(connection, run)

    def _overdue(self, connection: Connection, now: datetime) -> tuple[str, ...]:
        found = [self._of_place(connection, place, now) for place in self._plan.places]
        if self._plan.places:
            found.append(self._of_test(connection, now))
        return tuple(sentence for sentence in found if sentence)

    def _of_place(self, connection: Connection, place: str, now: datetime) -> str:
        last = backup_runs.newest(connection, BACKUP, place)
        if last is not None and last.failed:
            return f"the last backup to {place} failed: {last.outcome}"
        begun = regular.last(connection, BACKUP)
        since = last.ended_at if last else begun.begun_at if begun else ""
        if since and now - read_time(since) > self._plan.every * _GRACE:
            return f"a backup to {place} is overdue" + (f": the last one ended {since[:16]}Z" if last else "")
        return ""

    def _of_test(self, connection: Connection, now: datetime) -> str:
        last = backup_runs.newest(connection, TEST)
        if last is not None and last.failed:
            return f"the last restore test failed: {last.outcome}"
        since = last or backup_runs.first(connection, BACKUP)
        if since is not None and now - read_time(since.ended_at) > self._plan.test_every:
            return "a restore test is overdue: run `vna restore --test`"
        return ""


def ended(kind: str, place: str, stamp: str, began: datetime, outcome: str, *, failed: bool) -> Run:
    """What is to be remembered of one that ended just now."""
    now = datetime.now(UTC)
    return Run(kind, place, stamp, time_text(began), time_text(now), int(failed), outcome[:500])


def _age(run: Run | None, now: datetime) -> float | None:
    return None if run is None else (now - read_time(run.ended_at)).total_seconds()

"""What an operator does with jobs: look at them, let them be tried again, drop them."""

from storage.index import jobs
from storage.index.engine import Database
from storage.index.jobs import Job
from vna.model.access import Action, Actor
from vna.model.errors import NotFound
from vna.security.policy import Policy

STATES = (jobs.READY, jobs.RUNNING, jobs.DEAD)


class Jobs:
    """Durable jobs as rows."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def all(self, actor: Actor, *, state: str = "", kind: str = "", limit: int = 1000) -> list[Job]:
        """The oldest jobs, of one state or kind or of all."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return jobs.listed(connection, state=state, kind=kind, limit=limit)

    def counts(self, actor: Actor) -> dict[str, int]:
        """How many jobs there are in each state."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return dict.fromkeys(STATES, 0) | jobs.counts(connection)

    def retry(self, actor: Actor, job_id: int) -> None:
        """Let a job be tried at once, as often as a new one; NotFound unless it waits or was given up."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.transaction() as connection:
            if not jobs.again(connection, job_id):
                raise NotFound(f"no job {job_id} waits or was given up")

    def drop(self, actor: Actor, job_id: int) -> None:
        """Forget a job, undone; NotFound unless it waits or was given up."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.transaction() as connection:
            if not jobs.drop(connection, job_id):
                raise NotFound(f"no job {job_id} waits or was given up")

"""The stores of the archive: how they stand, and what an operator moves between them."""

import json
from dataclasses import dataclass

from storage.blobs.base import BlobStore, OnDisk
from storage.blobs.several import SeveralBlobs
from storage.index import jobs, places
from storage.index.engine import Database
from storage.index.places import PRIMARY
from vna.archive.placement import MOVE, stores_of
from vna.model.access import Action, Actor
from vna.model.errors import BadRequest, NotFound, VnaError
from vna.security.policy import Policy


@dataclass(frozen=True, slots=True)
class StoreState:
    """One store; `problem` is empty when it answers, `free` None where it does not say."""

    name: str
    problem: str
    objects: int
    size: int
    free: int | None


@dataclass(frozen=True, slots=True)
class Moving:
    """A move that was asked for; `problem` is what went wrong last."""

    job_id: int
    done: int
    problem: str = ""
    over: bool = False


class Stores:
    """Looks at stores, and has things moved."""

    def __init__(self, database: Database, blobs: BlobStore, policy: Policy) -> None:
        self._database = database
        self._stores = blobs.stores if isinstance(blobs, SeveralBlobs) else {PRIMARY: blobs}
        self._policy = policy

    def all(self, actor: Actor) -> list[StoreState]:
        """Every store, asked now; counts are those of the index."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            counts = places.counts(connection)
        return [self._state(name, *counts.get(name, (0, 0))) for name in self._stores]

    def answering(self) -> dict[str, bool]:
        """Which stores answer. Asked by machines without a login: it says nothing about what is held."""
        return {name: not self._problem(name) for name in self._stores}

    def _state(self, name: str, objects: int, size: int) -> StoreState:
        problem = self._problem(name)
        store = self._stores[name]
        free = store.free_bytes() if isinstance(store, OnDisk) and not problem else None
        return StoreState(name, problem, objects, size, free)

    def _problem(self, name: str) -> str:
        try:
            self._stores[name].check()
        except VnaError as exc:
            return str(exc)
        return ""

    def move(
        self, actor: Actor, store: str, *, study: str = "", facility: str = "", replicas: tuple[str, ...] = ()
    ) -> tuple[int, int]:
        """Have a study, or what a facility has, moved by a job: its number, and how many instances that are.

        Where a rule of placement says otherwise it moves them back. NotFound when there is nothing to move.
        """
        self._policy.check(actor, Action.ADMIN, study)
        if bool(study) == bool(facility):
            raise BadRequest("name a study or a facility")
        stores = stores_of(store, replicas)
        for name in stores:
            if name not in self._stores:
                raise NotFound(f"no store is called {name}: there are {', '.join(self._stores)}")
        state = {"study": study, "facility": facility, "stores": stores, "after": 0, "moved": 0}
        with self._database.transaction() as connection:
            number = places.count_of(connection, study, facility)
            if not number:
                raise NotFound("nothing is held of that")
            job = jobs.add(connection, MOVE, order_key=study or facility, payload=json.dumps(state), priority=jobs.BULK)
        return job, number

    def moving(self, actor: Actor, job_id: int) -> Moving:
        """How far a move is."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            found = [job for job in jobs.listed(connection, state="", kind=MOVE, limit=1000) if job.job_id == job_id]
        if not found:
            return Moving(job_id, 0, over=True)
        (job,) = found
        return Moving(job_id, json.loads(job.payload)["moved"], job.last_error, over=job.state == jobs.DEAD)

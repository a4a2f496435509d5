"""Hands event rows to subscribers: at least once, in order per study, across kill -9."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from storage.index import events, jobs
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.jobs import Job
from vna.jobs.holding import holder
from vna.jobs.retries import failed
from vna.model.errors import VnaError
from vna.model.events import Event

log = logging.getLogger(__name__)

Subscriber = Callable[[Sequence[Event]], None]
"""Takes a batch in order and returns when it is safe with it; has to bear the same event twice. What it raises is
tried again."""

StepsAside = Callable[[Connection], bool]
"""Whether another is to hand out events, however free we are."""


def nobody_is_newer(_connection: Connection) -> bool:
    """Where all nodes are of one version."""
    return False


_LEASE = "dispatcher"
_LEASE_SECONDS = 10.0
_BATCH = 500
_DELIVERY = "deliver:"


class Dispatcher:
    """One of them works at a time, over all processes and nodes: a lease row says which.

    Every subscriber gets each batch. One that fails gets its events again from jobs of its own, so that it holds up
    neither the others nor, beyond the study concerned, itself.
    """

    def __init__(
        self, database: Database, subscribers: Mapping[str, Subscriber], steps_aside: StepsAside = nobody_is_newer
    ) -> None:
        """`steps_aside` says that a node of a newer version runs, whose subscribers ours may know nothing of."""
        self._database = database
        self._steps_aside = steps_aside
        self._subscribers = dict(subscribers)
        self._holder = holder()
        self._leader_until = 0.0

    def run(self, stop: threading.Event, *, pause: float = 1.0) -> None:
        """Work until told to stop; an index that does not answer is waited for."""
        while not stop.is_set():
            try:
                busy = self.once()
            except VnaError as exc:
                log.warning("dispatcher waits", extra={"reason": str(exc)})
                busy = False
            except Exception:
                log.exception("dispatcher failed")
                busy = False
            if not busy:
                stop.wait(pause)
        self._leave()

    def once(self) -> bool:
        """Hand out one batch and what is due; whether there was a full batch, so that there may be more."""
        if not self._is_leader():
            return False
        with self._database.read() as connection:
            batch = events.pending(connection, _BATCH)
        if batch:
            with self._database.transaction() as connection:
                batch = events.number(connection, batch)
            self._hand_out(batch)
        self._retry()
        return len(batch) == _BATCH

    def drain(self) -> bool:
        """Hand out everything that is pending now; False when another one is at it."""
        while self.once():
            pass
        is_leader = self._leader_until > 0
        self._leave()
        return is_leader

    def _leave(self) -> None:
        with suppress(VnaError):
            self.once()
            with self._database.transaction() as connection:
                jobs.release_lease(connection, _LEASE, self._holder)
            self._leader_until = 0.0

    def _is_leader(self) -> bool:
        now = time.monotonic()
        if now < self._leader_until - _LEASE_SECONDS / 2:
            return True
        with self._database.transaction() as connection:
            if self._steps_aside(connection):
                jobs.release_lease(connection, _LEASE, self._holder)
                return False
            if not jobs.take_lease(connection, _LEASE, self._holder, jobs.clock(connection), _LEASE_SECONDS):
                return False
        self._leader_until = now + _LEASE_SECONDS
        return True

    def _hand_out(self, batch: Sequence[Event]) -> None:
        failed: list[tuple[str, Event]] = []
        for name, subscriber in self._subscribers.items():
            held_up = self._held_up(name, batch)
            free = [event for event in batch if event.study_instance_uid not in held_up]
            failed += [(name, event) for event in batch if event.study_instance_uid in held_up]
            try:
                if free:
                    subscriber(free)
            except Exception as exc:  # noqa: BLE001 - whatever it is, it is tried again
                log.warning(
                    "subscriber failed", extra={"subscriber": name, "events": len(free), "reason": type(exc).__name__}
                )
                failed += [(name, event) for event in free]
        with self._database.transaction() as connection:
            for name, event in sorted(failed, key=lambda item: item[1].event_id):
                jobs.add(connection, _DELIVERY + name, order_key=event.study_instance_uid, payload=str(event.event_id))
            events.done(connection, [event.event_id for event in batch])

    def _held_up(self, name: str, batch: Sequence[Event]) -> set[str]:
        studies = {event.study_instance_uid for event in batch if event.study_instance_uid}
        with self._database.read() as connection:
            return jobs.waiting_keys(connection, _DELIVERY + name, studies)

    def _retry(self) -> None:
        with self._database.read() as connection:
            due = [
                job
                for job in jobs.due(connection, time_text(datetime.now(UTC)), _BATCH)
                if job.kind.startswith(_DELIVERY)
            ]
        for job in due:
            self._deliver(job)

    def _deliver(self, job: Job) -> None:
        subscriber = self._subscribers.get(job.kind.removeprefix(_DELIVERY))
        with self._database.read() as connection:
            event = events.by_id(connection, int(job.payload))
        try:
            if subscriber is not None and event is not None:
                subscriber([event])
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is tried again
            self._failed(job, exc)
            return
        with self._database.transaction() as connection:
            jobs.finish(connection, job)

    def _failed(self, job: Job, exc: Exception) -> None:
        with self._database.transaction() as connection:
            if not failed(connection, job, exc):
                log.error("delivery given up", extra={"job": job.job_id, "kind": job.kind})

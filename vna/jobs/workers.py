"""Durable jobs, done: each by one worker of one node at a time, again after a failure, by another after a crash."""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

from storage.index import jobs
from storage.index.engine import Database
from storage.index.events import time_text
from storage.index.jobs import Job
from vna.jobs.holding import holder, saying
from vna.jobs.retries import USUAL, KeepTrying, Ladder, failed
from vna.model.errors import VnaError

log = logging.getLogger(__name__)

Work = Callable[[str], str | None]
"""One step of a job: takes its payload, returns that of the next step, None when it was the last.

A step may be done twice, after a crash. What it raises is tried again, GivenUp excepted."""

_LEASE_SECONDS = 20.0


class Workers:
    """Threads that take what is due, by priority and age; those of one kind and order key one after another.

    Where there are several, one leaves bulk jobs to the others, so that these never take all of them.

    Whoever takes a job holds it for twenty seconds at a time and says so every five while at it: what a killed process
    held is taken by another when that has run out.
    """

    def __init__(
        self,
        database: Database,
        works: Mapping[str, Work],
        *,
        threads: int = 2,
        ladders: Mapping[str, Ladder] | None = None,
    ) -> None:
        """`works` are what jobs of a kind ask for; others are left to those who know them. `ladders` say of kinds when
        what failed is tried again, where that is not as usual."""
        self._database = database
        self._works = dict(works)
        self._ladders = dict(ladders or {})
        self._threads = threads
        self._holder = holder()

    def run(self, stop: threading.Event, *, pause: float = 1.0) -> None:
        """Work until told to stop; steps that were begun are finished."""
        threads = [
            threading.Thread(
                target=self._run,
                args=(stop, pause, number > 0 or self._threads == 1),
                name=f"job-{number}",
                daemon=True,
            )
            for number in range(self._threads)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def once(self, *, bulk: bool = True) -> bool:
        """One step of the first job that is due, or without `bulk` of the first that is none; False when there is no
        such job."""
        job = self._take(bulk=bulk)
        if job is None:
            return False
        self._step(job)
        return True

    def drain(self) -> None:
        """Everything that is due now."""
        while self.once():
            pass

    def _run(self, stop: threading.Event, pause: float, bulk: bool) -> None:
        while not stop.is_set():
            try:
                busy = self.once(bulk=bulk)
            except VnaError as exc:
                log.warning("worker waits", extra={"reason": str(exc)})
                busy = False
            except Exception:
                log.exception("worker failed")
                busy = False
            if not busy:
                stop.wait(pause)

    def _take(self, *, bulk: bool) -> Job | None:
        now = time_text(datetime.now(UTC))
        with self._database.glance() as connection:
            if not jobs.any_due(connection, list(self._works), now, jobs.clock(connection), bulk=bulk):
                return None
        with self._database.transaction() as connection:
            return jobs.claim(
                connection,
                list(self._works),
                now=now,
                clock=jobs.clock(connection),
                holder=self._holder,
                seconds=_LEASE_SECONDS,
                bulk=bulk,
            )

    def _step(self, job: Job) -> None:
        try:
            with saying(partial(self._extend, job), _LEASE_SECONDS / 4, "job-lease"):
                payload = self._works[job.kind](job.payload)
        except Exception as exc:
            if not isinstance(exc, VnaError):
                log.exception("job failed", extra={"job": job.job_id, "kind": job.kind})
            with self._database.transaction() as connection:
                again = failed(connection, job, exc, self._ladders.get(job.kind, USUAL))
            level, words = _told(exc, again=again)
            log.log(level, words, extra={"job": job.job_id, "kind": job.kind, "reason": type(exc).__name__})
            return
        with self._database.transaction() as connection:
            if payload is None:
                jobs.finish(connection, job)
            else:
                jobs.advance(connection, job, payload)

    def _extend(self, job: Job) -> None:
        with self._database.transaction() as connection:
            jobs.extend(connection, job, jobs.clock(connection) + _LEASE_SECONDS)


def _told(exc: Exception, *, again: bool) -> tuple[int, str]:
    """What only waits is no failure."""
    if not again:
        return logging.ERROR, "job given up"
    return (logging.INFO, "job waits") if isinstance(exc, KeepTrying) else (logging.WARNING, "job is tried again")

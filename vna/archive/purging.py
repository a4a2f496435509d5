"""Removing for good what was deleted: rows and events first, and the bytes when the journal has the events.

So a reindex does not take them in again, and `verify` does not call them lost.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from storage import journal
from storage.blobs.base import BlobStore
from storage.index import deletion, events, jobs
from storage.index import holds as hold_rows
from storage.index import purging as rows
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.purging import Candidate
from storage.metadata import Limits
from vna.archive.holds import Holds, today
from vna.archive.reread import rows_again
from vna.archive.store import Provenance
from vna.jobs.retries import KeepTrying
from vna.model.access import Action, Actor
from vna.model.coercion import coercion_of
from vna.model.errors import VnaError
from vna.model.events import Event, EventKind
from vna.security.policy import Policy

log = logging.getLogger(__name__)

ERASE = "erase"
"""The kind of job that takes bytes away that were removed for good; its payload says nothing."""

_BATCH = 200


@dataclass(slots=True)
class Purged:
    """What was removed, and how many instances were not: on hold, or `rejected`, hidden by a note that may be
    revoked."""

    instances: int = 0
    bytes: int = 0
    held: int = 0
    rejected: int = 0
    _patients: dict[str, bool] = field(default_factory=dict)


class Purging:
    """Takes away what was deleted long enough ago."""

    def __init__(self, database: Database, blobs: BlobStore, policy: Policy) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy

    def purge(
        self,
        actor: Actor,
        older_than: timedelta,
        *,
        study: str = "",
        reason: str = "",
        rejected: bool = False,
        dry_run: bool = False,
        told: Callable[[int], object] | None = None,
    ) -> Purged:
        """Remove what was deleted longer ago, of one study or all, for one reason or any; bytes go by a job.

        What a rejection note hides, and revoking it brings back, goes only with `rejected`.
        """
        self._policy.check(actor, Action.ADMIN, study)
        done, after = Purged(), 0
        before = time_text(datetime.now(UTC) - older_than)
        if not rejected:
            with self._database.read() as connection:
                done.rejected = rows.revocable(connection, before=before, study=study, reason=reason)
        while True:
            with self._database.read() as connection:
                page = rows.candidates(
                    connection,
                    before=before,
                    study=study,
                    reason=reason,
                    rejected=rejected,
                    after=after,
                    limit=_BATCH,
                )
            for uid in dict.fromkeys(one.study_instance_uid for one in page):
                of_study = [one for one in page if one.study_instance_uid == uid]
                self._some(actor, uid, of_study, done, dry_run=dry_run)
                if told is not None:
                    told(len(of_study))
            if len(page) < _BATCH:
                return done
            after = page[-1].key

    def __call__(self, _payload: str) -> str | None:
        """A step of the job ERASE: what the journal does not tell of yet waits for it."""
        with self._database.read() as connection:
            left = rows.left(connection, _BATCH)
            told = [events.by_id(connection, number) for number in dict.fromkeys(number for _, number in left)]
            waiting = events.are_pending(connection, [event.event_id for event in told if event is not None])
        if not left:
            return None
        if waiting:
            raise KeepTrying("the journal does not tell of it yet")
        journal.write(self._blobs, [event for event in told if event is not None])
        for blob, _ in left:
            self._blobs.delete(blob)
        with self._database.transaction() as connection:
            rows.erased(connection, [blob for blob, _ in left])
        return "more"

    def _some(self, actor: Actor, study: str, some: Sequence[Candidate], done: Purged, *, dry_run: bool) -> None:
        if self._is_held_by_patient(study, done):
            done.held += len(some)
            return
        with self._database.transaction() as connection:
            locked = rows.lock(connection, [one.key for one in some])
            if Holds.held(connection, study):
                done.held += len(locked)
                return
            if not dry_run:
                self._remove(connection, actor, study, locked)
        done.instances += len(locked)
        done.bytes += sum(one.size for one in locked)

    def _remove(self, connection: Connection, actor: Actor, study: str, some: Sequence[Candidate]) -> None:
        if not some:
            return
        objects = [{"uid": one.sop_instance_uid, "blob": one.blob, "size": one.size} for one in some]
        rows.remove(connection, [one.blob for one in some])
        older = rows.older_versions(connection, [one.sop_instance_uid for one in some])
        rows.remove(connection, [blob for _, blob, _ in older])
        objects += [{"uid": uid, "blob": blob, "size": size} for uid, blob, size in older]
        told = Event(0, EventKind.INSTANCE_PURGED, datetime.now(UTC), study, "", actor.name, {"objects": objects})
        rows.note(connection, study, objects, rows.tell(connection, told))
        jobs.schedule(connection, ERASE, order_key=ERASE, priority=jobs.BULK)

    def _is_held_by_patient(self, study: str, done: Purged) -> bool:
        """Rows of what is deleted do not say whose it is, so an image of it has to; when none can, it is held."""
        with self._database.read() as connection:
            if not hold_rows.of_patients(connection):
                return False
        if study not in done._patients:
            done._patients[study] = self._asked(study)
        return done._patients[study]

    def _asked(self, study: str) -> bool:
        with self._database.read() as connection:
            some = deletion.listed(connection, study, limit=5)
        for one in some:
            provenance = Provenance(
                actor="",
                source_ae=one.source_ae,
                source_address=one.source_address,
                door=one.door,
                received_at=one.received_at,
                facility=one.facility,
                coercion=coercion_of(one.rules),
            )
            try:
                key = rows_again(self._blobs, one.blob, one.size, one.sha256, provenance, Limits()).patient_key
            except VnaError:
                continue
            with self._database.read() as connection:
                return hold_rows.of_patient(connection, key.patient_id, key.issuer, today()) is not None
        return True


def replay(connection: Connection, event: Event) -> None:
    """What was removed for good, as an event tells of it. Bytes that are there yet are taken away again."""
    objects = event.detail["objects"]
    rows.remove(connection, [one["blob"] for one in objects])
    rows.note(connection, event.study_instance_uid, objects, event.event_id)
    jobs.schedule(connection, ERASE, order_key=ERASE, priority=jobs.BULK)

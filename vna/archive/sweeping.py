"""Sweeping while the archive runs: what neither index nor journal names goes a day after it was first seen."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from storage.blobs.base import BlobStore
from storage.index import lookup
from storage.index import orphans as rows
from storage.index.engine import Database
from storage.index.events import time_text
from vna.archive.claims import Unindexed, orphans
from vna.jobs.regular import was_done
from vna.model.access import SYSTEM, Action, Actor
from vna.model.errors import Conflict, NotFound
from vna.security.policy import Policy

log = logging.getLogger(__name__)

SWEEP = "sweep"
"""The kind of job that sweeps; it has no payload."""
GRACE = timedelta(days=1)

_BATCH = 200


@dataclass(slots=True)
class Swept:
    """What was removed, and how many are too young to be."""

    removed: int = 0
    bytes: int = 0
    young: int = 0


class Sweeping:
    """Notes what nothing names, and removes what was noted long enough ago and still is so.

    What is being stored has a blob before it has a row, but never for a day.
    """

    def __init__(self, database: Database, blobs: BlobStore, policy: Policy, grace: timedelta = GRACE) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._grace = grace

    def sweep(self, actor: Actor, *, dry_run: bool = False) -> Swept:
        """Once; with `dry_run` nothing is removed or noted. Conflict when a part of the journal cannot be read."""
        self._policy.check(actor, Action.ADMIN)
        unindexed = Unindexed(self._database, self._blobs)
        for _ in unindexed:
            pass
        if unindexed.damaged:
            raise Conflict(f"{unindexed.damaged[0]} of the journal cannot be read, and may name what looks left over")
        swept, now = Swept(), datetime.now(UTC)
        found = orphans(self._database, self._blobs, unindexed.names)
        while batch := list(islice(found, _BATCH)):
            self._some(batch, swept, now, dry_run=dry_run)
        if not dry_run:
            with self._database.transaction() as connection:
                rows.forget_named(connection, lookup.KEPT)
                was_done(connection, SWEEP, f"{swept.removed} removed, {swept.bytes} bytes")
        return swept

    def __call__(self, _payload: str) -> None:
        """The regular job."""
        swept = self.sweep(SYSTEM)
        log.info("swept", extra={"removed": swept.removed, "bytes": swept.bytes, "young": swept.young})

    def _some(self, batch: list[str], swept: Swept, now: datetime, *, dry_run: bool) -> None:
        with self._database.read() as connection:
            old = rows.older(connection, batch, time_text(now - self._grace))
        swept.young += len(batch) - len(old)
        if not dry_run:
            with self._database.transaction() as connection:
                rows.note(connection, (name for name in batch if name not in old), time_text(now))
        for name, size in self._sizes(sorted(old)):
            if not dry_run:
                self._blobs.delete(name)
            swept.removed, swept.bytes = swept.removed + 1, swept.bytes + size
        if old and not dry_run:
            with self._database.transaction() as connection:
                rows.forget(connection, sorted(old))

    def _sizes(self, names: list[str]) -> Iterator[tuple[str, int]]:
        for name in names:
            try:
                yield name, self._blobs.size(name)
            except NotFound:
                continue

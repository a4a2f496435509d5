"""Care of what is kept: every object against its digest and the index, and blobs that no row names."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from storage import spool
from storage.blobs.base import BlobStore
from storage.index import lookup
from storage.index.engine import Database
from storage.index.lookup import StoredBlob
from vna.archive.names import STUDIES
from vna.model.access import Action, Actor
from vna.model.errors import NotFound, Unavailable
from vna.security.policy import Policy

_BATCH = 500


class Damage(StrEnum):
    """What can be wrong with an object."""

    MISSING = "missing"
    SIZE = "size differs"
    DIGEST = "digest differs"
    ORPHAN = "no row names it"


@dataclass(frozen=True, slots=True)
class Checked:
    """One object looked at: `damage` None when it is sound. Orphans are no damage to anything that was acknowledged."""

    blob: str
    sop_instance_uid: str
    size: int
    damage: Damage | None


class Care:
    """Verifies and sweeps, reading everything once."""

    def __init__(self, database: Database, blobs: BlobStore, policy: Policy) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy

    def total(self, actor: Actor) -> int:
        """How many objects `verify` will look at, orphans aside."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return lookup.counts(connection)["instances"]

    def verify(self, actor: Actor) -> Iterator[Checked]:
        """Every stored object, older versions too, against its digest and the index; then what no row names."""
        self._policy.check(actor, Action.ADMIN)
        for current in (True, False):
            for stored in self._stored(current):
                yield Checked(stored.blob, stored.sop_instance_uid, stored.size, self._damage(stored))
        for name in self._orphans():
            yield Checked(name, "", 0, Damage.ORPHAN)

    def sweep(self, actor: Actor) -> int:
        """Remove what a crash left: blobs that no row names, and the spool. To be run while nothing is being stored."""
        self._policy.check(actor, Action.ADMIN)
        removed = spool.sweep(self._blobs.spool_folder)
        for name in list(self._orphans()):
            self._blobs.delete(name)
            removed += 1
        return removed

    def _stored(self, current: bool) -> Iterator[StoredBlob]:
        after = 0
        while True:
            with self._database.read() as connection:
                batch = lookup.stored_blobs(connection, current=current, after=after, limit=_BATCH)
            if not batch:
                return
            yield from batch
            after = batch[-1].key

    def _damage(self, stored: StoredBlob) -> Damage | None:
        digest, size = hashlib.sha256(), 0
        try:
            for piece in self._blobs.stream(stored.blob):
                digest.update(piece)
                size += len(piece)
        except NotFound:
            return Damage.MISSING
        except Unavailable:
            return Damage.SIZE
        if size != stored.size:
            return Damage.SIZE
        return None if digest.digest() == stored.sha256 else Damage.DIGEST

    def _orphans(self) -> Iterator[str]:
        """Listed first, looked up after: a blob whose row was committed meanwhile is none."""
        batch: list[str] = []
        for name in self._blobs.names(STUDIES):
            batch.append(name)
            if len(batch) == _BATCH:
                yield from self._unknown(batch)
                batch = []
        yield from self._unknown(batch)

    def _unknown(self, names: list[str]) -> list[str]:
        if not names:
            return []
        with self._database.read() as connection:
            known = lookup.known_blobs(connection, names)
        return [name for name in names if name not in known]

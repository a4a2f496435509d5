"""Care of what is kept: every object against its digest, the index and the journal; and blobs that neither names."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from storage import spool
from storage.blobs.base import BlobStore
from storage.index import events, lookup
from storage.index.engine import Database
from storage.index.lookup import StoredBlob
from vna.archive.claims import Damage, Unindexed, damage_of
from vna.archive.names import KEPT
from vna.model.access import Action, Actor
from vna.model.errors import Conflict, NotFound
from vna.model.events import EventKind
from vna.security.policy import Policy

__all__ = ["Care", "Checked", "Damage"]

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Checked:
    """One object looked at: `damage` None when it is sound. Orphans are no damage to anything that was acknowledged.

    `forgotten` when an operator gave up what is damaged.
    """

    blob: str
    sop_instance_uid: str
    size: int
    damage: Damage | None
    forgotten: bool = False


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
            return lookup.kept(connection)

    def verify(self, actor: Actor) -> Iterator[Checked]:
        """Every stored object, older versions and deleted ones too, against its digest and the index.

        Then what the journal names and the index does not, then what neither names.
        """
        self._policy.check(actor, Action.ADMIN)
        forgotten = self._forgotten()
        for stored in self._stored():
            yield _checked(stored, self._damage(stored), forgotten)
        unindexed = Unindexed(self._database, self._blobs)
        for stored in unindexed:
            yield _checked(stored, self._damage(stored) or Damage.NOT_INDEXED, forgotten)
        for name in unindexed.damaged:
            yield Checked(name, "", 0, Damage.UNREADABLE)
        for name in self._orphans(unindexed.names):
            yield Checked(name, "", 0, Damage.ORPHAN)

    def forget(self, actor: Actor, sop_instance_uid: str) -> tuple[str, ...]:
        """Give up what is damaged under a SOP Instance UID, or a document's uniqueId.

        `verify` counts it no more, and a reindex leaves it out. The blobs concerned; NotFound when nothing is damaged.
        Bytes that are left are not removed.
        """
        self._policy.check(actor, Action.ADMIN, sop_instance_uid)
        given_up = self._forgotten()
        with self._database.read() as connection:
            held = lookup.blobs_of(connection, sop_instance_uid)
        lost = [stored for stored in held if self._damage(stored) is not None]
        unindexed = Unindexed(self._database, self._blobs)
        lost += [stored for stored in unindexed if stored.sop_instance_uid == sop_instance_uid]
        names = tuple(stored.blob for stored in lost if stored.blob not in given_up)
        if not names:
            raise NotFound(f"nothing is damaged under the SOP Instance UID {sop_instance_uid}")
        with self._database.transaction() as connection:
            for name in names:
                events.append(
                    connection,
                    EventKind.INSTANCE_FORGOTTEN,
                    at=datetime.now(UTC),
                    actor=actor.name,
                    sop_instance_uid=sop_instance_uid,
                    detail={"blob": name},
                )
        return names

    def sweep(self, actor: Actor) -> int:
        """Remove what a crash left: blobs that neither index nor journal names, and the spool.

        To be run while nothing is being stored. Conflict when a part of the journal cannot be read.
        """
        self._policy.check(actor, Action.ADMIN)
        unindexed = Unindexed(self._database, self._blobs)
        for _ in unindexed:
            pass
        if unindexed.damaged:
            raise Conflict(f"{unindexed.damaged[0]} of the journal cannot be read, and may name what looks left over")
        removed = spool.sweep(self._blobs.spool_folder)
        for name in list(self._orphans(unindexed.names)):
            self._blobs.delete(name)
            removed += 1
        return removed

    def _forgotten(self) -> set[str]:
        with self._database.read() as connection:
            return {event.detail["blob"] for event in events.of_kind(connection, EventKind.INSTANCE_FORGOTTEN)}

    def _stored(self) -> Iterator[StoredBlob]:
        for table in lookup.KEPT:
            after = 0
            while True:
                with self._database.read() as connection:
                    batch = lookup.stored_blobs(connection, table, after=after, limit=_BATCH)
                if not batch:
                    break
                yield from batch
                after = batch[-1].key

    def _damage(self, stored: StoredBlob) -> Damage | None:
        return damage_of(self._blobs, stored.blob, stored.size, stored.sha256)

    def _orphans(self, journaled: set[str]) -> Iterator[str]:
        """Listed first, looked up after: a blob whose row was committed meanwhile is none."""
        batch: list[str] = []
        for name in (name for folder in KEPT for name in self._blobs.names(folder)):
            if name not in journaled:
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


def _checked(stored: StoredBlob, damage: Damage | None, forgotten: set[str]) -> Checked:
    given_up = damage is not None and stored.blob in forgotten
    return Checked(stored.blob, stored.sop_instance_uid, stored.size, damage, given_up)

"""Care of what is kept: every object against its digest, the index and the journal; and blobs that neither names."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from storage import spool
from storage.blobs.base import BlobStore
from storage.index import events, lookup, verify_runs
from storage.index.engine import Database
from storage.index.lookup import StoredBlob, Table
from vna.archive.checking import Checking
from vna.archive.claims import Damage, Unindexed, damage_of, orphans
from vna.model.access import Action, Actor
from vna.model.errors import Conflict, NotFound
from vna.model.events import EventKind
from vna.security.policy import Policy

__all__ = ["Care", "Checked", "Damage"]

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Checked:
    """One object looked at: `damage` None when it is sound. Orphans are no damage to anything that was acknowledged.

    `forgotten` when an operator gave up what is damaged. `place` is the number of the part of the work and the key in
    it: `verify` goes on after it.
    """

    blob: str
    sop_instance_uid: str
    size: int
    damage: Damage | None
    forgotten: bool = False
    sha256: bytes = b""
    place: tuple[int, int] = (0, 0)

    @property
    def lost(self) -> bool:
        """Whether something that was acknowledged is damaged, and nobody gave it up."""
        return self.damage not in (None, Damage.ORPHAN) and not self.forgotten


class Care:
    """Verifies and sweeps, reading everything once."""

    def __init__(self, database: Database, blobs: BlobStore, policy: Policy) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._checking = Checking(blobs)

    def total(self, actor: Actor) -> int:
        """How many objects `verify` will look at, orphans aside."""
        return self.amount(actor)[0]

    def amount(self, actor: Actor, study: str = "") -> tuple[int, int]:
        """How many objects there are, of one study or of all, and their bytes."""
        self._policy.check(actor, Action.ADMIN, study)
        with self._database.read() as connection:
            return lookup.amount_of_study(connection, study) if study else lookup.amount(connection)

    def verify(
        self, actor: Actor, *, after: tuple[int, int] = (0, 0), checking: Checking | None = None, percent: float = 100
    ) -> Iterator[Checked]:
        """Every stored object, older versions and deleted ones too, against its digest and the index.

        Then what the journal names and the index does not, then what neither names: those are left out where only some
        `percent` are looked at, at random. It goes on `after` a place.
        """
        self._policy.check(actor, Action.ADMIN)
        checking = checking or self._checking
        forgotten = self._forgotten()
        for part, table in enumerate(lookup.KEPT):
            if part >= after[0]:
                some = self._stored(table, after[1] if part == after[0] else 0, percent)
                yield from (_checked(stored, damage, forgotten, part) for stored, damage in checking(some))
        if percent >= 100:
            yield from self._unindexed(checking, forgotten)

    def verify_study(self, actor: Actor, study: str, checking: Checking | None = None) -> Iterator[Checked]:
        """The objects of one study, older versions and deleted ones too. NotFound when there is none."""
        self._policy.check(actor, Action.ADMIN, study)
        with self._database.read() as connection:
            held = lookup.blobs_of_study(connection, study)
        if not held:
            raise NotFound("no such study")
        forgotten = self._forgotten()
        yield from (_checked(stored, damage, forgotten, 0) for stored, damage in (checking or self._checking)(held))

    def _unindexed(self, checking: Checking, forgotten: set[str]) -> Iterator[Checked]:
        unindexed, part = Unindexed(self._database, self._blobs), len(lookup.KEPT)
        for stored, damage in checking(unindexed):
            yield _checked(stored, damage or Damage.NOT_INDEXED, forgotten, part)
        for name in unindexed.damaged:
            yield Checked(name, "", 0, Damage.UNREADABLE, place=(part, 0))
        for name in orphans(self._database, self._blobs, unindexed.names):
            yield Checked(name, "", 0, Damage.ORPHAN, place=(part, 0))

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
            verify_runs.whole(connection, names)
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
        for name in list(orphans(self._database, self._blobs, unindexed.names)):
            self._blobs.delete(name)
            removed += 1
        return removed

    def _forgotten(self) -> set[str]:
        with self._database.read() as connection:
            return {event.detail["blob"] for event in events.of_kind(connection, EventKind.INSTANCE_FORGOTTEN)}

    def _stored(self, table: Table, after: int, percent: float) -> Iterator[StoredBlob]:
        while True:
            with self._database.read() as connection:
                batch = lookup.stored_blobs(connection, table, after=after, limit=_BATCH)
            if not batch:
                return
            yield from (one for one in batch if percent >= 100 or random.random() * 100 < percent)
            after = batch[-1].key

    def _damage(self, stored: StoredBlob) -> Damage | None:
        return damage_of(self._blobs, stored.blob, stored.size, stored.sha256)


def _checked(stored: StoredBlob, damage: Damage | None, forgotten: set[str], part: int) -> Checked:
    return Checked(
        blob=stored.blob,
        sop_instance_uid=stored.sop_instance_uid,
        size=stored.size,
        damage=damage,
        forgotten=damage is not None and stored.blob in forgotten,
        sha256=stored.sha256,
        place=(part, stored.key),
    )

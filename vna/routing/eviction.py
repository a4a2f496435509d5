"""The bound of what is kept of other archives' images: the copies that came first go first, and never the only ones.

A study's copies go together, and only when the archive that keeps them says, now, that it still has each of them.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.blobs.base import BlobStore
from storage.elements import text
from storage.index import elsewhere, jobs, manifests
from storage.index.elsewhere import Kept
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.archive.holds import Holds
from vna.model.access import Action, Actor
from vna.model.errors import NotFound, VnaError
from vna.model.instances import Availability
from vna.model.priority import Priority
from vna.model.query import Level, Query, series_keys
from vna.model.sources import Doors, Source, StudyPart
from vna.routing.whereabouts import candidates
from vna.security.policy import Policy

log = logging.getLogger(__name__)

EVICT = "evict"
"""The kind of job that looks whether copies have to go; it has no payload."""

_INSTANCE, _AVAILABILITY = "00080018", "00080056"
_HAS = ("", "ONLINE")
_MOST = 100_000
_STUDIES = 50


@dataclass(frozen=True, slots=True)
class Room:
    """How much copies may take, in bytes, and how old, in seconds, the youngest is that may go."""

    bytes: int
    age_seconds: float = 600.0


class Eviction:
    """Does the jobs, and says how much copies take."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        policy: Policy,
        archives: Callable[[], Sequence[Source]],
        doors: Callable[[Source], Doors],
        room: Room,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._archives = archives
        self._doors = doors
        self._room = room

    def used(self, actor: Actor) -> int:
        """Bytes of copies that are here."""
        self._policy.check(actor, Action.QUERY)
        with self._database.read() as connection:
            return elsewhere.copied_bytes(connection)

    def __call__(self, _payload: str) -> None:
        """Let copies go until they fit."""
        with self._database.read() as connection:
            too_much = elsewhere.copied_bytes(connection) - self._room.bytes
        before = time_text(datetime.now(UTC) - timedelta(seconds=self._room.age_seconds))
        after = 0
        while too_much > 0:
            with self._database.read() as connection:
                studies = elsewhere.oldest_copied(connection, before, after=after, limit=_STUDIES)
            if not studies:
                log.warning("copies of other archives' images take more than they may", extra={"bytes": too_much})
                return
            for after, study in studies:  # noqa: B007 - where the next page begins
                if too_much <= 0:
                    break
                too_much -= self._let_go(study)

    def _let_go(self, study: str) -> int:
        """Let the copies of a study go that are safe elsewhere; how many bytes."""
        with self._database.read() as connection:
            copies = elsewhere.copies(connection, study)
        by_series: dict[str, list[Kept]] = {}
        for one in copies:
            by_series.setdefault(one.series_instance_uid, []).append(one)
        freed = 0
        for series_uid, those in by_series.items():
            try:
                safe = self._safe(study, series_uid, those)
            except VnaError as exc:
                log.info("copies stay", extra={"study_instance_uid": study, "reason": str(exc)})
                continue
            freed += self._forget(study, series_uid, [one for one in those if one.sop_instance_uid in safe])
        return freed

    def _safe(self, study: str, series_uid: str, those: Sequence[Kept]) -> set[str]:
        """Those that a current manifest names, and an archive has that was asked just now."""
        with self._database.read() as connection:
            named = manifests.classes(connection, study, series_uid)
            sources = candidates(self._archives(), manifests.places(connection, study, series_uid))
        wanted = {one.sop_instance_uid for one in those} & named.keys()
        safe: set[str] = set()
        for source in sources:
            if wanted <= safe:
                break
            safe |= wanted & self._has(source, study, series_uid, sorted(wanted - safe))
        return safe

    def _has(self, source: Source, study: str, series_uid: str, uids: Sequence[str]) -> set[str]:
        """What it says it has; by a search, else by beginning to fetch each."""
        doors = self._doors(source)
        for _, door in doors.searching:
            keys = series_keys(study, series_uid)
            found = door.search(Query(Level.IMAGE, keys, frozenset({_INSTANCE, _AVAILABILITY}), limit=_MOST))
            return {
                match.sop_instance_uid or text(match.elements, _INSTANCE)
                for match in found
                if text(match.elements, _AVAILABILITY) in _HAS  # others only know who has it, perhaps
            }
        for _, giving in doors.fetching:
            has: set[str] = set()
            for uid in uids:
                try:
                    for fetched in giving.fetch(StudyPart(study, series_uid, (uid,), priority=Priority.BULK)):
                        has.add(fetched.sop_instance_uid)
                        break
                except NotFound:
                    continue
            return has
        return set()

    def _forget(self, study: str, series_uid: str, those: Sequence[Kept]) -> int:
        if not those:
            return 0
        with self._database.transaction() as connection:
            if Holds.held(connection, study):
                return 0
            blobs = elsewhere.let_go(connection, [one.sop_instance_uid for one in those])
            elsewhere.rate(connection, study, series_uid, Availability.NEARLINE)
        for name in blobs:
            try:
                self._blobs.delete(name)
            except VnaError as exc:
                log.warning("orphan left behind", extra={"blob": name, "reason": str(exc)})
        return sum(one.size for one in those)


def schedule(connection: Connection) -> None:
    """Have it looked at soon, once for many causes."""
    if not jobs.waiting(connection, EVICT, EVICT):
        later = time_text(datetime.now(UTC) + timedelta(seconds=30))
        jobs.add(connection, EVICT, order_key=EVICT, run_after=later, priority=-1)

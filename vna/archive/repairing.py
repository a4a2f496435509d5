"""Putting right what is damaged: from another store, from the same content under another name, from a backup folder."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from storage.blobs.base import CHUNK, BlobStore
from storage.blobs.replacing import replace
from storage.index import elsewhere, events, lookup, manifests
from storage.index.engine import Database
from vna.archive.care import Checked
from vna.archive.claims import Damage, damage_of
from vna.model.access import Action, Actor
from vna.model.errors import NotFound, VnaError
from vna.model.events import EventKind
from vna.model.instances import Availability, Door
from vna.security.policy import Policy

log = logging.getLogger(__name__)

Replica = Callable[[Actor, str, int, bytes], bool]
"""Takes a blob's name, size and digest; True when a whole copy was found in another store and put in its place."""


class Repairing:
    """Looks for whole bytes, puts them in the place of damaged ones, and verifies that they are there."""

    def __init__(self, database: Database, blobs: BlobStore, policy: Policy, replica: Replica | None = None) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._replica = replica

    def repair(self, actor: Actor, checked: Checked, backup: Path | None = None) -> str:
        """Where the whole bytes were, in words; empty when there are none.

        A copy of what another archive keeps is let go, to be fetched again.
        """
        self._policy.check(actor, Action.ADMIN, checked.sop_instance_uid)
        if not checked.sha256:
            return ""
        attempts: tuple[tuple[str, Callable[[], bool]], ...] = (
            ("another store", partial(self._from_replica, actor, checked)),
            ("another version", partial(self._from_version, checked)),
            ("a backup", partial(self._from_folder, checked, backup)),
            ("the archive that keeps it", partial(self._let_go, checked)),
        )
        if checked.damage is Damage.COPY:
            attempts = attempts[:1]  # what is whole stays where it is
        for words, attempt in attempts:
            try:
                if not attempt():
                    continue
            except VnaError as exc:
                log.warning("repair failed", extra={"blob": checked.blob, "source": words, "reason": str(exc)})
                continue
            self._tell(actor, checked, words)
            return words
        return ""

    def _from_replica(self, actor: Actor, checked: Checked) -> bool:
        if self._replica is None or not self._replica(actor, checked.blob, checked.size, checked.sha256):
            return False
        return self._is_whole(checked)

    def _from_version(self, checked: Checked) -> bool:
        """The same content may have come more than once: then it has other names too."""
        with self._database.read() as connection:
            held = lookup.blobs_of(connection, checked.sop_instance_uid)
        same = (one for one in held if one.blob != checked.blob and one.sha256 == checked.sha256)
        return any(self._put(checked, self._blobs.stream(one.blob)) for one in same)

    def _from_folder(self, checked: Checked, backup: Path | None) -> bool:
        """A copy of the blob folder, or of the data folder."""
        if backup is None:
            return False
        places = (backup / checked.blob, backup / "blobs" / checked.blob)
        return any(self._put(checked, _pieces(place)) for place in places if place.is_file())

    def _put(self, checked: Checked, pieces: Iterator[bytes]) -> bool:
        try:
            replace(self._blobs, checked.blob, pieces, checked.size, checked.sha256)
        except (NotFound, OSError):
            return False
        return self._is_whole(checked)

    def _let_go(self, checked: Checked) -> bool:
        with self._database.transaction() as connection:
            held = lookup.content(connection, checked.sop_instance_uid)
            if held is None or held.blob != checked.blob or held.door != Door.FETCH.value:
                return False
            study, series = held.study_instance_uid, held.series_instance_uid
            if not manifests.places(connection, study, series):
                return False
            blobs = elsewhere.let_go(connection, [checked.sop_instance_uid])
            elsewhere.rate(connection, study, series, Availability.NEARLINE)
        for name in blobs:
            self._blobs.delete(name)
        return bool(blobs)

    def _is_whole(self, checked: Checked) -> bool:
        return damage_of(self._blobs, checked.blob, checked.size, checked.sha256) is None

    def _tell(self, actor: Actor, checked: Checked, words: str) -> None:
        log.info("object repaired", extra={"blob": checked.blob, "source": words})
        damage = checked.damage.value if checked.damage is not None else ""
        with self._database.transaction() as connection:
            events.append(
                connection,
                EventKind.INSTANCE_REPAIRED,
                at=datetime.now(UTC),
                actor=actor.name,
                sop_instance_uid=checked.sop_instance_uid,
                detail={"blob": checked.blob, "damage": damage, "from": words},
            )


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece

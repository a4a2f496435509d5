"""What was acknowledged against what is there: the journal names it, whatever became of the index and of the bytes."""

import hashlib
from collections.abc import Iterator
from enum import StrEnum

from storage import journal
from storage.blobs.base import BlobStore
from storage.index import events, lookup
from storage.index.engine import Database
from storage.index.lookup import StoredBlob
from vna.model.errors import NotFound, Unavailable
from vna.model.events import Event, EventKind
from vna.model.instances import Door

_INSTANCES = (
    EventKind.INSTANCE_STORED,
    EventKind.INSTANCE_REPLACED,
    EventKind.INSTANCE_RESTORED,
    EventKind.INSTANCE_QUARANTINED,
)
NAMES_BLOB = (*_INSTANCES, EventKind.DOCUMENT_STORED)
"""Events that say of a blob that it is kept."""


class Damage(StrEnum):
    """What can be wrong with an object."""

    MISSING = "missing"
    UNREADABLE = "cannot be read"
    SIZE = "size differs"
    DIGEST = "digest differs"
    NOT_INDEXED = "whole, but not in the index"
    ORPHAN = "neither index nor journal names it"


def damage_of(blobs: BlobStore, name: str, size: int, sha256: bytes) -> Damage | None:
    """What is wrong with the bytes under a name; all of them are read."""
    digest, read = hashlib.sha256(), 0
    try:
        for piece in blobs.stream(name):
            digest.update(piece)
            read += len(piece)
    except NotFound:
        return Damage.MISSING
    except Unavailable:
        return Damage.UNREADABLE
    if read != size:
        return Damage.SIZE
    return None if digest.digest() == sha256 else Damage.DIGEST


class Unindexed:
    """What the journal names and no row does, each once.

    `names` are their blobs and `damaged` the journal objects that cannot be read: complete after the iteration.
    """

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs
        self.names: set[str] = set()
        self.damaged: list[str] = []

    def __iter__(self) -> Iterator[StoredBlob]:
        """Content that the index holds under the same UID all the same, because it came again, is in `names` only.

        Documents come last, when it is known which of them were discarded: those are in nothing.
        """
        discarded = self._discarded()
        documents: dict[str, Event] = {}
        for name, found in journal.objects(self._blobs):
            if found is None:
                self.damaged.append(name)
                continue
            yield from self._new({e.detail["blob"]: e for e in found if e.kind in _INSTANCES and not is_copy(e)})
            discarded.update(e.detail["blob"] for e in found if e.kind is EventKind.DOCUMENT_DISCARDED)
            documents |= self._unknown({e.detail["blob"]: e for e in found if e.kind is EventKind.DOCUMENT_STORED})
        yield from self._new({blob: event for blob, event in documents.items() if blob not in discarded})

    def _discarded(self) -> set[str]:
        """As far as the index tells of it, which the journal follows."""
        with self._database.read() as connection:
            return {event.detail["blob"] for event in events.of_kind(connection, EventKind.DOCUMENT_DISCARDED)}

    def _unknown(self, named: dict[str, Event]) -> dict[str, Event]:
        with self._database.read() as connection:
            known = lookup.known_blobs(connection, list(named)) if named else set()
        return {blob: event for blob, event in named.items() if blob not in known}

    def _new(self, named: dict[str, Event]) -> list[StoredBlob]:
        with self._database.read() as connection:
            known = lookup.known_blobs(connection, list(named)) if named else set()
            new = [_stored(event) for blob, event in named.items() if blob not in known and blob not in self.names]
            self.names.update(stored.blob for stored in new)
            return [stored for stored in new if not lookup.is_held(connection, stored.sop_instance_uid, stored.sha256)]


def is_copy(event: Event) -> bool:
    """Whether it tells of a copy of what another archive keeps: that may go at any time, and is fetched again."""
    return event.detail.get("door") == Door.FETCH.value


def _stored(event: Event) -> StoredBlob:
    detail = event.detail
    return StoredBlob(
        key=event.event_id,
        blob=detail["blob"],
        size=detail["size"],
        sha256=bytes.fromhex(detail["sha256"]),
        sop_instance_uid=uid_of(event),
    )


def uid_of(event: Event) -> str:
    """Of what an event of NAMES_BLOB tells: a SOP Instance UID, or the uniqueId of a document."""
    return str(event.detail.get("unique_id", event.sop_instance_uid))

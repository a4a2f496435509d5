"""What was acknowledged against what is there: the journal names it, whatever became of the index and of the bytes."""

from collections.abc import Iterator
from enum import StrEnum

from storage import journal
from storage.blobs.base import BlobStore
from storage.blobs.digests import Digesting
from storage.index import events, lookup, purging
from storage.index.engine import Connection, Database
from storage.index.lookup import StoredBlob
from vna.archive.names import KEPT
from vna.model.errors import NotFound, Unavailable
from vna.model.events import Event, EventKind
from vna.model.instances import Door

_BATCH = 500
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
    COPY = "whole, but not its copy in another store"
    NOT_INDEXED = "whole, but not in the index"
    ORPHAN = "neither index nor journal names it"


def damage_of(blobs: BlobStore, name: str, size: int, sha256: bytes) -> Damage | None:
    """What is wrong with the bytes under a name; all of them are read."""
    return compared(Digesting(blobs), name, size, sha256)


def compared(digesting: Digesting, name: str, size: int, sha256: bytes) -> Damage | None:
    """The same, with a buffer that is used again."""
    try:
        read, digest = digesting(name)
    except NotFound:
        return Damage.MISSING
    except Unavailable:
        return Damage.UNREADABLE
    if read != size:
        return Damage.SIZE
    return None if digest == sha256 else Damage.DIGEST


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
            known = _known(connection, list(named))
            new = [_stored(event) for blob, event in named.items() if blob not in known and blob not in self.names]
            self.names.update(stored.blob for stored in new)
            return [stored for stored in new if not lookup.is_held(connection, stored.sop_instance_uid, stored.sha256)]


def orphans(database: Database, blobs: BlobStore, journaled: set[str]) -> Iterator[str]:
    """Blobs that no row names, and that are not among those that only the journal names.

    Listed first, looked up after: a blob whose row was committed meanwhile is none.
    """
    batch: list[str] = []
    for name in (name for folder in KEPT for name in blobs.names(folder)):
        if name not in journaled:
            batch.append(name)
        if len(batch) == _BATCH:
            yield from _unknown(database, batch)
            batch = []
    yield from _unknown(database, batch)


def _unknown(database: Database, names: list[str]) -> list[str]:
    if not names:
        return []
    with database.read() as connection:
        known = lookup.known_blobs(connection, names)
    return [name for name in names if name not in known]


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


def _known(connection: Connection, names: list[str]) -> set[str]:
    """What rows name, and what was removed for good."""
    return (lookup.known_blobs(connection, names) | purging.known(connection, names)) if names else set()


def uid_of(event: Event) -> str:
    """Of what an event of NAMES_BLOB tells: a SOP Instance UID, or the uniqueId of a document."""
    return str(event.detail.get("unique_id", event.sop_instance_uid))

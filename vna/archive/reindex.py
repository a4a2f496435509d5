"""Rebuilding the index from the blob store alone: the journal replayed over the objects, then what it does not name."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from storage import journal
from storage.blobs.base import BlobStore
from storage.elements import text
from storage.index import (
    accounts,
    deletion,
    elsewhere,
    held_documents,
    instances,
    jobs,
    lookup,
    quarantine,
    rebuild,
)
from storage.index.accounts import PeerRow
from storage.index.engine import Connection, Database
from storage.index.events import read_time, time_text
from storage.index.instances import NewInstance, Raced
from storage.metadata import Limits, scan
from storage.part10 import read_file_meta, source_ae
from storage.temporary import whole
from vna.archive.claims import NAMES_BLOB, Damage, damage_of, is_copy, uid_of
from vna.archive.facility import facility as facility_of
from vna.archive.names import DOCUMENTS, KEPT
from vna.archive.reread import rows_again
from vna.archive.store import Provenance, Store, Tell
from vna.model.access import Action, Actor
from vna.model.coercion import coercion_of, coercion_text
from vna.model.errors import CannotUnderstand, Conflict, DuplicateInstance, NotFound, VnaError
from vna.model.events import Event, EventKind
from vna.model.instances import Door
from vna.security.policy import Policy

_BATCH = 200
_GIVES_UP = (EventKind.INSTANCE_FORGOTTEN, EventKind.DOCUMENT_DISCARDED)


class Step(StrEnum):
    """What became of one object or journal line."""

    INDEXED = "indexed"
    NOTED = "noted"
    FOUND = "found without a journal line"
    LOST = "named by the journal and not there"
    UNREADABLE = "cannot be read"


Replay = Callable[[Connection, Event], None]
"""Does again what an event tells of, in the transaction of the connection; whoever makes such events brings it."""

FAILED = (Step.LOST, Step.UNREADABLE)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One object or journal line, and why it could not be used where it could not."""

    step: Step
    blob: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Lost:
    """What the journal names and could not be used, with what tells whether it came again."""

    rebuilt: Rebuilt
    sop_instance_uid: str
    sha256: str


class Reindex:
    """Empties the index and fills it again through the ordinary way in."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        policy: Policy,
        store: Store,
        limits: Limits,
        replays: Mapping[EventKind, Replay] | None = None,
        afterwards: Callable[[Connection], None] | None = None,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._store = store
        self._limits = limits
        self._replays = replays or {}
        self._afterwards = afterwards

    def refuse_while_serving(self, actor: Actor) -> None:
        """Conflict while an archive works on this index: it would store into what is being rebuilt."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            if jobs.lease_is_held(connection, "dispatcher", jobs.clock(connection)):
                raise Conflict("the archive is running on this index: stop it first")

    def run(self, actor: Actor) -> Iterator[Rebuilt]:
        """Rebuild; yields after each object. Stopped half-way it has to be run again."""
        self._policy.check(actor, Action.ADMIN)
        forgotten, purged, damaged = self._survey()
        with self._database.transaction() as connection:
            rebuild.empty(connection)
        self._store.forget()
        yield from (Rebuilt(Step.UNREADABLE, name, "its bytes are damaged") for name in damaged)
        last, lost = 0, []
        for event in journal.read(self._blobs):
            last = max(last, event.event_id)
            rebuilt = self._replay(event, forgotten, purged)
            if rebuilt.step in FAILED and event.kind in NAMES_BLOB:
                lost.append(_Lost(rebuilt, uid_of(event), event.detail["sha256"]))
            else:
                yield rebuilt
        with self._database.transaction() as connection:
            rebuild.continue_after(connection, last)
        yield from map(self._unless_held, lost)
        yield from self._rest(actor, (forgotten | purged).union(one.rebuilt.blob for one in lost))
        if self._afterwards is not None:
            with self._database.transaction() as connection:
                self._afterwards(connection)

    def _survey(self) -> tuple[set[str], set[str], list[str]]:
        """The blobs that were given up or discarded, those that were removed for good, and the journal objects that
        cannot be read."""
        forgotten: set[str] = set()
        purged: set[str] = set()
        damaged: list[str] = []
        for name, events in journal.objects(self._blobs):
            if events is None:
                damaged.append(name)
            forgotten.update(e.detail["blob"] for e in events or () if e.kind in _GIVES_UP)
            purges = (e for e in events or () if e.kind is EventKind.INSTANCE_PURGED)
            purged.update(one["blob"] for e in purges for one in e.detail["objects"])
        return forgotten, purged, damaged

    def _replay(self, event: Event, forgotten: set[str], purged: set[str]) -> Rebuilt:
        if event.kind in self._replays:
            return self._again(event)
        if event.kind not in NAMES_BLOB:
            return self._note(event)
        blob = event.detail["blob"]
        if blob in purged:
            return self._note(event)
        if blob not in forgotten:
            return self._instance(event)
        if damage_of(self._blobs, blob, event.detail["size"], bytes.fromhex(event.detail["sha256"])) is not None:
            return self._note(event)
        rebuilt = self._instance(event)  # it is whole again
        return Rebuilt(Step.NOTED) if rebuilt.step in FAILED else rebuilt

    def _again(self, event: Event) -> Rebuilt:
        try:
            with self._database.transaction() as connection:
                self._replays[event.kind](connection, event)
                rebuild.keep_event(connection, event)
        except (VnaError, KeyError) as exc:
            self._note(event)
            return Rebuilt(Step.UNREADABLE, "", f"the event {event.event_id} of the journal: {exc}")
        if event.kind is EventKind.STUDY_REASSIGNED:
            self._store.forget()
        return Rebuilt(Step.NOTED)

    def _note(self, event: Event) -> Rebuilt:
        with self._database.transaction() as connection:
            if event.kind is EventKind.PEER_CHANGED:
                _peer(connection, event)
            if event.kind is EventKind.INSTANCE_DELETED:
                _delete(connection, event)
            if event.kind is EventKind.DOCUMENT_DISCARDED:
                held_documents.remove(connection, [event.detail["blob"]])
            rebuild.keep_event(connection, event)
        if event.kind is EventKind.INSTANCE_DELETED:
            self._store.forget()
        return Rebuilt(Step.NOTED)

    def _instance(self, event: Event) -> Rebuilt:
        blob = event.detail["blob"]
        try:
            if event.kind is EventKind.DOCUMENT_STORED:
                self._document(event)
            else:
                self._restore(event)
        except NotFound:
            rebuilt = Rebuilt(Step.NOTED if is_copy(event) else Step.LOST, blob)
        except VnaError as exc:
            rebuilt = Rebuilt(Step.UNREADABLE, blob, str(exc))
        else:
            return Rebuilt(Step.INDEXED, blob)
        self._note(event)
        return rebuilt

    def _document(self, event: Event) -> None:
        document = held_documents.of_event(event)
        damage = damage_of(self._blobs, document.blob, document.size, document.sha256)
        if damage is Damage.MISSING:
            raise NotFound(damage.value)
        if damage is not None:
            raise CannotUnderstand(damage.value)
        with self._database.transaction() as connection:
            held_documents.add(connection, [document])
            rebuild.keep_event(connection, event)

    def _restore(self, event: Event) -> None:
        detail = event.detail
        provenance = Provenance(
            actor=event.actor,
            source_ae=detail["source_ae"],
            source_address=detail["source_address"],
            door=detail["door"],
            received_at=read_time(detail["received_at"]) if "received_at" in detail else event.at,
            facility=detail["facility"],
            coercion=coercion_of(detail["coercion"]),
        )
        new = self._rows(detail["blob"], detail["size"], bytes.fromhex(detail["sha256"]), provenance)
        named = event.study_instance_uid, detail["series"], event.sop_instance_uid
        if (new.study_instance_uid, new.series_instance_uid, new.sop_instance_uid) != named:
            raise CannotUnderstand("its UIDs are not those that the journal names")
        if event.kind is EventKind.INSTANCE_QUARANTINED:
            self._quarantine(new, provenance, event)
            return
        if event.kind is not EventKind.INSTANCE_REPLACED:
            self._add(new, provenance, event)
            return
        try:
            self._store.replace(new, provenance, detail["held_blob"], tell=_kept(event))
        except Raced:
            self._replace_another(new, provenance, event)

    def _add(self, new: NewInstance, provenance: Provenance, event: Event) -> None:
        if self._store.add(new, provenance, tell=_kept(event)) or self._own(new, event):
            return
        raise DuplicateInstance("another object is held under its UID")

    def _quarantine(self, new: NewInstance, provenance: Provenance, event: Event) -> None:
        with self._database.transaction() as connection:
            if provenance.coercion is not None:
                new.instance["coercion_fk"] = instances.coercion_key(connection, coercion_text(provenance.coercion))
            quarantine.put(connection, new, event.detail["held_blob"])
            rebuild.keep_event(connection, event)

    def _own(self, new: NewInstance, event: Event) -> bool:
        """A copy that was sent here too: the same object is told of twice."""
        values = {name: new.instance[name] for name in ("door", "source_ae", "source_address", "facility")}
        with self._database.transaction() as connection:
            is_own = elsewhere.own(connection, new.sop_instance_uid, event.detail["blob"], values)
            if is_own:
                rebuild.keep_event(connection, event)
        return is_own

    def _replace_another(self, new: NewInstance, provenance: Provenance, event: Event) -> None:
        """The version that was replaced is lost: an older one may be held, or none."""
        with self._database.glance() as connection:
            held = lookup.content(connection, new.sop_instance_uid)
        if held is None:
            self._add(new, provenance, event)
        else:
            self._store.replace(new, provenance, held.blob, tell=_kept(event))

    def _unless_held(self, lost: "_Lost") -> Rebuilt:
        """What came again with the same content is no loss."""
        with self._database.glance() as connection:
            is_held = lookup.is_held(connection, lost.sop_instance_uid, bytes.fromhex(lost.sha256))
        return Rebuilt(Step.NOTED, lost.rebuilt.blob) if is_held else lost.rebuilt

    def _rows(self, name: str, size: int, sha256: bytes, provenance: Provenance) -> NewInstance:
        return rows_again(self._blobs, name, size, sha256, provenance, self._limits)

    def _rest(self, actor: Actor, told: set[str]) -> Iterator[Rebuilt]:
        """What was acknowledged after the journal was last written, and what a crash left half written."""
        batch: list[str] = []
        for name in (name for folder in KEPT for name in self._blobs.names(folder)):
            if name not in told:
                batch.append(name)
            if len(batch) == _BATCH:
                yield from self._unnamed(batch, actor)
                batch = []
        yield from self._unnamed(batch, actor)

    def _unnamed(self, names: list[str], actor: Actor) -> Iterator[Rebuilt]:
        with self._database.read() as connection:
            known = lookup.known_blobs(connection, names) if names else set()
        for name in names:
            if name not in known:
                yield self._found(name, actor)

    def _found(self, name: str, actor: Actor) -> Rebuilt:
        if name.startswith(DOCUMENTS):
            return Rebuilt(Step.UNREADABLE, name, "the journal does not say which document it is")
        try:
            size = self._blobs.size(name)
            with whole(self._blobs, name, size) as buffer:
                digest = hashlib.sha256(buffer).digest()
                calling = source_ae(buffer)
                elements = scan(buffer, read_file_meta(buffer), self._limits).elements
            provenance = Provenance(
                actor=actor.name,
                source_ae=calling,
                source_address="",
                door=Door.IMPORT.value,
                received_at=datetime.now(UTC),
                facility=facility_of(actor, elements),
                coercion=None,
            )
            if not text(elements, "00080018"):
                return Rebuilt(Step.UNREADABLE, name, "no SOPInstanceUID")
            if not self._store.add(self._rows(name, size, digest, provenance), provenance):
                return Rebuilt(Step.UNREADABLE, name, "another object is held under its UID")
        except VnaError as exc:
            return Rebuilt(Step.UNREADABLE, name, str(exc))
        return Rebuilt(Step.FOUND, name)


def _kept(event: Event) -> Tell:
    """The event goes back as it was; what it put back is deleted no more."""

    def tell(connection: Connection) -> None:
        rebuild.keep_event(connection, event)
        if event.kind is EventKind.INSTANCE_RESTORED:
            deletion.forget(connection, event.detail["blob"])

    return tell


def _delete(connection: Connection, event: Event) -> None:
    detail = event.detail
    deletion.delete(
        connection,
        event.study_instance_uid,
        detail["series"],
        event.sop_instance_uid,
        at=time_text(event.at),
        by=event.actor,
        reason=detail["reason"],
    )


def _peer(connection: Connection, event: Event) -> None:
    detail = dict(event.detail)
    if detail.get("removed"):
        accounts.remove_peer(connection, detail["ae_title"])
    else:
        accounts.put_peer(connection, PeerRow(**detail))

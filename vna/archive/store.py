"""The one way in: whatever the door, an instance is durable and indexed when `accept` returns."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any

import orjson

from storage.blobs.base import BlobStore, Growing, Upload
from storage.elements import text
from storage.frames import Buffer
from storage.index import corrections, deletion, elsewhere, events, lookup, patient_details, quarantine, rejections
from storage.index import instances as index
from storage.index.engine import Connection, Database
from storage.index.instances import AlreadyHeld, InstanceWriter, NewInstance, Places, Raced
from storage.index.packing import pack, unpack
from storage.metadata import Element, Limits, Scan, scan, to_json
from storage.offsets import pack_offsets
from storage.part10 import FileMeta, read_file_meta, write_file_meta
from storage.scratch import Scratch
from storage.spool import Incoming
from storage.temporary import whole
from vna import events as signals
from vna.archive import overlay, rows
from vna.archive.correction import Identify, arriving, corrected_rows, differing, nobody, placed_rows, wanted
from vna.archive.facility import facility as facility_of
from vna.archive.names import blob_name, guessed_name, guessed_uids, names_instance
from vna.archive.rejection import RejectionRules, Verdict, judge
from vna.archive.requirements import require_form, require_storage, require_transfer_syntax, required_uid
from vna.archive.same import same_dataset
from vna.archive.space import Space
from vna.model.access import Action, Actor, Coercion
from vna.model.coercion import coercion_text, corrected
from vna.model.errors import DuplicateInstance, Mismatch, NotFound, Unavailable, VnaError, Withheld
from vna.model.events import EventKind
from vna.model.identifiers import is_uid, patient_key
from vna.model.instances import Accepted, Arrival, Door, Outcome
from vna.security.policy import Policy

__all__ = ["Duplicates", "Incoming", "Provenance", "Store", "StoreRules", "new_rows"]  # doors name Incoming as well

log = logging.getLogger(__name__)

Tell = Callable[[Connection], None]
"""Writes the event of a change, in its transaction."""

Admits = Callable[[Connection, NewInstance, "Provenance"], bool]
"""Whether an instance may be seen, or goes into quarantine."""

_ATTEMPTS = 5
_LOOK_SECONDS = 2.0
_READERS = 8


class Duplicates(StrEnum):
    """What happens to other content under a SOP Instance UID that is held already."""

    KEEP = "keep"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class StoreRules:
    """Bounds and choices of storing; sizes in bytes."""

    duplicates: Duplicates = Duplicates.KEEP
    min_free: int = 0
    max_bytes: int = 64 << 30
    unknown_sop_classes: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the index knows of an instance and its bytes do not say; the journal keeps it."""

    actor: str
    source_ae: str
    source_address: str
    door: str
    received_at: datetime
    facility: str
    coercion: Coercion | None


@dataclass(frozen=True, slots=True)
class _Read:
    """An object that was read and can be stored."""

    meta: FileMeta
    scan: Scan
    elements: dict[str, Element]
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str


class Store:
    """Takes instances in: bytes first, then rows, then the answer."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        policy: Policy,
        coercion_for: Callable[[str], Coercion | None],
        rules: StoreRules,
        identify: Identify = nobody,
        admits: Admits | None = None,
        rejecting: RejectionRules | None = None,
    ) -> None:
        """`admits` is asked about the instances of a study that nobody sees yet; None admits them all. `rejecting` says
        what rejection notes mean."""
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._coercion_for = coercion_for
        self._rules = rules
        self._identify = identify
        self._admits = admits
        self._writer = InstanceWriter()
        self._rejecting = rejecting or RejectionRules()
        self._looked_at, self._newest, self._has_notes = 0.0, "", False
        self._begin = partial(_begin, blobs) if isinstance(blobs, Growing) else None
        self._readers = ThreadPoolExecutor(_READERS, "reader")
        self._space = Space(blobs, rules.min_free)

    def open(self, actor: Actor, arrival: Arrival) -> Incoming:
        """A spool for one object. For C-STORE it begins with preamble and group 2, so that the door adds only the
        data set.

        Raises NotAuthorized, or OutOfResources when less is free than the setting wants.
        """
        self._policy.check(actor, Action.STORE, arrival.study_instance_uid)
        self._space.check()
        head = b""
        if arrival.door is Door.C_STORE:
            head = write_file_meta(
                arrival.sop_class_uid, arrival.sop_instance_uid, arrival.transfer_syntax_uid, arrival.calling_ae
            )
        return Incoming(self._blobs.spool_folder, max_bytes=self._rules.max_bytes, head=head, begin=self._begin)

    @property
    def max_bytes(self) -> int:
        """The most that one instance may have."""
        return self._rules.max_bytes

    def scratch(self, actor: Actor, arrival: Arrival) -> Scratch:
        """A file for what instances will be put together from; OutOfResources when it grows and little is free."""
        self._policy.check(actor, Action.STORE, arrival.study_instance_uid)
        self._space.check()
        return Scratch(self._blobs.spool_folder, self._space.check)

    def accept(self, incoming: Incoming, actor: Actor, arrival: Arrival) -> Accepted:
        """Keep one whole object. Whatever is raised, nothing of it is left; see vna.model.errors for what can be."""
        self._policy.check(actor, Action.STORE, arrival.study_instance_uid)
        started = time.perf_counter()
        with incoming:
            try:
                accepted = self._accept(incoming, actor, arrival)
            except VnaError as exc:
                _tell_refusal(exc, incoming, arrival)
                raise
        seconds = time.perf_counter() - started
        signals.emit(
            "instance.accepted",
            door=arrival.door.value,
            outcome=accepted.outcome.value,
            bytes=incoming.size,
            seconds=seconds,
        )
        return accepted

    def _accept(self, incoming: Incoming, actor: Actor, arrival: Arrival) -> Accepted:
        found, new, provenance = self._prepared(incoming, actor, arrival)
        name = new.instance["blob"]
        incoming.keep(self._blobs, name)
        try:
            outcome = self._index(incoming, found, new, provenance)
        except (DuplicateInstance, Withheld):
            self._forget_blob(
                name
            )  # after any other error the row may be there all the same: then the blob has to stay
            raise
        return _accepted(found, outcome)

    def _prepared(self, incoming: Incoming, actor: Actor, arrival: Arrival) -> tuple[_Read, NewInstance, Provenance]:
        """`_prepare`, in another thread while this one waits for the disk, when the object is being written already."""
        incoming.finish()
        if incoming.name is None:
            return self._prepare(incoming, actor, arrival)
        preparing = self._readers.submit(self._prepare, incoming, actor, arrival)
        try:
            incoming.sync()
        finally:
            preparing.exception()
        return preparing.result()

    def _prepare(self, incoming: Incoming, actor: Actor, arrival: Arrival) -> tuple[_Read, NewInstance, Provenance]:
        """Everything that can be known before the index is asked."""
        found = self._read(incoming, arrival)
        coercion = self._coercion_for(arrival.calling_ae)
        elements = overlay.applied(found.elements, overlay.changes(found.elements, coercion))
        provenance = Provenance(
            actor=actor.name,
            source_ae=arrival.calling_ae,
            source_address=arrival.address,
            door=arrival.door.value,
            received_at=datetime.now(UTC),
            facility=facility_of(actor, elements),
            coercion=coercion if elements is not found.elements else None,
        )
        name = _name(incoming, found)
        new = new_rows(found.meta, found.scan, elements, provenance, name, incoming.size, incoming.sha256)
        return found, new, provenance

    def _read(self, incoming: Incoming, arrival: Arrival) -> _Read:
        with incoming.finish() as buffer:
            meta = read_file_meta(buffer)
            require_transfer_syntax(meta.transfer_syntax_uid)
            scanned = scan(buffer, meta, self._rules.limits)
        elements = scanned.elements
        found = _Read(
            meta=meta,
            scan=scanned,
            elements=elements,
            study_instance_uid=required_uid(elements, "0020000D", "StudyInstanceUID"),
            series_instance_uid=required_uid(elements, "0020000E", "SeriesInstanceUID"),
            sop_instance_uid=required_uid(elements, "00080018", "SOPInstanceUID"),
            sop_class_uid=required_uid(elements, "00080016", "SOPClassUID"),
        )
        require_storage(found.sop_class_uid, unknown=self._rules.unknown_sop_classes)
        require_form(scanned, meta.transfer_syntax_uid)
        _agree(found, arrival)
        return found

    def _index(self, incoming: Incoming, found: _Read, new: NewInstance, provenance: Provenance) -> Outcome:
        held: lookup.Content | None = None
        for _ in range(_ATTEMPTS):
            try:
                if held is not None:
                    return self._replace(new, provenance, held)
                if self.add(new, provenance):
                    return Outcome.STORED
            except Raced:
                continue
            except _Waits as waiting:
                return self._again_in_quarantine(incoming, found, new, provenance, waiting.content)
            except _Hidden as hidden:
                return self._again_when_rejected(incoming, found, new, hidden.content)
            held = self._held(found.sop_instance_uid)
            if held is not None and self._is_same(held, incoming, found):
                self._forget_blob(new.instance["blob"])
                if (
                    held.door == Door.FETCH.value
                    and provenance.door != Door.FETCH.value
                    and not self._own(new, provenance, held)
                ):
                    continue  # the copy went meanwhile
                return Outcome.ALREADY_HELD
            if held is not None and self._rules.duplicates is Duplicates.KEEP:
                raise DuplicateInstance(f"other content is held as {found.sop_instance_uid}")
        raise Unavailable("the index is too busy with this study")

    def add(self, new: NewInstance, provenance: Provenance, *, tell: Tell | None = None) -> bool:
        """Write the rows and their event in one transaction; False when the UID is held.

        `tell` writes another event than that of storing. Raises Raced when rows above were deleted meanwhile.
        """
        if provenance.door == Door.FETCH.value and self._arrive(new, provenance, tell):
            return True
        try:
            new, places = self._add(new, provenance, tell)
        except AlreadyHeld:
            return self._arrive(new, provenance, tell)
        if places is not None:
            self._writer.remember(new, places)
        return True

    def note(self, actor: Actor, rows: Sequence[NewInstance]) -> int:
        """Know instances of one series that are kept elsewhere (`storage.index.elsewhere`); how many were not known."""
        self._policy.check(actor, Action.STORE)
        for _ in range(_ATTEMPTS):
            try:
                with self._database.transaction() as connection:
                    count = elsewhere.add(connection, self._writer, list(self._survivors(connection, rows)))
                    if count:
                        tell_known(connection, actor, {new.study_instance_uid for new in rows})
                    return count
            except Raced:
                continue
        raise Unavailable("the index is too busy with this study")

    def _survivors(self, connection: Connection, rows: Sequence[NewInstance]) -> Iterator[NewInstance]:
        """Those of a patient that was merged as the other's, and as feeds say of him."""
        keys = {(new.patient_key, new.study_instance_uid, str(new.instance["facility"])) for new in rows}
        found = {one: arriving(connection, self._identify, *one) for one in keys}
        for new in rows:
            key, said = found[new.patient_key, new.study_instance_uid, str(new.instance["facility"])]
            values = differing(new.instance["header"], said) if said else {}
            yield corrected_rows(new, key, values) if values else new

    def _arrive(self, new: NewInstance, provenance: Provenance, tell: Tell | None) -> bool:
        """Whether it was known as kept elsewhere: then the bytes of it came."""
        with self._database.transaction() as connection:
            new, provenance = self._ready(connection, new, provenance)
            conflict = False
            if not elsewhere.arrive(connection, new):
                if not elsewhere.forget(connection, new.sop_instance_uid):
                    return False
                conflict = self._writer.add(connection, new).conflict
            if provenance.door != Door.FETCH.value:
                elsewhere.refresh(connection, new.study_instance_uid, new.series_instance_uid)
            self._tell_stored(connection, new, provenance, tell, conflict)
        return True

    def _add(self, new: NewInstance, provenance: Provenance, tell: Tell | None) -> tuple[NewInstance, Places | None]:
        """Where it is filed; nowhere when it went into quarantine."""
        with self._database.transaction() as connection:
            self._look_again(connection)
            known = self._writer.knows(new)
            new, provenance = self._ready(connection, new, provenance, known=known)
            if tell is None and not known and self._has_to_wait(connection, new, provenance):
                self._quarantine(connection, new, provenance)
                return new, None
            if tell is not None:
                places = self._writer.add(connection, new)
                tell(connection)
                return new, places
            verdict = self._judged(connection, new, known=known)
            stored = partial(self._tell_stored, connection, new, provenance, None)
            places = self._writer.add(connection, new, stored)
            if verdict is not None:
                self._hide(connection, new, provenance, verdict.reason)
                return new, None
        return new, places

    def _judged(self, connection: Connection, new: NewInstance, *, known: bool) -> Verdict | None:
        """What rejection notes say of it, where there are any; raises AlreadyHeld, Withheld, or _Hidden where it is
        held and hidden."""
        if not (self._has_notes if known else rejections.any_known(connection)):
            return None
        verdict = judge(self._rejecting, connection, new)
        if verdict is not None and verdict.held is not None:
            if lookup.content(connection, new.sop_instance_uid) is not None:
                raise AlreadyHeld
            if verdict.refused:
                raise Withheld(f"the instance was rejected ({verdict.refused}), and is not taken again")
            raise _Hidden(verdict.held)
        return verdict

    def _hide(self, connection: Connection, new: NewInstance, provenance: Provenance, reason: str) -> None:
        """It came after it was rejected: kept, and seen by nobody."""
        study, uid, at = new.study_instance_uid, new.sop_instance_uid, provenance.received_at
        gone = deletion.delete(connection, study, among=[uid], at=new.received_at, by=provenance.actor, reason=reason)
        for one in gone:
            events.append(
                connection,
                EventKind.INSTANCE_DELETED,
                at=at,
                actor=provenance.actor,
                study_instance_uid=study,
                sop_instance_uid=uid,
                detail={"series": one.series_instance_uid, "blob": one.blob, "reason": reason},
            )

    def _has_to_wait(self, connection: Connection, new: NewInstance, provenance: Provenance) -> bool:
        """Raises AlreadyHeld, or _Waits when an instance of this UID is in quarantine."""
        if self._admits is None or self._admits(connection, new, provenance):
            return False
        if lookup.content(connection, new.sop_instance_uid) is not None:
            raise AlreadyHeld
        waiting = quarantine.waiting(connection, new.sop_instance_uid)
        if waiting is not None:
            raise _Waits(waiting)
        return True

    def _quarantine(self, connection: Connection, new: NewInstance, provenance: Provenance, replaced: str = "") -> None:
        quarantine.put(connection, new, replaced)
        self._tell(connection, EventKind.INSTANCE_QUARANTINED, new, provenance, held_blob=replaced)

    def _again_in_quarantine(
        self, incoming: Incoming, found: _Read, new: NewInstance, provenance: Provenance, held: lookup.Content
    ) -> Outcome:
        """What is in quarantine comes again: the same rules as for what is seen."""
        if self._is_same(self._whole(held), incoming, found):
            self._forget_blob(new.instance["blob"])
            return Outcome.ALREADY_HELD
        place = held.study_instance_uid, held.series_instance_uid
        if self._rules.duplicates is Duplicates.KEEP or place != (new.study_instance_uid, new.series_instance_uid):
            raise DuplicateInstance(f"other content is held as {new.sop_instance_uid}")
        with self._database.transaction() as connection:
            new, provenance = self._ready(connection, new, provenance)
            self._quarantine(connection, new, provenance, held.blob)
        return Outcome.REPLACED

    def _again_when_rejected(self, incoming: Incoming, found: _Read, new: NewInstance, held: lookup.Content) -> Outcome:
        """What is hidden by a note comes again: it is there, and stays hidden."""
        if not self._is_same(self._whole(held), incoming, found):
            raise DuplicateInstance(f"other content is held as {new.sop_instance_uid}, and was rejected")
        self._forget_blob(new.instance["blob"])
        return Outcome.ALREADY_HELD

    def _whole(self, held: lookup.Content) -> lookup.Content:
        """With what its bytes say; as it is when they cannot be read."""
        with suppress(VnaError), whole(self._blobs, held.blob, held.size) as buffer:
            meta = read_file_meta(buffer)
            return replace(held, transfer_syntax_uid=meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset)
        return held

    def _look_again(self, connection: Connection) -> None:
        """Forget where series are filed when feeds said something new of patients; looked for every two seconds, as the
        job that corrects images comes again later than that."""
        now = time.monotonic()
        if now - self._looked_at > _LOOK_SECONDS:
            self._looked_at, known = now, self._newest
            self._newest = patient_details.newest(connection) + corrections.newest(connection)
            self._has_notes = rejections.any_known(connection)
            if self._newest != known:
                self._writer.forget()

    def _ready(
        self, connection: Connection, new: NewInstance, provenance: Provenance, *, known: bool = False
    ) -> tuple[NewInstance, Provenance]:
        """The rows as they are to be written; `known` when it is remembered that its patient is nobody else by now."""
        if not known:
            new, provenance = self._since_merges(connection, new, provenance)
        if provenance.coercion is not None:
            new.instance["coercion_fk"] = index.coercion_key(connection, coercion_text(provenance.coercion))
        return new, provenance

    def _tell_stored(
        self, connection: Connection, new: NewInstance, provenance: Provenance, tell: Tell | None, conflict: bool
    ) -> None:
        if tell is not None:
            tell(connection)
        else:
            self._tell(connection, EventKind.INSTANCE_STORED, new, provenance, conflict=conflict)

    def _since_merges(
        self, connection: Connection, new: NewInstance, provenance: Provenance
    ) -> tuple[NewInstance, Provenance]:
        """What comes of a patient that was merged is the other's from the start, and says of him what feeds do."""
        if corrections.any_made(connection):
            return self._since_corrections(connection, new, provenance)
        key, said = arriving(
            connection, self._identify, new.patient_key, new.study_instance_uid, new.instance["facility"]
        )
        values = differing(new.instance["header"], said) if said else {}
        if not values:
            return new, provenance
        return corrected_rows(new, key, values), replace(provenance, coercion=corrected(provenance.coercion, values))

    def _since_corrections(
        self, connection: Connection, new: NewInstance, provenance: Provenance
    ) -> tuple[NewInstance, Provenance]:
        """What was said of its study or series holds for what comes late too."""
        place = new.study_instance_uid, new.series_instance_uid, new.sop_instance_uid
        elements = orjson.loads(unpack(new.instance["header"]))
        said = wanted(connection, self._identify, elements, place, str(new.instance["facility"]))
        values = differing(new.instance["header"], said) if said else {}
        if not values:
            return new, provenance
        return placed_rows(new, values), replace(provenance, coercion=corrected(provenance.coercion, values))

    def _own(self, new: NewInstance, provenance: Provenance, held: lookup.Content) -> bool:
        """What was a copy of another archive's is acknowledged here now, and stays."""
        names = ("door", "source_ae", "source_address", "facility", "received_at")
        values = {name: new.instance[name] for name in names}
        detail = detail_of(new, provenance) | {"blob": held.blob, "size": held.size, "sha256": held.sha256.hex()}
        with self._database.transaction() as connection:
            if not elsewhere.own(connection, new.sop_instance_uid, held.blob, values):
                return False
            events.append(
                connection,
                EventKind.INSTANCE_STORED,
                at=provenance.received_at,
                actor=provenance.actor,
                study_instance_uid=new.study_instance_uid,
                sop_instance_uid=new.sop_instance_uid,
                detail=detail,
            )
        return True

    def forget(self) -> None:
        """Rows were removed: trust no remembered place."""
        self._writer.forget()

    def _replace(self, new: NewInstance, provenance: Provenance, held: lookup.Content) -> Outcome:
        if (held.study_instance_uid, held.series_instance_uid) != (new.study_instance_uid, new.series_instance_uid):
            raise DuplicateInstance(f"{new.sop_instance_uid} is held in another study or series")
        self.replace(new, provenance, held.blob)
        return Outcome.REPLACED

    def replace(self, new: NewInstance, provenance: Provenance, held_blob: str, *, tell: Tell | None = None) -> None:
        """Put new content in the place of what is held under `held_blob`; raises Raced when that changed meanwhile."""
        with self._database.transaction() as connection:
            new, provenance = self._ready(connection, new, provenance)
            if not index.replace(connection, held_blob=held_blob, new=new.instance, replaced_at=new.received_at):
                raise Raced
            if tell is not None:
                tell(connection)
            else:
                self._tell(connection, EventKind.INSTANCE_REPLACED, new, provenance, held_blob=held_blob)

    def _tell(
        self,
        connection: Connection,
        kind: EventKind,
        new: NewInstance,
        provenance: Provenance,
        **more: Any,
    ) -> None:
        events.append(
            connection,
            kind,
            at=provenance.received_at,
            actor=provenance.actor,
            study_instance_uid=new.study_instance_uid,
            sop_instance_uid=new.sop_instance_uid,
            detail=detail_of(new, provenance) | more,
        )

    def _held(self, sop_instance_uid: str) -> lookup.Content | None:
        with self._database.glance() as connection:
            return lookup.content(connection, sop_instance_uid)

    def _is_same(self, held: lookup.Content, incoming: Incoming, found: _Read) -> bool:
        if held.sha256 == incoming.sha256:
            self._mend(held, incoming)
            return True
        return same_dataset(self._blobs, held, incoming, found.meta, found.scan)

    def _mend(self, held: lookup.Content, incoming: Incoming) -> None:
        """The index has it: make sure that the bytes are there too, all of them, before answering success."""
        try:
            if self._blobs.size(held.blob) == held.size:
                return
            log.error("cut blob came again", extra={"blob": held.blob})
            self._blobs.delete(held.blob)
        except NotFound:
            log.error("lost blob came again", extra={"blob": held.blob})
        incoming.keep(self._blobs, held.blob)

    def _forget_blob(self, name: str) -> None:
        try:
            self._blobs.delete(name)
        except VnaError as exc:
            log.warning("orphan left behind", extra={"blob": name, "reason": str(exc)})


class _Waits(Exception):
    """An instance of this UID is in quarantine."""

    def __init__(self, content: lookup.Content) -> None:
        super().__init__()
        self.content = content


class _Hidden(Exception):
    """An instance of this UID is held, and hidden by a rejection note."""

    def __init__(self, content: lookup.Content) -> None:
        super().__init__()
        self.content = content


def tell_known(connection: Connection, actor: Actor, studies: Iterable[str]) -> None:
    """The events of studies of which more or less is known to be kept elsewhere."""
    at = datetime.now(UTC)
    for study in sorted(studies):
        events.append(connection, EventKind.STUDY_KNOWN, at=at, actor=actor.name, study_instance_uid=study, detail={})


def detail_of(new: NewInstance, provenance: Provenance) -> dict[str, Any]:
    """What an event says of an instance that is kept: enough to index it again from its bytes."""
    return {
        "blob": new.instance["blob"],
        "size": new.instance["size"],
        "sha256": new.instance["sha256"].hex(),
        "series": new.series_instance_uid,
        "door": provenance.door,
        "source_ae": provenance.source_ae,
        "source_address": provenance.source_address,
        "facility": provenance.facility,
        "coercion": coercion_text(provenance.coercion),
    }


def new_rows(
    meta: FileMeta,
    scanned: Scan,
    elements: dict[str, Element],
    provenance: Provenance,
    name: str,
    size: int,
    sha256: bytes,
) -> NewInstance:
    """The rows of one object, from what was read of it and what is known of it."""
    received_at = events.time_text(provenance.received_at)
    key = patient_key(
        text(elements, "00100020"),
        text(elements, "00100021"),
        facility=provenance.facility,
        study_instance_uid=text(elements, "0020000D"),
    )
    return rows.build(
        elements,
        key=key,
        facility=provenance.facility,
        received_at=received_at,
        instance={
            "transfer_syntax_uid": meta.transfer_syntax_uid,
            "blob": name,
            "size": size,
            "sha256": sha256,
            "dataset_offset": scanned.dataset_offset,
            "header_end": scanned.header_end,
            "number_of_frames": scanned.frames.count,
            "door": provenance.door,
            "source_ae": provenance.source_ae,
            "source_address": provenance.source_address,
            "coercion_fk": None,
            "header": pack(to_json(_described(elements, meta.transfer_syntax_uid))),
            "frames": pack_offsets(scanned.frames, scanned.bulk),
        },
    )


def _described(elements: dict[str, Element], transfer_syntax_uid: str) -> dict[str, Element]:
    """The header and AvailableTransferSyntaxUID, in the order of tags: by it viewers tell a film from images."""
    return dict(sorted({**elements, "00083002": {"vr": "UI", "Value": [transfer_syntax_uid]}}.items()))


def _tell_refusal(error: VnaError, incoming: Incoming, arrival: Arrival) -> None:
    signals.emit("instance.refused", door=arrival.door.value, reason=type(error).__name__)
    origin = {"door": arrival.door.value, "source": arrival.calling_ae, "address": arrival.address}
    log.warning("instance refused", extra={**origin, **_uids(incoming, arrival), "reason": str(error)})


def _uids(incoming: Incoming, arrival: Arrival) -> dict[str, str]:
    """Which instance it was to be, as far as that can be told; what is no UID may be anything, and is left out."""
    study, instance = arrival.study_instance_uid, arrival.sop_instance_uid
    with suppress(VnaError), incoming.finish() as buffer:
        guessed_study, _, guessed_instance = guessed_uids(buffer)
        study, instance = study or guessed_study, instance or guessed_instance
    found = {"study_instance_uid": study, "sop_instance_uid": instance}
    return {name: uid for name, uid in found.items() if is_uid(uid)}


def _begin(blobs: Growing, begun: Buffer) -> Upload | None:
    name = guessed_name(begun)
    return blobs.begin(name) if name is not None else None


def _name(incoming: Incoming, found: _Read) -> str:
    """Where it is being written already, if that was guessed well."""
    uids = found.study_instance_uid, found.series_instance_uid, found.sop_instance_uid
    name = incoming.name
    return name if name is not None and names_instance(name, *uids) else blob_name(*uids)


def _agree(found: _Read, arrival: Arrival) -> None:
    """The data set says what the command and the address said (PS3.4 B.2.3, PS3.18 10.5)."""
    for keyword, told, read in (
        ("SOPClassUID", arrival.sop_class_uid, found.sop_class_uid),
        ("SOPInstanceUID", arrival.sop_instance_uid, found.sop_instance_uid),
        ("StudyInstanceUID", arrival.study_instance_uid, found.study_instance_uid),
    ):
        if told and told != read:
            raise Mismatch(f"{keyword} of the data set differs from the one of the request")


def _disagreements(found: _Read) -> Iterator[str]:
    """Group 2 that names something else than the data set, which is believed (PS3.10 7.1)."""
    for keyword, told, read in (
        ("MediaStorageSOPClassUID", found.meta.sop_class_uid, found.sop_class_uid),
        ("MediaStorageSOPInstanceUID", found.meta.sop_instance_uid, found.sop_instance_uid),
    ):
        if told and told != read:
            yield f"{keyword} of group 2 differs from the data set"


def _accepted(found: _Read, outcome: Outcome) -> Accepted:
    return Accepted(
        outcome=outcome,
        study_instance_uid=found.study_instance_uid,
        series_instance_uid=found.series_instance_uid,
        sop_instance_uid=found.sop_instance_uid,
        sop_class_uid=found.sop_class_uid,
        warnings=(*found.scan.warnings, *_disagreements(found)),
    )

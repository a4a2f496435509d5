"""Manifests in: what archives elsewhere say they keep becomes known here, and follows when they say otherwise.

A job of kind READ looks at one manifest, by its SOP Instance UID, as it is now: held as an instance, or registered as a
document, or neither any more. So it may be done for whatever cause, and as often as one likes.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import orjson

from storage.blobs.base import BlobStore
from storage.index import deletion, documents, elsewhere, held_documents, jobs, lookup, manifests
from storage.index.document_queries import Depth
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.packing import unpack
from storage.limits import Limits
from storage.metadata import scan
from storage.part10 import read_file_meta
from storage.temporary import whole
from storage.values import Element
from vna.archive.deletion import tell_deleted
from vna.archive.holds import Holds
from vna.archive.store import Store, tell_known
from vna.jobs.dispatch import Subscriber
from vna.jobs.retries import GivenUp
from vna.model.access import SYSTEM, Action, Actor
from vna.model.documents import AssociationKind, DocumentEntry, DocumentQuery, Kind, Status
from vna.model.errors import CannotUnderstand, NotFound, Rejected
from vna.model.events import Event, EventKind
from vna.model.instances import Availability, Door, Selection
from vna.model.manifests import KEY_OBJECT_SELECTION, SEARCH, ListedSeries, Manifest, State
from vna.model.sources import Source
from vna.routing import key_objects
from vna.routing.noted import noted
from vna.routing.survey import SURVEY
from vna.routing.whereabouts import candidates, names
from vna.security.policy import Policy

log = logging.getLogger(__name__)

READ = "manifest"
"""The kind of job that looks at a manifest; its payload is the SOP Instance UID."""

RATE = "rate"
"""The kind of job that says anew how everything that is elsewhere can be had: a source came, changed or went. Its
payload is the key that the next step begins behind."""

REGISTRY = "registry"
_MOST_BYTES = 256 << 20
_ROWS = 1000
_PAGE = 200
_GAINED = frozenset({EventKind.INSTANCE_STORED, EventKind.INSTANCE_REPLACED, EventKind.INSTANCE_RESTORED})
_DOCUMENTS = frozenset({EventKind.DOCUMENT_REGISTERED, EventKind.DOCUMENT_UPDATED, EventKind.DOCUMENT_REMOVED})
_WITHDRAWN = "withdrawn by the archive that keeps it"

Elements = dict[str, Element]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A manifest as it is now: what it says, and how it came."""

    elements: Elements
    door: str
    facility: str = ""
    entry_uuid: str = ""


def noticing(database: Database) -> Subscriber:
    """Has manifests looked at when they come, change or go."""

    def notice(batch: Sequence[Event]) -> None:
        gained = [event.sop_instance_uid for event in batch if event.kind in _GAINED]
        lost = [event.sop_instance_uid for event in batch if event.kind is EventKind.INSTANCE_DELETED]
        registered = [event for event in batch if event.kind in _DOCUMENTS]
        if any(event.kind is EventKind.SOURCE_CHANGED for event in batch):
            with database.transaction() as connection:
                jobs.schedule(connection, RATE, order_key=RATE)
        if not (gained or lost or registered):
            return
        with database.read() as connection:
            uids = manifests.key_objects(connection, gained, KEY_OBJECT_SELECTION, Door.FETCH.value)
            uids |= manifests.known(connection, lost)
            uids |= manifests.of_entries(connection, [uuid for event in registered for uuid in event.detail["removed"]])
        uids.update(uid for event in registered for uid in _documents(event))
        schedule(database, uids)

    return notice


def _documents(event: Event) -> Iterator[str]:
    for plain in (*event.detail["added"], *event.detail["changed"]):
        if plain["kind"] == Kind.DOCUMENT.value and plain.get("format_code", {}).get("code") == KEY_OBJECT_SELECTION:
            yield plain.get("unique_id", "")


def schedule(database: Database, uids: Iterable[str]) -> None:
    """Have manifests looked at soon."""
    wanted = sorted(uid for uid in uids if uid)
    if not wanted:
        return
    with database.transaction() as connection:
        for uid in wanted:
            jobs.schedule(connection, READ, order_key=uid, payload=uid)


def after_reindex(connection: Connection) -> None:
    """Everything that a rebuilt index has to look at again."""
    uids = set(manifests.every_key_object(connection, KEY_OBJECT_SELECTION, Door.FETCH.value))
    uids.update(documents.unique_ids_of_format(connection, KEY_OBJECT_SELECTION))
    for uid in sorted(uids):
        jobs.schedule(connection, READ, order_key=uid, payload=uid)


class Manifests:
    """Reads manifests, and says what is known of them."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        policy: Policy,
        store: Store,
        archives: Callable[[], Sequence[Source]],
        own_oid: Callable[[], str],
        ae_title: str,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._store = store
        self._archives = archives
        self._own_oid = own_oid
        self._ae_title = ae_title

    def listed(self, actor: Actor, *, state: str = "", facility: str = "", download: str = "") -> Iterator[Manifest]:
        """Those that came, oldest first, without what they name."""
        self._policy.check(actor, Action.ADMIN)
        after = 0
        while True:
            with self._database.read() as connection:
                page = manifests.listed(
                    connection, after=after, limit=_PAGE, state=state, facility=facility, download=download
                )
            yield from (manifest for _, manifest in page)
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    def of_study(self, actor: Actor, study: str) -> list[Manifest]:
        """The manifests that tell of a study, oldest first, without what they name."""
        self._policy.check(actor, Action.QUERY, study)
        with self._database.read() as connection:
            return manifests.of_study(connection, study)

    def get(self, actor: Actor, sop_instance_uid: str) -> Manifest:
        """One of them, with all that it names; NotFound."""
        self._policy.check(actor, Action.ADMIN, sop_instance_uid)
        with self._database.read() as connection:
            found = manifests.find(connection, sop_instance_uid)
        if found is None:
            raise NotFound(f"no manifest {sop_instance_uid} came")
        return found

    def request(self, actor: Actor, uids: Sequence[str]) -> None:
        """Have some read again; NotFound names one that never came."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            known = manifests.known(connection, uids)
        for uid in uids:
            if uid not in known:
                raise NotFound(f"no manifest {uid} came")
        schedule(self._database, uids)

    def __call__(self, sop_instance_uid: str) -> None:
        """Look at one, and let the index follow. GivenUp when it can be no use, and says why."""
        with self._database.read() as connection:
            held = manifests.find(connection, sop_instance_uid)
            if held is not None and held.door == SEARCH:  # there is nothing to look at
                return
            seen, successor = self._seen(connection, sop_instance_uid)
        if seen is None:
            if successor:
                self(successor)  # first, so that what both name is never without a manifest
            if held is not None and held.state is State.CURRENT:
                self._leave(held, State.REPLACED if successor else State.WITHDRAWN)
            return
        if not key_objects.is_manifest(seen.elements) and seen.door != REGISTRY:
            return
        try:
            manifest = self._read(seen)
        except (CannotUnderstand, Rejected) as exc:
            self._refuse(sop_instance_uid, seen, str(exc))
            raise GivenUp(str(exc)) from exc
        if not manifest.series:
            return
        versions = self._versions(manifest)
        if any(one.made_at > manifest.made_at for one in versions):  # it is late
            with self._database.transaction() as connection:
                manifests.put(connection, replace(manifest, state=State.REPLACED))
        else:
            self._follow(manifest, seen, held, versions)

    # ---- what it is now

    def _seen(self, connection: Connection, uid: str) -> tuple[_Seen | None, str]:
        """None when it stands no more, with the uniqueId of the document that replaced it, where one did."""
        for one in lookup.select(connection, Selection(sop_instance_uids=(uid,))):
            instance = one.instance
            if instance.sop_class_uid == KEY_OBJECT_SELECTION and instance.blob:
                found = lookup.header(connection, uid)
                assert found is not None
                return _Seen(orjson.loads(unpack(found[1])), "instance", instance.facility), ""
        query = DocumentQuery(Kind.DOCUMENT, unique_ids=(uid,))
        entries = [
            found.object
            for found in documents.held(connection, query, Depth.OBJECT)
            if isinstance(found.object, DocumentEntry)
        ]
        for entry in entries:
            if entry.status is Status.APPROVED:
                return self._document(connection, entry), ""
        successors = (uid for entry in entries for uid in self._successors(connection, entry))
        return None, next((one for one in successors if one != uid), "")

    @staticmethod
    def _successors(connection: Connection, entry: DocumentEntry) -> list[str]:
        kinds = (AssociationKind.REPLACES, AssociationKind.TRANSFORMS_AND_REPLACES)
        links = documents.associations(
            connection, [entry.entry_uuid], Depth.REFERENCE, ends=("target",), kinds=kinds, statuses=tuple(Status)
        )
        if not links:
            return []
        query = DocumentQuery(Kind.DOCUMENT, entry_uuids=tuple(link.source for link in links))
        found = (one.object for one in documents.held(connection, query, Depth.OBJECT))
        return [one.unique_id for one in found if one is not None]

    def _document(self, connection: Connection, entry: DocumentEntry) -> _Seen | None:
        """Its content, where the repository of this archive has it."""
        for document in held_documents.held(connection, [entry.unique_id]):
            if document.repository_unique_id != entry.repository_unique_id:
                continue
            if document.size > _MOST_BYTES:
                raise GivenUp(f"the manifest is larger than {_MOST_BYTES} bytes")
            try:
                with whole(self._blobs, document.blob, document.size) as buffer:
                    elements = scan(buffer, read_file_meta(buffer), Limits()).elements
            except CannotUnderstand as exc:
                elements, reason = {}, str(exc)
                log.warning("manifest cannot be read", extra={"sop_instance_uid": entry.unique_id, "reason": reason})
            return _Seen(elements, REGISTRY, "", entry.entry_uuid)
        return None

    # ---- what it says

    def _read(self, seen: _Seen) -> Manifest:
        manifest = key_objects.read(seen.elements, facility=seen.facility)
        archives = self._archives()
        others = [one for one in manifest.series if not self._is_ours(one)]
        facility = manifest.facility or _facility(archives, others)
        problems = list(manifest.problems)
        series = []
        for one in others:
            keeper = _keeper(archives, one)
            if keeper is not None and keeper.facility and facility and keeper.facility != facility:
                problems.append(
                    f"the series {one.series_instance_uid} is said to be kept by {keeper.name}, an archive of facility "
                    f"{keeper.facility}, while the manifest is of {facility}: it was left out"
                )
                continue
            series.append(one)
        if others and not series:
            raise CannotUnderstand(problems[-1])
        return replace(
            manifest,
            door=seen.door,
            entry_uuid=seen.entry_uuid,
            facility=facility,
            series=tuple(series),
            named=sum(len(one.instances) for one in series),
            problems=tuple(problems[:40]),
            received_at=time_text(datetime.now(UTC)),
        )

    def _is_ours(self, one: ListedSeries) -> bool:
        """Whether this archive is where it is: a manifest of our own, or one about what was sent here."""
        if one.retrieve_location_uid:
            return one.retrieve_location_uid == self._own_oid()
        return one.retrieve_ae_title == self._ae_title

    def _refuse(self, uid: str, seen: _Seen, reason: str) -> None:
        with self._database.transaction() as connection:
            manifests.put(
                connection,
                Manifest(
                    uid,
                    door=seen.door,
                    facility=seen.facility,
                    entry_uuid=seen.entry_uuid,
                    state=State.REFUSED,
                    received_at=time_text(datetime.now(UTC)),
                    problems=(reason,),
                ),
            )

    # ---- what follows

    def _follow(self, manifest: Manifest, seen: _Seen, before: Manifest | None, older: Sequence[Manifest]) -> None:
        problems = list(manifest.problems)
        with self._database.transaction() as connection:
            manifests.put(connection, manifest)
        for listed in manifest.series:
            rows = list(noted(listed, seen.elements, manifest.facility, manifest.received_at))
            for start in range(0, len(rows), _ROWS):
                self._store.note(SYSTEM, rows[start : start + _ROWS])
            problems += self._disagreements(listed)
        self._rate(manifest.series)
        for one in self._whole(older):
            self._leave(one, State.REPLACED)
        if before is not None and before.state is State.CURRENT:
            self._drop(before)
        with self._database.transaction() as connection:
            manifests.set_checked(connection, manifest.sop_instance_uid, manifest.missing, problems[:40])
            jobs.schedule(
                connection, SURVEY, order_key=manifest.sop_instance_uid, payload=manifest.sop_instance_uid, priority=-1
            )
        log.info(
            "manifest read",
            extra={"sop_instance_uid": manifest.sop_instance_uid, "instances": manifest.named, "replaced": len(older)},
        )

    def rate(self, payload: str) -> str | None:
        """A step of a job of kind RATE."""
        with self._database.read() as connection:
            page = manifests.series_after(connection, int(payload or 0), _PAGE)
        self._rate(one for _, one in page)
        return str(page[-1][0]) if len(page) == _PAGE else None

    def _disagreements(self, listed: ListedSeries) -> list[str]:
        """Instances that are known under another study or series: the first word stands."""
        uids = [uid for _, uid in listed.instances]
        wrong = 0
        with self._database.read() as connection:
            for start in range(0, len(uids), _ROWS):
                wrong += elsewhere.count_outside(
                    connection, uids[start : start + _ROWS], listed.study_instance_uid, listed.series_instance_uid
                )
        if not wrong:
            return []
        known = "are known under another study or series: they stay there"
        return [f"{wrong} instances of the series {listed.series_instance_uid} {known}"]

    def _rate(self, series: Iterable[ListedSeries]) -> None:
        archives = self._archives()
        with self._database.transaction() as connection:
            for study, uid in dict.fromkeys((one.study_instance_uid, one.series_instance_uid) for one in series):
                known = candidates(archives, manifests.places(connection, study, uid))
                elsewhere.rate(connection, study, uid, Availability.NEARLINE if known else Availability.OFFLINE)

    def _versions(self, manifest: Manifest) -> list[Manifest]:
        """Other current manifests that came as instances of the same series of manifests, as whoever makes them anew
        does, without what they name."""
        if manifest.door == REGISTRY or not manifest.series_instance_uid:
            return []
        with self._database.read() as connection:
            found = manifests.of_study(connection, manifest.study_instance_uid)
        return [
            one
            for one in found
            if one.series_instance_uid == manifest.series_instance_uid
            and one.state is State.CURRENT
            and one.sop_instance_uid != manifest.sop_instance_uid
        ]

    def _leave(self, manifest: Manifest, state: State) -> None:
        """It stands no more: what only it named is known no more. What a search of the same facility's archive found of
        the study goes with what was withdrawn."""
        gone = [manifest]
        if state is State.WITHDRAWN:
            gone += self._found(manifest)
        with self._database.transaction() as connection:
            for one in gone:
                manifests.set_state(connection, one.sop_instance_uid, state)
        for one in gone:
            self._drop(one)
        log.info("manifest left", extra={"sop_instance_uid": manifest.sop_instance_uid, "state": state.value})

    def _found(self, manifest: Manifest) -> list[Manifest]:
        with self._database.read() as connection:
            found = manifests.of_study(connection, manifest.study_instance_uid)
        return self._whole(
            one
            for one in found
            if one.door == SEARCH and one.state is State.CURRENT and one.facility == manifest.facility
        )

    def _whole(self, those: Iterable[Manifest]) -> list[Manifest]:
        """The same with what they name."""
        with self._database.read() as connection:
            found = [manifests.find(connection, one.sop_instance_uid) for one in those]
        return [one for one in found if one is not None]

    def _drop(self, manifest: Manifest) -> None:
        """What it named, and no current manifest names: rows without bytes go, copies are deleted softly, and what was
        sent here stays."""
        named: dict[str, list[str]] = {}
        for one in manifest.series:
            named.setdefault(one.study_instance_uid, []).extend(uid for _, uid in one.instances)
        for study, uids in named.items():
            with self._database.read() as connection:
                still = manifests.named_elsewhere(connection, study, "")
            left = [uid for uid in uids if uid not in still]
            for start in range(0, len(left), _PAGE):
                self._drop_some(study, left[start : start + _PAGE])
        self._rate(manifest.series)

    def _drop_some(self, study: str, uids: Sequence[str]) -> None:
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            ours = elsewhere.fetched_or_kept(connection, study, uids)
            if not ours or Holds.held(connection, study):
                return
            gone = deletion.delete(connection, study, among=ours, at=time_text(now), by=SYSTEM.name, reason=_WITHDRAWN)
            copies = (one for one in gone if one.blob)
            tell_deleted(connection, study, copies, at=now, by=SYSTEM.name, reason=_WITHDRAWN)
            tell_known(connection, SYSTEM, [study])
        self._store.forget()


def _keeper(archives: Sequence[Source], one: ListedSeries) -> Source | None:
    return next((a for a in archives if names(a, one.retrieve_location_uid, one.retrieve_ae_title)), None)


def _facility(archives: Sequence[Source], series: Sequence[ListedSeries]) -> str:
    """Whose a manifest is that does not say so: that of the archive it names."""
    keepers = (_keeper(archives, one) for one in series)
    return next((keeper.facility for keeper in keepers if keeper is not None and keeper.facility), "")

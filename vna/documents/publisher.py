"""The work of publishing a study: its manifest is provided once in effect, the newest in the place of the one before,
and removed when nothing is left (RAD TF-2 4.68)."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

import orjson

from storage.index import contents, events, publications
from storage.index.engine import Database
from storage.index.events import read_time, time_text
from storage.index.publications import Publication
from vna.documents import manifest
from vna.documents.descriptions import Describing
from vna.documents.identifiers import new_uuid
from vna.documents.manifest import Elements, Source, Version
from vna.documents.problems import ErrorCode, Refused
from vna.documents.removing import Removing
from vna.documents.repository import WantedDocument
from vna.documents.withdrawal import Metadata, leaving
from vna.jobs.retries import GivenUp
from vna.model.access import SYSTEM
from vna.model.contents import StudyContents
from vna.model.documents import DocumentEntry, Submission
from vna.model.errors import Rejected, Unavailable
from vna.model.events import EventKind

log = logging.getLogger(__name__)

_ROUNDS = 5
_GONE = frozenset({ErrorCode.UNRESOLVED, ErrorCode.UPDATE})
_LATER = frozenset({ErrorCode.BUSY, ErrorCode.REPOSITORY_BUSY, ErrorCode.OUT_OF_RESOURCES})
_NO_PREDECESSOR = frozenset({ErrorCode.UNRESOLVED, ErrorCode.DEPRECATED})


class Destination(Protocol):
    """A repository with its registry: our own in this process, or another one over the network."""

    @property
    def metadata(self) -> Metadata:
        """The registry."""

    def provide(self, submission: Submission, contents: Mapping[str, bytes]) -> None:
        """Store and register documents (ITI-41); contents by entryUUID. Refused, or Unavailable when nobody knows."""

    def discard(self, documents: Sequence[WantedDocument]) -> None:
        """Remove documents (ITI-86); what is not there is gone already. Refused, or Unavailable when nobody knows."""

    def survivor(self, patient_id: str) -> str:
        """The identifier of the patient that this one was merged into, where that is known; else itself."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A manifest on its way. Its identifiers are kept before it is sent: a repository refuses them the second time, and
    so says that the first time did arrive. `digest` is that of its content, empty when not every try had the same."""

    number: int
    unique_id: str
    entry_uuid: str
    set_unique_id: str
    set_entry_uuid: str
    made_at: str
    patient_id: str
    replaces: str
    digest: str
    tries: int = 0


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is to be published of a study."""

    study: StudyContents
    said: Elements
    patient_id: str
    digest: str


class Publisher:
    """Does the jobs: compares what is held with what was published, and provides what differs."""

    def __init__(
        self,
        database: Database,
        describing: Callable[[], Describing],
        destination: Destination,
        retrieve_ae_title: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._new_describing = describing
        self._destination = destination
        self._retrieve_ae_title = retrieve_ae_title
        self._clock = clock
        self._removing = Removing(database, destination)

    def __call__(self, study_instance_uid: str) -> None:
        """Publish one study as it is now; harmless when done already. GivenUp when it cannot be published at all."""
        for _ in range(_ROUNDS):
            with self._database.read() as connection:
                study = contents.of_study(connection, study_instance_uid)
                held = publications.find(connection, study_instance_uid) or Publication(study_instance_uid)
            if self._withdraw(held) if study is None else self._publish(study, held):
                return
        raise Unavailable("the study changes faster than it is published")

    @property
    def _describing(self) -> Describing:
        return self._new_describing()

    def _publish(self, study: StudyContents, held: Publication) -> bool:
        """One step; whether it was the last."""
        draft = self._draft(study)
        if held.digest == draft.digest and not held.pending:
            return True
        if self._is_anothers(held, draft.patient_id):
            self._withdraw(held)  # what is another patient's cannot be replaced
            return False
        attempt = self._begin(held, draft)
        try:
            self._provide(draft, attempt)
        except Refused as refusal:
            return self._refused(held, draft, attempt, refusal)
        self._done(held, attempt, draft.digest)
        return True

    def _is_anothers(self, held: Publication, patient_id: str) -> bool:
        named = [held.patient_id] if held.entry_uuid else []
        named += [_attempt(held.pending).patient_id] if held.pending else []
        return any(self._destination.survivor(one) != patient_id for one in named)

    def _provide(self, draft: _Draft, attempt: Attempt) -> None:
        data = self._data(draft, attempt)
        document = replace(
            self._described(draft, attempt),
            size=str(len(data)),
            hash=hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        )
        submission = self._describing.submission(
            document,
            entry_uuid=attempt.set_entry_uuid,
            unique_id=attempt.set_unique_id,
            at=read_time(attempt.made_at),
            replaces=attempt.replaces,
        )
        self._destination.provide(submission, {attempt.entry_uuid: data})

    def _refused(self, held: Publication, draft: _Draft, attempt: Attempt, refusal: Refused) -> bool:
        """What a refusal says of what is there already; raised again when it says nothing of that."""
        codes = {problem.code for problem in refusal.problems}
        if attempt.tries > 1 and ErrorCode.DUPLICATE in codes:
            self._done(held, attempt, attempt.digest)
            return attempt.digest == draft.digest
        if attempt.tries > 1 and ErrorCode.DEPRECATED in codes:
            self._done(held, attempt, "")  # perhaps by an earlier try: whether there is one shows who replaces it
            return False
        if attempt.replaces and codes & _NO_PREDECESSOR:
            self._put(replace(held, entry_uuid="", digest="", pending=""))
            return False
        raise refusal

    def _draft(self, study: StudyContents) -> _Draft:
        describing = self._describing
        name = describing.institution_name(study)
        said = manifest.content(study, Source(self._retrieve_ae_title, describing.own_oid, name))
        try:
            described = describing.manifest(study, entry_uuid="", unique_id="", made_at=self._clock())
        except Rejected as exc:
            raise GivenUp(str(exc)) from exc
        patient_id = self._destination.survivor(described.patient_id)
        digest = hashlib.sha256(f"{manifest.digest(said)} {patient_id}".encode()).hexdigest()
        return _Draft(study, said, patient_id, digest)

    def _described(self, draft: _Draft, attempt: Attempt) -> DocumentEntry:
        described = self._describing.manifest(
            draft.study,
            entry_uuid=attempt.entry_uuid,
            unique_id=attempt.unique_id,
            made_at=read_time(attempt.made_at),
        )
        return replace(described, patient_id=draft.patient_id)

    def _data(self, draft: _Draft, attempt: Attempt) -> bytes:
        describing = self._describing
        series = manifest.series_uid(draft.study.study_instance_uid, describing.own_oid)
        at = describing.local(read_time(attempt.made_at), draft.study.elements)
        return manifest.written(draft.said, Version(attempt.unique_id, series, attempt.number, at))

    def _begin(self, held: Publication, draft: _Draft) -> Attempt:
        """The attempt that is on its way, else a new one; durable before anything is sent."""
        if held.pending:
            attempt = _attempt(held.pending)
        else:
            attempt = Attempt(
                number=held.number + 1,
                unique_id=manifest.new_uid(),
                entry_uuid=new_uuid(),
                set_unique_id=manifest.new_uid(),
                set_entry_uuid=new_uuid(),
                made_at=time_text(self._clock()),
                patient_id=draft.patient_id,
                replaces=held.entry_uuid,
                digest=draft.digest,
            )
        same = attempt.digest == draft.digest
        attempt = replace(attempt, digest=draft.digest if same else "", tries=attempt.tries + 1)
        self._put(replace(held, pending=orjson.dumps(asdict(attempt)).decode()))
        return attempt

    def _withdraw(self, held: Publication) -> bool:
        """Remove what is published of a study, and what may have been; True when that is done."""
        pending = _attempt(held.pending) if held.pending else None
        published = [one for one in (pending, held) if one is not None and one.entry_uuid]
        if published:
            self._remove(held.study_instance_uid, published)
            number = pending.number if pending is not None else held.number
            self._put(Publication(held.study_instance_uid, number=number), tell=True)
            log.info("manifest withdrawn", extra={"study_instance_uid": held.study_instance_uid})
        return True

    def _remove(self, study_instance_uid: str, published: Sequence[Attempt | Publication]) -> None:
        """Where a registry removes nothing, what it lists is deprecated, and the documents stay."""
        try:
            gone = leaving(self._destination.metadata, [one.unique_id for one in published])
            self._removing.remove(study_instance_uid, gone)
        except Refused as refusal:
            if _LATER & {problem.code for problem in refusal.problems}:
                raise
            fields = {"study_instance_uid": study_instance_uid, "reason": str(refusal)}
            log.warning("manifest cannot be removed, only deprecated", extra=fields)
            for one in published:
                self._deprecate(one.entry_uuid, one.patient_id, refusal)

    def _deprecate(self, entry_uuid: str, patient_id: str, instead: Refused) -> None:
        update = self._describing.withdrawal(
            entry_uuid, self._destination.survivor(patient_id), unique_id=manifest.new_uid(), at=self._clock()
        )
        try:
            self._destination.metadata.update(update)
        except Refused as refusal:
            codes = {problem.code for problem in refusal.problems}
            if _LATER & codes:
                raise
            if not codes <= _GONE:
                what = f"the registry neither removes the manifest ({instead}) nor deprecates it ({refusal})"
                raise GivenUp(f"{what}: it has to be removed by hand") from refusal

    def _done(self, held: Publication, attempt: Attempt, digest: str) -> None:
        study = held.study_instance_uid
        published = Publication(
            study, attempt.number, digest, attempt.patient_id, attempt.unique_id, attempt.entry_uuid
        )
        self._put(published, tell=True)
        fields = {"study_instance_uid": study, "sop_instance_uid": attempt.unique_id, "number": attempt.number}
        log.info("manifest published", extra=fields)

    def _put(self, publication: Publication, *, tell: bool = False) -> None:
        with self._database.transaction() as connection:
            publications.put(connection, publication)
            if tell:
                events.append(
                    connection,
                    EventKind.MANIFEST_PUBLISHED,
                    at=self._clock(),
                    actor=SYSTEM.name,
                    study_instance_uid=publication.study_instance_uid,
                    detail=asdict(publication),
                )


def _attempt(pending: str) -> Attempt:
    return Attempt(**orjson.loads(pending))

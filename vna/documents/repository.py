"""The document repository: documents provided, retrieved and removed, whichever door asks."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from storage.blobs.base import BlobStore
from storage.blobs.known import Known, stream_known
from storage.index import documents, events, held_documents, jobs, reached_documents
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.held_documents import HeldDocument
from vna.documents import retrievals, unanswered
from vna.documents.contents import Content, Contents, InMemory
from vna.documents.problems import ErrorCode, Problem, Problems, Refused, refused
from vna.documents.registry import Registry
from vna.documents.requirements import named
from vna.jobs.retries import GivenUp
from vna.model.access import Action, Actor
from vna.model.audit import NoTrail, Outcome, Trail
from vna.model.documents import DocumentEntry, Submission
from vna.model.errors import NotFound, OutOfResources, Unavailable
from vna.model.events import EventKind
from vna.security.policy import WITHIN_REACH, Policy

__all__ = ["Content", "Given", "InMemory", "RemoteRegistry", "Repository", "WantedDocument"]

log = logging.getLogger(__name__)

MOST_DOCUMENTS = 10_000


class RemoteRegistry(Protocol):
    """A registry elsewhere (ITI TF-2 3.42)."""

    def register(self, submission: Submission) -> Sequence[Problem]:
        """Register it there; the warnings. Refused with what that registry finds wrong, Unavailable without it."""

    def documents(self, *, unique_ids: Iterable[str]) -> Sequence[DocumentEntry]:
        """What is registered there under these uniqueIds. Refused or Unavailable when it does not say."""


@dataclass(frozen=True, slots=True)
class WantedDocument:
    """One document that is asked for; `home` is only given back."""

    repository_unique_id: str
    unique_id: str
    home: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """A document; `pieces` is called once, when it is its turn."""

    wanted: WantedDocument
    mime_type: str
    size: int
    pieces: Callable[[], Iterator[bytes]] = field(repr=False, compare=False)


class Repository:
    """Holds documents under `repository_unique_id`, and registers them: in `registry`, unless there is a `remote`."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        policy: Policy,
        registry: Registry,
        repository_unique_id: Callable[[], str],
        *,
        max_bytes: int,
        room: Callable[[], None],
        remote: RemoteRegistry | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        trail: Trail | None = None,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._registry = registry
        self._repository_unique_id = repository_unique_id
        self._contents = Contents(database, blobs, max_bytes=max_bytes, room=room)
        self._remote = remote
        self._clock = clock
        self._trail = trail or NoTrail()
        self.max_objects = registry.rules.max_objects

    def provide(self, actor: Actor, submission: Submission, contents: Mapping[str, Content]) -> Sequence[Problem]:
        """Keep documents and register them (ITI TF-2 3.41, RAD TF-2 4.68): all of it or nothing; the warnings.

        `contents` go by what the submission calls their documents (entryUUID, or a name within it). Refused with what
        is wrong, the registry's problems among it.
        """
        self._policy.check(actor, Action.WRITE_DOCUMENTS)
        _check(submission.documents, contents)
        completed = replace(submission, documents=tuple(self._completed(submission.documents, contents)))
        now = self._clock()
        kept: list[HeldDocument] = []
        try:
            for document in completed.documents:
                held = self._contents.keep(document, contents[document.entry_uuid], time_text(now))
                kept.append(held)  # dropped when a later one fails
            tell = partial(_keep, kept, actor, now)
            if self._remote is not None:
                return self._forward(self._remote, actor, completed, kept, tell)
            self._registry.register(actor, completed, tell)
        except BaseException:
            self._contents.drop(one.blob for one in kept)
            raise
        return ()

    def retrieve(self, actor: Actor, wanted: Sequence[WantedDocument]) -> tuple[list[Given], list[Problem]]:
        """What can be given, each document once and in the order of the request, and what cannot, with the reason
        (ITI TF-2 3.43)."""
        self._policy.check(actor, Action.READ_DOCUMENTS, WITHIN_REACH)
        found = self._found(wanted)
        reach = self._policy.within(actor)
        if reach is not None:
            with self._database.read() as connection:
                shown = reached_documents.within(connection, (unique_id for _, unique_id in found), reach)
            found = {key: held for key, held in found.items() if key[1] in shown}
        given: list[Given] = []
        problems: list[Problem] = []
        for one in dict.fromkeys(wanted):
            held = found.get((one.repository_unique_id, one.unique_id), ())
            try:
                given.append(self._given(one, held))
            except Refused as refusal:
                problems += refusal.problems
        self._note(actor, dict.fromkeys(wanted), [one.wanted for one in given])
        return given, problems

    def _note(self, actor: Actor, wanted: Iterable[WantedDocument], given: Sequence[WantedDocument]) -> None:
        """In the audit trail before anything is given."""
        found = set(given)
        missing = [one for one in wanted if one not in found]
        with self._database.read() as connection:
            patients = documents.patients_of(connection, [one.unique_id for one in given])
        for record in retrievals.records(actor, given, Outcome.SUCCESS, patients):
            self._trail.record(record)
        for record in retrievals.records(actor, missing, Outcome.MINOR_FAILURE, {}):
            self._trail.record(record)

    def remove(self, actor: Actor, wanted: Sequence[WantedDocument]) -> tuple[int, list[Problem]]:
        """Remove documents and their bytes for good (ITI-86): how many, and what is not held here.

        What the registry says of them stays as it is.
        """
        self._policy.check(actor, Action.WRITE_DOCUMENTS)
        found = self._found(wanted)
        problems: list[Problem] = []
        gone: list[str] = []
        removed = 0
        for one in dict.fromkeys(wanted):
            held = found.get((one.repository_unique_id, one.unique_id), ())
            removed += bool(held)
            gone += [document.blob for document in held]
            if not held:
                problems.append(self._missing(one))
        self._discard(actor, gone)
        return removed, problems

    def _completed(
        self, documents: Iterable[DocumentEntry], contents: Mapping[str, Content]
    ) -> Iterator[DocumentEntry]:
        """With what only the repository knows (ITI TF-2 3.41.4.1.3)."""
        own = self._repository_unique_id()
        for document in documents:
            content = contents[document.entry_uuid]
            yield replace(document, hash=content.sha1, size=str(content.size), repository_unique_id=own)

    def _forward(
        self,
        remote: RemoteRegistry,
        actor: Actor,
        submission: Submission,
        kept: Sequence[HeldDocument],
        tell: Callable[[Connection], None],
    ) -> Sequence[Problem]:
        """The documents can be retrieved before the registry hears of them, and cannot when it refuses them. While it
        does not answer nobody knows, and they stay."""
        with self._database.transaction() as connection:
            tell(connection)
            job_id = unanswered.note(connection, submission, kept, self._clock())
        try:
            warnings = self._register(remote, submission, kept, job_id)
        except Refused:
            self._discard(actor, [one.blob for one in kept], job_id)
            raise
        except Unavailable as error:
            what = f"the registry: {error}; what it did is not known, so the same submission may be sent again"
            raise refused(ErrorCode.REGISTRY_NOT_AVAILABLE, what) from error
        with self._database.transaction() as connection:
            unanswered.hurry(connection, submission)
            others = unanswered.contradicting(connection, kept)
        self._discard(actor, [one.blob for one in others], job_id)
        return warnings

    def _register(
        self, remote: RemoteRegistry, submission: Submission, kept: Sequence[HeldDocument], job_id: int
    ) -> Sequence[Problem]:
        """A submission that was not answered and comes again may have been registered the first time."""
        try:
            return remote.register(submission)
        except Refused as refusal:
            with self._database.read() as connection:
                is_repeated = unanswered.is_repeated(connection, submission, job_id)
            if not is_repeated or ErrorCode.DUPLICATE not in {problem.code for problem in refusal.problems}:
                raise
            if not self._has(remote, kept):
                raise
            return ()

    def _has(self, remote: RemoteRegistry, kept: Sequence[HeldDocument]) -> bool:
        """Whether a registry says that all of these documents are here."""
        try:
            entries = remote.documents(unique_ids=[one.unique_id for one in kept])
        except Refused:
            return False
        return not unanswered.unregistered(kept, entries)

    def settle(self, actor: Actor, payload: str) -> None:
        """What a job does about documents of which a registry elsewhere said nothing: those that it has not registered
        go. GivenUp when documents are registered here now; Refused or Unavailable while it does not say."""
        self._policy.check(actor, Action.WRITE_DOCUMENTS)
        if self._remote is None:
            raise GivenUp("without VNA_XDS__REGISTRY_URL there is no registry to ask whether it has these documents")
        with self._database.read() as connection:
            held = held_documents.of_blobs(connection, unanswered.blobs(payload))
        if not held:
            return
        entries = self._remote.documents(unique_ids=[one.unique_id for one in held])
        lost = unanswered.unregistered(held, entries)
        self._discard(actor, [one.blob for one in lost])
        log.info("unanswered registration settled", extra={"kept": len(held) - len(lost), "discarded": len(lost)})

    def _discard(self, actor: Actor, blobs: Sequence[str], job_id: int | None = None) -> None:
        now = self._clock()
        with self._database.transaction() as connection:
            if job_id is not None:
                jobs.drop(connection, job_id)
            for held in held_documents.remove(connection, blobs):
                _tell(connection, EventKind.DOCUMENT_DISCARDED, held, actor, now)
        self._contents.drop(blobs)

    def _found(self, wanted: Sequence[WantedDocument]) -> dict[tuple[str, str], list[HeldDocument]]:
        if len(wanted) > MOST_DOCUMENTS:
            raise OutOfResources(f"at most {MOST_DOCUMENTS} documents are asked for at once, not {len(wanted)}")
        found: dict[tuple[str, str], list[HeldDocument]] = {}
        with self._database.read() as connection:
            for held in held_documents.held(connection, (one.unique_id for one in wanted)):
                found.setdefault((held.repository_unique_id, held.unique_id), []).append(held)
        return found

    def _given(self, wanted: WantedDocument, held: Sequence[HeldDocument]) -> Given:
        """The first that was provided: those that came after it are the same bytes, or were not registered."""
        if not held:
            raise Refused([self._missing(wanted)])
        document = held[0]
        try:
            whole = self._blobs.size(document.blob) == document.size
        except NotFound:
            whole = False
        if not whole:
            raise refused(ErrorCode.REPOSITORY, f"the bytes of the document {wanted.unique_id} are damaged")
        known = Known(document.size, document.sha256)
        return Given(
            wanted, document.mime_type, document.size, partial(stream_known, self._blobs, document.blob, known)
        )

    def _missing(self, wanted: WantedDocument) -> Problem:
        own = self._repository_unique_id()
        if wanted.repository_unique_id != own:
            where = f"{wanted.repository_unique_id!r} is not this repository: it is {own}"
            return Problem(ErrorCode.UNKNOWN_REPOSITORY, f"{where}; document {wanted.unique_id}")
        return Problem(ErrorCode.DOCUMENT_UNIQUE_ID, f"no document {wanted.unique_id} is held here")


def _check(documents: Sequence[DocumentEntry], contents: Mapping[str, Content]) -> None:
    """Every document has its bytes, and every bytes their document; what is said of them is true."""
    problems = Problems()
    for document in documents:
        content = contents.get(document.entry_uuid)
        if content is None:
            problems.add(ErrorCode.MISSING_DOCUMENT, f"{named(document)} comes without its document")
            continue
        said = f"{named(document)} says of its document that its"
        if document.hash and document.hash.lower() != content.sha1.lower():
            problems.add(ErrorCode.REPOSITORY_METADATA, f"{said} hash is {document.hash}, which is {content.sha1}")
        if document.size and document.size != str(content.size):
            problems.add(ErrorCode.REPOSITORY_METADATA, f"{said} size is {document.size}, which is {content.size}")
    for name in contents.keys() - {document.entry_uuid for document in documents}:
        problems.add(ErrorCode.MISSING_METADATA, f"the document {name[:100]} comes without a DocumentEntry")
    problems.refuse()


def _keep(kept: Sequence[HeldDocument], actor: Actor, now: datetime, connection: Connection) -> None:
    held_documents.add(connection, kept)
    for held in kept:
        _tell(connection, EventKind.DOCUMENT_STORED, held, actor, now)


def _tell(connection: Connection, kind: EventKind, held: HeldDocument, actor: Actor, at: datetime) -> None:
    """Events of one document's bytes are handed out in order."""
    order = f"document:{held.blob.rpartition('/')[2]}"
    events.append(connection, kind, at=at, actor=actor.name, detail=held.detail(), study_instance_uid=order)

"""The document registry: what is registered, changed, removed and found, whichever door asks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from storage.index import documents, identities
from storage.index.document_queries import Depth
from storage.index.engine import Connection, Database
from vna.audit.queries import queried
from vna.documents import answers, removal
from vna.documents.answers import Answer
from vna.documents.changes import Changes, Render, Teller, carry_out
from vna.documents.domain import ANY, AffinityDomain
from vna.documents.holdings import Holdings
from vna.documents.identifiers import settled
from vna.documents.problems import ErrorCode, Problems, refused
from vna.documents.relationships import Relationships
from vna.documents.stored_queries import Arguments
from vna.documents.submission import check_alone, check_first_versions, check_new, check_type, first
from vna.documents.update import Update
from vna.identity.patients import Patients
from vna.model.access import Action, Actor
from vna.model.audit import NO_TRAIL, Trail
from vna.model.documents import Association, DocumentEntry, DocumentQuery, Kind, Status, Submission
from vna.model.events import EventKind
from vna.security.policy import WITHIN_REACH, Policy

Also = Callable[[Connection], None]
"""What is done in the transaction of a registration, or not at all."""


def nothing_else(_connection: Connection) -> None:
    """Only the registration."""


@dataclass(frozen=True, slots=True)
class RegistryRules:
    """What one affinity domain, and the bounds of one archive, add to IHE's rules."""

    domain: AffinityDomain = ANY
    max_objects: int = 10_000
    max_results: int = 10_000


@dataclass(frozen=True, slots=True)
class _Work:
    """What one transaction has at hand."""

    holdings: Holdings
    related: Relationships
    problems: Problems


class Registry:
    """Every use case raises Refused with the problems that it found; then nothing was changed."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        patients: Patients,
        render: Render,
        rules: RegistryRules | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        trail: Trail = NO_TRAIL,
    ) -> None:
        self._database = database
        self._policy = policy
        self._patients = patients
        self._render = render
        self._clock = clock
        self.rules = rules or RegistryRules()
        self._trail = trail

    def register(self, actor: Actor, submission: Submission, also: Also = nothing_else) -> Submission:
        """Register stable documents, folders and associations (ITI TF-2 3.42); what was registered, with its UUIDs.

        `also` is done in the same transaction.
        """
        self._policy.check(actor, Action.WRITE_DOCUMENTS)
        return self._register(actor, submission, on_demand=False, also=also)

    def register_on_demand(self, actor: Actor, submission: Submission) -> Submission:
        """Register documents that are made when they are retrieved (ITI TF-2 3.61)."""
        self._policy.check(actor, Action.WRITE_DOCUMENTS)
        return self._register(actor, submission, on_demand=True)

    def query(self, actor: Actor, arguments: Arguments, *, references: bool = False) -> Answer:
        """Answer a stored query (ITI TF-2 3.18); only entryUUIDs with `references`."""
        self._policy.check(actor, Action.READ_DOCUMENTS, WITHIN_REACH)
        reach = self._policy.within(actor)
        opened = self._database.glance if arguments.query.one_list else self._database.read
        with opened() as connection:
            reader = answers.Reader(connection, arguments, references, self.rules.max_results, reach)
            answer = reader.answer()
        queried(self._trail, actor, "ITI-18", arguments.as_asked(), len(answer.objects))
        return answer

    def update(self, actor: Actor, submission: Submission) -> Submission:
        """New versions, other statuses, further associations (XDS Metadata Update 3.57)."""
        self._policy.check(actor, Action.WRITE_DOCUMENTS)
        return self._update(actor, submission, restricted=False)

    def update_restricted(self, actor: Actor, submission: Submission) -> Submission:
        """New versions of documents that differ only in what anybody may correct (Restricted Metadata Update 3.92)."""
        self._policy.check(actor, Action.WRITE_DOCUMENTS)
        return self._update(actor, submission, restricted=True)

    def versions(
        self, actor: Actor, *, entry_uuids: Iterable[str] = (), unique_ids: Iterable[str] = ()
    ) -> list[DocumentEntry]:
        """Documents by their entryUUIDs, or every version of them by their uniqueIds."""
        self._policy.check(actor, Action.READ_DOCUMENTS)
        query = DocumentQuery(Kind.DOCUMENT, entry_uuids=tuple(entry_uuids), unique_ids=tuple(unique_ids))
        with self._database.read() as connection:
            found = documents.held(connection, query, Depth.OBJECT)
        return [one.object for one in found if isinstance(one.object, DocumentEntry)]

    def associations(self, actor: Actor, entry_uuids: Iterable[str]) -> list[Association]:
        """Every association that has one of these at an end, of whatever status."""
        self._policy.check(actor, Action.READ_DOCUMENTS)
        with self._database.read() as connection:
            found = documents.associations(connection, entry_uuids, Depth.OBJECT, statuses=tuple(Status))
        return [link.object for link in found if link.object is not None]

    def remove(self, actor: Actor, entry_uuids: Sequence[str]) -> None:
        """Forget objects and associations (ITI TF-2 3.62)."""
        self._policy.check(actor, Action.WRITE_DOCUMENTS)
        self._check_size(len(entry_uuids))
        entry_uuids = list(dict.fromkeys(entry_uuids))
        problems, teller = Problems(), Teller(EventKind.DOCUMENT_REMOVED, actor, self._clock())
        with self._database.transaction() as connection:
            identities.lock(connection, [key for key, _ in removal.by_patient(connection, entry_uuids)])
            removal.check(connection, entry_uuids, problems)
            problems.refuse()
            for (key, patient_id), gone in removal.by_patient(connection, entry_uuids).items():
                carry_out(connection, Changes(removed=gone), key, patient_id, self._render, teller)

    def _check_size(self, count: int) -> None:
        if count > self.rules.max_objects:
            most = f"a submission has at most {self.rules.max_objects} objects, not {count}"
            raise refused(ErrorCode.OUT_OF_RESOURCES, most)

    def _register(
        self, actor: Actor, submission: Submission, *, on_demand: bool, also: Also = nothing_else
    ) -> Submission:
        problems = Problems()
        self._check_size(sum(1 for _ in submission))
        check_alone(submission, self.rules.domain, problems)
        check_type(submission, problems, on_demand=on_demand)
        submission = settled(submission, problems)
        check_first_versions(submission, problems)
        problems.refuse()
        with self._opened(actor, submission, problems, EventKind.DOCUMENT_REGISTERED) as work:
            work.related.check(submission.associations)
            work.problems.refuse()
            work.related.follow(submission.associations)
            added = work.holdings.changes.added
            added += [first(thing, work.related.now) for thing in submission.registered()]
            added += submission.associations
            also(work.holdings.connection)
        return submission

    def _update(self, actor: Actor, submission: Submission, *, restricted: bool) -> Submission:
        problems = Problems()
        self._check_size(sum(1 for _ in submission))
        check_alone(submission, self.rules.domain, problems, other_patient=ErrorCode.RECONCILIATION)
        submission = settled(submission, problems)
        problems.refuse()
        with self._opened(actor, submission, problems, EventKind.DOCUMENT_UPDATED) as work:
            Update(submission, work.related, work.holdings, work.problems, restricted).plan()
            work.problems.refuse()
            own = first(submission.submission_set, work.related.now)
            operations = [link for link in submission.associations if link.source == own.entry_uuid]
            work.holdings.changes.added += [own, *operations]
        return submission

    @contextmanager
    def _opened(self, actor: Actor, submission: Submission, problems: Problems, kind: EventKind) -> Iterator[_Work]:
        """A transaction in which the patient is nobody else's to change; what was noted is done at its end."""
        at = self._clock()
        patient_id = submission.submission_set.patient_id
        with self._database.transaction() as connection:
            patient = self._patients.admit(connection, actor, patient_id)
            if patient is None:
                raise refused(ErrorCode.UNKNOWN_PATIENT, f"patientId {patient_id} is not known")
            holdings = Holdings(connection)
            check_new(submission, holdings, problems)
            work = _Work(holdings, Relationships(submission, patient.key, holdings, problems, dtm(at)), problems)
            yield work
            holdings.changes.added += work.related.brought
            carry_out(connection, holdings.changes, patient.key, patient_id, self._render, Teller(kind, actor, at))


def dtm(at: datetime) -> str:
    """A time as HL7 writes it, in UTC."""
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S")

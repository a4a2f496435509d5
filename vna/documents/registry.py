"""The document registry: what is registered, changed, removed and found, whichever door asks."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from storage.index.engine import Database
from vna.documents import answers
from vna.documents.answers import Answer
from vna.documents.changes import Render, Teller, carry_out
from vna.documents.domain import ANY, AffinityDomain
from vna.documents.holdings import Holdings
from vna.documents.identifiers import settled
from vna.documents.problems import ErrorCode, Problems, refused
from vna.documents.relationships import Relationships
from vna.documents.stored_queries import Arguments
from vna.documents.submission import check_alone, check_first_versions, check_new, first
from vna.identity.patients import Patients
from vna.model.access import Action, Actor
from vna.model.documents import Submission
from vna.model.events import EventKind
from vna.security.policy import Policy


@dataclass(frozen=True, slots=True)
class RegistryRules:
    """What one affinity domain, and the bounds of one archive, add to IHE's rules."""

    domain: AffinityDomain = ANY
    max_objects: int = 10_000
    max_results: int = 10_000


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
    ) -> None:
        self._database = database
        self._policy = policy
        self._patients = patients
        self._render = render
        self._clock = clock
        self.rules = rules or RegistryRules()

    def register(self, actor: Actor, submission: Submission) -> Submission:
        """Register stable documents, folders and associations (ITI TF-2 3.42); what was registered, with its UUIDs."""
        self._policy.check(actor, Action.WRITE_DOCUMENTS)
        return self._register(actor, submission, on_demand=False)

    def register_on_demand(self, actor: Actor, submission: Submission) -> Submission:
        """Register documents that are made when they are retrieved (ITI TF-2 3.61)."""
        self._policy.check(actor, Action.WRITE_DOCUMENTS)
        return self._register(actor, submission, on_demand=True)

    def query(self, actor: Actor, arguments: Arguments, *, references: bool = False) -> Answer:
        """Answer a stored query (ITI TF-2 3.18); only entryUUIDs with `references`."""
        self._policy.check(actor, Action.READ_DOCUMENTS)
        with self._database.read() as connection:
            reader = answers.Reader(connection, self._patients, arguments, references, self.rules.max_results)
            return reader.answer()

    def _register(self, actor: Actor, submission: Submission, *, on_demand: bool) -> Submission:
        problems = Problems()
        self._check_size(sum(1 for _ in submission))
        check_alone(submission, self.rules.domain, problems, on_demand=on_demand)
        submission = settled(submission, problems)
        check_first_versions(submission, problems)
        problems.refuse()
        return self._write(actor, submission)

    def _check_size(self, count: int) -> None:
        """Refused, when a submission has more objects than one may have."""
        if count > self.rules.max_objects:
            most = f"a submission has at most {self.rules.max_objects} objects, not {count}"
            raise refused(ErrorCode.OUT_OF_RESOURCES, most)

    def _write(self, actor: Actor, submission: Submission) -> Submission:
        problems, at = Problems(), self._clock()
        patient_id = submission.submission_set.patient_id
        with self._database.transaction() as connection:
            patient = self._patients.admit(connection, actor, patient_id)
            if patient is None:
                raise refused(ErrorCode.UNKNOWN_PATIENT, f"patientId {patient_id} is not known")
            holdings = Holdings(connection)
            check_new(submission, holdings, problems)
            related = Relationships(submission, patient.key, holdings, problems, dtm(at))
            related.check(submission.associations)
            problems.refuse()
            related.follow(submission.associations)
            holdings.changes.added += [first(thing, dtm(at)) for thing in submission.registered()]
            holdings.changes.added += [*submission.associations, *related.brought]
            teller = Teller(EventKind.DOCUMENT_REGISTERED, actor, at)
            carry_out(connection, holdings.changes, patient.key, patient_id, self._render, teller)
        return submission


def dtm(at: datetime) -> str:
    """A time as HL7 writes it, in UTC."""
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S")

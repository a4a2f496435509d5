"""Registering a submission: every rule of ITI TF-2 3.42.4.1.3, all of it or nothing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from storage.index import documents
from vna.documents.domain import AffinityDomain
from vna.documents.holdings import Holdings
from vna.documents.problems import ErrorCode, Problems
from vna.documents.requirements import check, named
from vna.model.documents import DocumentEntry, Folder, Registered, Status, Submission


def check_alone(
    submission: Submission,
    domain: AffinityDomain,
    problems: Problems,
    *,
    other_patient: ErrorCode = ErrorCode.OTHER_PATIENT,
) -> None:
    """What can be said without looking into the registry; objects of two patients are an `other_patient`."""
    for thing in submission.registered():
        check(thing, domain, problems)
    _check_patients(submission, problems, other_patient)
    _check_unique_ids(submission, problems)


def check_type(submission: Submission, problems: Problems, *, on_demand: bool) -> None:
    """Stable documents and those on demand have a transaction each."""
    for document in submission.documents:
        if document.on_demand is not on_demand:
            problems.add(ErrorCode.METADATA, f"{named(document)}: its objectType is not for this transaction")


def _check_patients(submission: Submission, problems: Problems, code: ErrorCode) -> None:
    wanted = submission.submission_set.patient_id
    for thing in submission.registered():
        if thing.patient_id and wanted and thing.patient_id != wanted:
            problems.add(
                code,
                f"{named(thing)}: patientId {thing.patient_id} is not that of the submission set, {wanted}",
            )


def _check_unique_ids(submission: Submission, problems: Problems) -> None:
    counted = Counter(thing.unique_id for thing in submission.registered() if thing.unique_id)
    for unique_id, count in counted.items():
        if count > 1:
            problems.add(ErrorCode.DUPLICATE_IN_MESSAGE, f"uniqueId {unique_id} is that of {count} objects")


def check_first_versions(submission: Submission, problems: Problems) -> None:
    """Only an update brings a later version of something (ITI TF-3 4.2.3.2.10)."""
    for thing in submission.registered():
        if thing.logical_id != thing.entry_uuid:
            problems.add(
                ErrorCode.METADATA, f"{named(thing)}: its logicalID {thing.logical_id} is another than its entryUUID"
            )


def check_new(submission: Submission, holdings: Holdings, problems: Problems) -> None:
    """No identifier is taken, except that a document may be registered again while it is the same bytes
    (ITI TF-2 3.42.4.1.3.3.1)."""
    by_unique_id: dict[str, list[Registered]] = {}
    unique_ids = [thing.unique_id for thing in submission.registered()]
    for found in documents.uses(holdings.connection, unique_ids):
        if found.object is not None:
            by_unique_id.setdefault(found.object.unique_id, []).append(found.object)
    for thing in submission.registered():
        _check_use(thing, by_unique_id.get(thing.unique_id, ()), problems)
    for entry_uuid in documents.known(holdings.connection, [thing.entry_uuid for thing in submission]):
        problems.add(ErrorCode.METADATA, f"entryUUID {entry_uuid} is that of an object that is registered")


def _check_use(thing: Registered, others: Iterable[Registered], problems: Problems) -> None:
    """The first object that stands in the way is enough."""
    for other in others:
        code, what = _difference(thing, other)
        if code is not None:
            problems.add(code, f"{named(thing)}: {what}")
            return


def _difference(thing: Registered, other: Registered) -> tuple[ErrorCode | None, str]:
    """Why two objects cannot have one uniqueId."""
    if isinstance(thing, Folder) and isinstance(other, Folder) and thing.logical_id == other.logical_id:
        return None, ""
    if not isinstance(thing, DocumentEntry) or not isinstance(other, DocumentEntry):
        return ErrorCode.DUPLICATE, f"uniqueId {thing.unique_id} is that of a registered object"
    registered = f"that of the registered document {thing.unique_id}"
    if thing.hash.lower() != other.hash.lower():
        return ErrorCode.OTHER_HASH, f"hash {thing.hash} is not {registered}, {other.hash}"
    if thing.size != other.size:
        return ErrorCode.OTHER_SIZE, f"size {thing.size} is not {registered}, {other.size}"
    return None, ""


def first(thing: Registered, now: str) -> Registered:
    """The object as it is registered: approved, its first version; a folder with the time of the registry's clock
    (ITI TF-2 3.42.4.1.3.6)."""
    registered = replace(thing, status=Status.APPROVED, version=1, logical_id=thing.logical_id or thing.entry_uuid)
    return replace(registered, last_update_time=now) if isinstance(registered, Folder) else registered

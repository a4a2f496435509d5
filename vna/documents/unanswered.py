"""Documents whose registration at a registry elsewhere is not answered: what is noted of them before that registry is
asked, so that neither a crash nor its silence leaves documents that nobody looks after."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import orjson

from storage.index import held_documents, jobs
from storage.index.engine import Connection
from storage.index.events import time_text
from storage.index.held_documents import HeldDocument
from vna.model.documents import DocumentEntry, Submission

SETTLE = "settle"
"""The kind of job that asks the registry what became of documents; its payload names where their bytes are."""

SETTLED_AFTER = timedelta(days=1)
"""By then a registry that was slow has registered them, and whoever sent them has sent them again or given up."""


def note(connection: Connection, submission: Submission, kept: Sequence[HeldDocument], now: datetime) -> int:
    """Have it settled later, should no answer come; the number of the job, which is dropped when one does."""
    payload = orjson.dumps([held.blob for held in kept]).decode()
    later = time_text(now + SETTLED_AFTER)
    return jobs.add(connection, SETTLE, order_key=_key(submission), payload=payload, run_after=later)


def is_repeated(connection: Connection, submission: Submission, job_id: int) -> bool:
    """Whether this submission came before and was not answered."""
    return bool(jobs.numbers(connection, SETTLE, _key(submission)) - {job_id})


def hurry(connection: Connection, submission: Submission) -> None:
    """Its registry answers again: what is still to be settled of it is due at once."""
    for number in jobs.numbers(connection, SETTLE, _key(submission)):
        jobs.again(connection, number)


def contradicting(connection: Connection, registered: Iterable[HeldDocument]) -> list[HeldDocument]:
    """Other bytes that are held under the names of documents that are registered now: a registry takes one hash for
    each uniqueId (ITI TF-2 3.42.4.1.3), so those were not."""
    hashes = {(one.repository_unique_id, one.unique_id): one.sha1 for one in registered}
    return [
        one
        for one in held_documents.held(connection, [unique_id for _, unique_id in hashes])
        if hashes.get((one.repository_unique_id, one.unique_id), one.sha1) != one.sha1
    ]


def blobs(payload: str) -> list[str]:
    """Where the bytes are that a job is about."""
    return list(orjson.loads(payload))


def unregistered(held: Iterable[HeldDocument], entries: Iterable[DocumentEntry]) -> list[HeldDocument]:
    """Those of the documents that a registry does not name as they are held here."""
    named = {(entry.repository_unique_id, entry.unique_id, entry.hash.lower()) for entry in entries}
    return [one for one in held if (one.repository_unique_id, one.unique_id, one.sha1.hex()) not in named]


def _key(submission: Submission) -> str:
    return submission.submission_set.unique_id

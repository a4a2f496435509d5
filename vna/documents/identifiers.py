"""Names within a submission become UUIDs (ITI TF-3 4.2.3.1.5)."""

import re
import uuid
from dataclasses import replace
from typing import TypeVar

from vna.documents.problems import ErrorCode, Problems
from vna.documents.requirements import named
from vna.model.documents import Registered, Submission

_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_T = TypeVar("_T", bound=Registered)


def is_uuid(text: str) -> bool:
    """`urn:uuid:` and a UUID in lower case; every other text is only a name within its message."""
    return _UUID.match(text) is not None


def new_uuid() -> str:
    """One that nobody has."""
    return f"urn:uuid:{uuid.uuid4()}"


def settled(submission: Submission, problems: Problems) -> Submission:
    """The same with a new UUID in the place of every name, wherever it is meant; problems go on using the names.

    What two objects are called is a problem; so is a reference to a name that no object has.
    """
    ids: dict[str, str] = {}
    for thing in submission:
        if not thing.entry_uuid or thing.entry_uuid in ids:
            problems.add(ErrorCode.METADATA, f"{named(thing)}: its id is empty or another object's too")
        ids[thing.entry_uuid] = thing.entry_uuid if is_uuid(thing.entry_uuid) else new_uuid()
    problems.names |= {given: name for name, given in ids.items() if given != name}

    def settle(thing: _T) -> _T:
        entry_uuid = ids[thing.entry_uuid]
        logical_id = ids.get(thing.logical_id, thing.logical_id) or entry_uuid
        if not is_uuid(logical_id):
            problems.add(ErrorCode.METADATA, f"{named(thing)}: logicalID {logical_id} is no UUID")
        return replace(thing, entry_uuid=entry_uuid, logical_id=logical_id)

    def refer(text: str, where: str) -> str:
        if text not in ids and not is_uuid(text):
            problems.add(ErrorCode.UNRESOLVED, f"{where} refers to {text}, which is not there")
        return ids.get(text, text)

    return Submission(
        settle(submission.submission_set),
        tuple(map(settle, submission.documents)),
        tuple(map(settle, submission.folders)),
        tuple(
            replace(
                thing,
                entry_uuid=ids[thing.entry_uuid],
                source=refer(thing.source, named(thing)),
                target=refer(thing.target, named(thing)),
            )
            for thing in submission.associations
        ),
    )

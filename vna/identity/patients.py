"""Which patients are known in the affinity domain: told by an identity feed, or by what comes where that is allowed."""

from datetime import UTC, datetime, timedelta

from storage.index import documents, events, identities, jobs
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.identities import Family, Identity
from vna.model.access import Action, Actor
from vna.model.errors import BadRequest, Conflict, NotFound
from vna.model.events import Event, EventKind
from vna.model.identifiers import PatientIdentifier, own_identifier, patient_identifier
from vna.security.policy import Policy

MERGE = "merge"
"""The kind of job that makes images follow a merge; its payload is the key of the identity that was merged."""

_AGAIN = timedelta(minutes=1)


class Patients:
    """The patient identifiers of one affinity domain.

    `authority` is the OID of its assigning authority, empty for any; `registers` says whether a patient nobody told of
    is taken as known from the first document on.
    """

    def __init__(self, database: Database, policy: Policy, *, authority: str = "", registers: bool = False) -> None:
        self._database = database
        self._policy = policy
        self._authority = authority
        self._registers = registers

    def register(self, actor: Actor, cx: str) -> bool:
        """Make an identifier known; False when it was.

        BadRequest when it is none of the domain, Conflict when it was merged into another.
        """
        self._policy.check(actor, Action.FEED)
        identifier = self._required(cx)
        with self._database.transaction() as connection:
            new = known_or_added(connection, identifier, actor, datetime.now(UTC))
            known = identities.find(connection, identifier)
            if known is not None and known.merged_into is not None:
                raise Conflict("the patient was merged into another")
            return new

    def merge(self, actor: Actor, subsumed: str, surviving: str) -> bool:
        """What is the one's is the other's from now on; the one that is `subsumed` is refused afterwards. False when
        that was so already.

        NotFound when `subsumed` is not known; `surviving` is made known. Conflict when one of them was merged into a
        third one, or they would be merged in a ring.
        """
        self._policy.check(actor, Action.FEED)
        old, new = self._required(subsumed), self._required(surviving)
        if old == new:
            raise BadRequest("a patient cannot be merged into itself")
        at = datetime.now(UTC)
        with self._database.transaction() as connection:
            known_or_added(connection, new, actor, at)
            return merged(connection, actor, at, old, new)

    def known(self, connection: Connection, cx: str) -> Family | None:
        """The patient with those merged into it; None when the text is no identifier."""
        identifier = patient_identifier(cx)
        return None if identifier is None else identities.family(connection, identifier)

    def admit(self, connection: Connection, actor: Actor, cx: str) -> Identity | None:
        """The patient, locked until the transaction ends; None when it is not known, or was merged into another."""
        identifier = self._of_domain(cx)
        if identifier is None:
            return None
        identity = identities.find(connection, identifier, lock=True)
        if identity is None and self._registers:
            known_or_added(connection, identifier, actor, datetime.now(UTC))
            identity = identities.find(connection, identifier, lock=True)
        return identity if identity is not None and identity.merged_into is None else None

    def _of_domain(self, cx: str) -> PatientIdentifier | None:
        identifier = patient_identifier(cx)
        if identifier is None or (self._authority and identifier.authority != self._authority):
            return None
        return identifier

    def _required(self, cx: str) -> PatientIdentifier:
        identifier = self._of_domain(cx)
        if identifier is None:
            raise BadRequest("this is no patient identifier of the affinity domain")
        return identifier


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of: it happened, so no rule is asked."""
    if event.kind is EventKind.PATIENT_REGISTERED:
        identities.add(connection, restored(event.detail["identifier"]), time_text(event.at))
        return
    subsumed, surviving = (restored(event.detail[name]) for name in ("subsumed", "surviving"))
    for identifier in (subsumed, surviving):
        identities.add(connection, identifier, time_text(event.at))
    old, new = (identities.find(connection, identifier) for identifier in (subsumed, surviving))
    assert old is not None
    assert new is not None
    _join(connection, old, new)


def restored(cx: str) -> PatientIdentifier:
    """The identifier that a journaled text is of."""
    identifier = patient_identifier(cx) or own_identifier(cx)
    if identifier is None:
        raise BadRequest("this is no patient identifier")
    return identifier


def known_or_added(connection: Connection, identifier: PatientIdentifier, actor: Actor, at: datetime) -> bool:
    """Make an identifier known, in the caller's transaction; False when it was."""
    if not identities.add(connection, identifier, time_text(at)):
        return False
    identity = identities.find(connection, identifier)
    assert identity is not None
    _tell(connection, EventKind.PATIENT_REGISTERED, actor, at, identity.key, {"identifier": str(identifier)})
    return True


def merged(
    connection: Connection, actor: Actor, at: datetime, subsumed: PatientIdentifier, surviving: PatientIdentifier
) -> bool:
    """What is the one's is the other's, in the caller's transaction; False when that was so already. Raises as
    `Patients.merge` does."""
    key = _merge(connection, subsumed, surviving)
    if key is not None:
        detail = {"subsumed": str(subsumed), "surviving": str(surviving)}
        _tell(connection, EventKind.PATIENT_MERGED, actor, at, key, detail)
    return key is not None


def _merge(connection: Connection, old: PatientIdentifier, new: PatientIdentifier) -> int | None:
    """The key of the one that survives; None when it was so already. Both are locked, in one order whichever way they
    are merged."""
    first, second = sorted((old, new), key=str)
    found = {one: identities.find(connection, one, lock=True) for one in (first, second)}
    subsumed, surviving = found[old], found[new]
    if subsumed is None:
        raise NotFound("the patient that is to be merged is not known")
    assert surviving is not None
    if surviving.key in identities.successors(connection, subsumed):
        return None
    if surviving.merged_into is not None or subsumed.merged_into is not None:
        raise Conflict("one of the patients was merged into another already")
    _join(connection, subsumed, surviving)
    return surviving.key


def _join(connection: Connection, subsumed: Identity, surviving: Identity) -> None:
    """Images follow at once, and what was being stored then a minute later."""
    for key in identities.family(connection, subsumed.identifier).keys:
        documents.unrendered(connection, key)
        for run_after in ("", time_text(datetime.now(UTC) + _AGAIN)):
            jobs.add(connection, MERGE, payload=str(key), run_after=run_after)
    identities.merge(connection, subsumed, surviving)


def _tell(
    connection: Connection, kind: EventKind, actor: Actor, at: datetime, key: int, detail: dict[str, str]
) -> None:
    events.append(connection, kind, at=at, actor=actor.name, detail=detail, study_instance_uid=order_key(key))


def order_key(patient: int) -> str:
    """Events of one patient's documents are handed out in order."""
    return f"patient:{patient}"

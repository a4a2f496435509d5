"""Merges taken back, and patients that are one person without sharing a number: by hand."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from storage.index import documents, identities, jobs, links_of_patients, patients
from storage.index.engine import Connection, Database
from storage.index.events import append, time_text
from storage.index.links_of_patients import Link
from vna.identity.patients import known_or_added, merged, order_key, restored
from vna.model.access import Action, Actor
from vna.model.errors import BadRequest, Conflict, NotFound
from vna.model.events import Event, EventKind
from vna.model.identifiers import PatientIdentifier, PatientKey
from vna.security.policy import Policy

UNMERGE: Final = "unmerge"
"""The kind of job that has studies looked at again (`vna.archive.refiling`); its payload is the key of the identity
into which another had been merged."""

_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of an identifier: into which it was merged, which were merged into it, to which it is linked, and
    under which patients of the images its value is."""

    identifier: PatientIdentifier
    survivor: PatientIdentifier | None
    subsumed: tuple[PatientIdentifier, ...]
    linked: tuple[Link, ...]
    images: tuple[PatientKey, ...]


class People:
    """Merges, links, and their end, of identifiers of the affinity domain and of a facility's own numbers."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def merge(self, actor: Actor, subsumed: PatientIdentifier, surviving: PatientIdentifier) -> bool:
        """As a feed tells of it; False when it was so already. Raises as `Patients.merge` does."""
        self._policy.check(actor, Action.CORRECT)
        _require_two(subsumed, surviving)
        at = datetime.now(UTC)
        with self._database.transaction() as connection:
            for one in (subsumed, surviving):
                known_or_added(connection, one, actor, at)
            return merged(connection, actor, at, subsumed, surviving)

    def unmerge(self, actor: Actor, subsumed: PatientIdentifier) -> PatientIdentifier:
        """Take back that a patient was merged into another, who is returned: a job gives studies back to whom their
        bytes name. NotFound when it is not known, Conflict when it was not merged."""
        self._policy.check(actor, Action.CORRECT)
        at = datetime.now(UTC)
        with self._database.transaction() as connection:
            known = identities.find(connection, subsumed, lock=True)
            if known is None:
                raise NotFound("the patient is not known")
            surviving = _part(connection, known)
            if surviving is None:
                raise Conflict("the patient was not merged into another")
            detail = {"subsumed": str(subsumed), "surviving": str(surviving.identifier)}
            key = order_key(surviving.key)
            append(
                connection, EventKind.PATIENT_UNMERGED, at=at, actor=actor.name, study_instance_uid=key, detail=detail
            )
            return surviving.identifier

    def link(self, actor: Actor, one: PatientIdentifier, other: PatientIdentifier) -> bool:
        """Two identifiers are one person's, who keeps both; False when that was known."""
        self._policy.check(actor, Action.CORRECT)
        _require_two(one, other)
        return self._link(actor, one, other, linked=True)

    def unlink(self, actor: Actor, one: PatientIdentifier, other: PatientIdentifier) -> None:
        """They are not, after all; NotFound when nobody said so."""
        self._policy.check(actor, Action.CORRECT)
        if not self._link(actor, one, other, linked=False):
            raise NotFound("these two are not linked")

    def shown(self, actor: Actor, identifier: PatientIdentifier) -> Person:
        """What is known of an identifier."""
        self._policy.check(actor, Action.CORRECT)
        with self._database.read() as connection:
            family = identities.family(connection, identifier)
            others = [identities.by_key(connection, key) for key in family.keys]
            return Person(
                identifier,
                identities.survivor(connection, identifier),
                tuple(one.identifier for one in others if one is not None and one.identifier != identifier),
                tuple(links_of_patients.of(connection, str(identifier))),
                tuple(patients.said(connection, identifier.value)),
            )

    def _link(self, actor: Actor, one: PatientIdentifier, other: PatientIdentifier, *, linked: bool) -> bool:
        at = datetime.now(UTC)
        pair = str(one), str(other)
        with self._database.transaction() as connection:
            if not _put(connection, pair, time_text(at), actor.name, linked=linked):
                return False
            append(
                connection,
                EventKind.PATIENT_LINKED,
                at=at,
                actor=actor.name,
                study_instance_uid=f"link:{min(pair)}"[:64],
                detail={"one": pair[0], "other": pair[1], "linked": linked},
            )
        return True


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of."""
    detail = event.detail
    if event.kind is EventKind.PATIENT_LINKED:
        _put(connection, (detail["one"], detail["other"]), time_text(event.at), event.actor, linked=detail["linked"])
        return
    known = identities.find(connection, restored(detail["subsumed"]))
    if known is not None:
        _part(connection, known)


def _part(connection: Connection, subsumed: identities.Identity) -> identities.Identity | None:
    """Who it had been merged into; None when it was not."""
    if subsumed.merged_into is None:
        return None
    last = identities.survivors(connection, [subsumed.merged_into])[subsumed.merged_into]
    identities.part(connection, subsumed)
    for one in identities.family(connection, subsumed.identifier).keys:
        documents.unrendered(connection, one)
    later = time_text(datetime.now(UTC) + _AGAIN)
    for key in (last.key, subsumed.key):  # a journal that is replayed has given studies back already
        for run_after in ("", later):
            jobs.add(connection, UNMERGE, payload=str(key), run_after=run_after)
    return last


def _put(connection: Connection, pair: tuple[str, str], at: str, by: str, *, linked: bool) -> bool:
    if linked:
        return links_of_patients.add(connection, *pair, at=at, by=by)
    return links_of_patients.remove(connection, *pair)


def _require_two(one: PatientIdentifier, other: PatientIdentifier) -> None:
    if one == other:
        raise BadRequest("these are one identifier, not two")

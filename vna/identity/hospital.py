"""Patients as hospitals know them: what they are called, and which of a hospital's own numbers were merged."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from storage.index import events, identities, jobs, orders, patient_details
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.identity.patients import known_or_added, merged, restored
from vna.model.access import SYSTEM, Action, Actor
from vna.model.dictionary import tag_of
from vna.model.errors import BadRequest
from vna.model.events import Event, EventKind
from vna.model.identifiers import PatientIdentifier, facility_identifier
from vna.model.values import fault
from vna.security.policy import Policy

UPDATE: Final = "update-patient"
"""The kind of job that makes images follow an update; its payload is the key of what is said of the patient."""

KEYWORDS: Final = ("PatientName", "PatientBirthDate", "PatientSex")
"""What an update may say."""

_AGAIN: Final = timedelta(minutes=1)


class HospitalPatients:
    """What feeds say of patients. A hospital speaks of its own only: by its file numbers, and by national numbers as
    far as they stand for patients there."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def update(self, actor: Actor, patient: Sequence[PatientIdentifier], said: Mapping[str, str]) -> None:
        """A patient is called this from now on; an empty value says that there is none. BadRequest when a value cannot
        be one of DICOM."""
        self._policy.check(actor, Action.FEED)
        self._put(actor, patient, _checked(said), only_known=False)

    def admit(self, actor: Actor, patient: Sequence[PatientIdentifier], said: Mapping[str, str]) -> None:
        """A patient comes: what is said of him takes the place of what an update said before. Of a patient of whom
        there was none nothing is kept, so that his images stay as they are."""
        self._policy.check(actor, Action.FEED)
        self._put(actor, patient, _checked(said), only_known=True)

    def merge(self, actor: Actor, subsumed: PatientIdentifier, surviving: PatientIdentifier) -> bool:
        """What has the one number of a hospital has the other from now on; False when that was so already.

        BadRequest when they are the same; Conflict when one of them was merged into a third one, or they would be
        merged in a ring.
        """
        self._policy.check(actor, Action.FEED)
        if subsumed == surviving:
            raise BadRequest("a patient cannot be merged into itself")
        at = datetime.now(UTC)
        with self._database.transaction() as connection:
            for one in (subsumed, surviving):
                known_or_added(connection, one, actor, at)
            return merged(connection, actor, at, subsumed, surviving)

    def numbers(self, actor: Actor, national_number: str) -> tuple[PatientIdentifier, ...]:
        """The file numbers that a hospital's orders have for a national number."""
        self._policy.check(actor, Action.FEED)
        if not actor.facility or not national_number:
            return ()
        with self._database.read() as connection:
            found = orders.file_numbers(connection, actor.facility, national_number)
        made = (facility_identifier(number, actor.facility) for number in found)
        return tuple(one for one in made if one is not None)

    def _put(
        self, actor: Actor, patient: Sequence[PatientIdentifier], said: Mapping[str, str], *, only_known: bool
    ) -> None:
        if not patient or not said:
            return
        at = datetime.now(UTC)
        with self._database.transaction() as connection:
            for identifier in sorted(set(_current(connection, patient)), key=str):
                known = patient_details.find(connection, identifier)
                if (known or not only_known) and {**known, **said} != known:
                    _write(connection, identifier, {**known, **said}, at)
                    _tell(connection, actor, identifier, {**known, **said}, at)


def say_of_images(connection: Connection, identifier: PatientIdentifier, said: Mapping[str, str]) -> None:
    """What a patient's own images say is said of all who are merged into him, in the caller's transaction: until a feed
    says more. Orders keep what they say."""
    at = datetime.now(UTC)
    _write(connection, identifier, said, at)
    _tell(connection, SYSTEM, identifier, said, at, of_images=True)


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of; images follow by what the journal has of them, and by the job."""
    identifier, said = restored(event.detail["patient"]), dict(event.detail["said"])
    _write(connection, identifier, said, event.at)


def _current(connection: Connection, patient: Iterable[PatientIdentifier]) -> Iterable[PatientIdentifier]:
    """Who stands for them since merges."""
    return (identities.survivor(connection, one) or one for one in patient)


def _write(connection: Connection, identifier: PatientIdentifier, said: Mapping[str, str], at: datetime) -> None:
    """Images follow at once, and what was being stored then a minute later."""
    key = patient_details.put(connection, identifier, said, time_text(at))
    for run_after in ("", time_text(datetime.now(UTC) + _AGAIN)):
        jobs.add(connection, UPDATE, payload=str(key), run_after=run_after)


def _tell(
    connection: Connection,
    actor: Actor,
    identifier: PatientIdentifier,
    said: Mapping[str, str],
    at: datetime,
    of_images: bool = False,
) -> None:
    events.append(
        connection,
        EventKind.PATIENT_UPDATED,
        at=at,
        actor=actor.name,
        study_instance_uid=f"patient:{identifier.authority}:{identifier.value}"[:64],
        detail={"patient": str(identifier), "said": dict(said)} | ({"of_images": True} if of_images else {}),
    )


def _checked(said: Mapping[str, str]) -> dict[str, str]:
    for keyword, value in said.items():
        reason = fault(str(tag_of(keyword)), value) if keyword in KEYWORDS else "feeds do not say it"
        if reason:
            raise BadRequest(f"{keyword} cannot have this value: {reason}")
    return dict(said)

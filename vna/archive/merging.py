"""Merges and updates of patients in the images: studies and instances follow what an identity feed told of.

What was told is kept by `vna.identity` alone; here is what it means for images, done by durable jobs.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from storage.index import events, identities, patient_details, patients
from storage.index import instances as index
from storage.index.engine import Connection, Database
from storage.index.instances import Raced
from storage.index.packing import unpack
from storage.index.patients import Corrigible
from vna.archive.correction import (
    Identify,
    Values,
    corrected_header,
    corrected_patient,
    difference,
    differing,
    due,
    identifiers,
    key_of,
    survivor,
    values_of,
)
from vna.identity.hospital import KEYWORDS, say_of_images
from vna.model.access import SYSTEM
from vna.model.coercion import coercion_of, coercion_text, corrected
from vna.model.errors import Unavailable
from vna.model.events import Event, EventKind
from vna.model.identifiers import PatientIdentifier, PatientKey, facility_of

log = logging.getLogger(__name__)

_BATCH = 50
_ATTEMPTS = 5
_LOOKED_AT = 100
"""So many studies of a survivor are looked at for one that came under his own number."""


class Merging:
    """Does jobs of kind `vna.identity.patients.MERGE` and, by `update`, of kind `vna.identity.hospital.UPDATE`, a study
    each step.

    What the survivor's own images say of him is what those of the other are to say, where no feed says anything.
    First the study is filed under the survivor: from then on whatever else comes of it is looked up anew
    (`InstanceWriter`), so that what has to be corrected is known. Then its instances are, some at a time. A step that
    was done half is done again and does the rest.
    """

    def __init__(self, database: Database, identify: Identify) -> None:
        self._database = database
        self._identify = identify

    def __call__(self, payload: str) -> str | None:
        """`payload` is the key of the identity that was merged, and the study where one was chosen."""
        identity, _, study = payload.partition(" ")
        with self._database.read() as connection:
            subsumed = identities.by_key(connection, int(identity))
            if subsumed is None or subsumed.merged_into is None:
                return None
        if not study:
            self._say(subsumed.identifier)
        with self._database.read() as connection:
            chosen = None if study else self._next(connection, subsumed.identifier)
        if chosen:
            return f"{identity} {chosen}"
        if not study:
            return None
        self._reassign(study, subsumed.identifier)
        count = self._correct(study, subsumed.identifier)
        log.info("study follows a merge", extra={"study_instance_uid": study, "instances": count})
        return identity

    def update(self, payload: str) -> str | None:
        """`payload` is the key of what is said of a patient, and of the study that was done last."""
        key, _, after = payload.partition(" ")
        with self._database.read() as connection:
            details = patient_details.by_key(connection, int(key))
            if details is None:
                return None
            found = self._following(connection, details.identifier, int(after or 0))
        if found is None:
            return None
        number, study = found
        self._reassign(study, details.identifier)
        count = self._correct(study, details.identifier)
        log.info("study follows an update", extra={"study_instance_uid": study, "instances": count})
        return f"{key} {number}"

    def _say(self, subsumed: PatientIdentifier) -> None:
        """What the survivor's own images say of him holds for those of the other, and on every way out, unless a feed
        says it: no image is half one patient's and half another's."""
        with self._database.read() as connection:
            found = self._own_words(connection, subsumed)
        if found is None:
            return
        with self._database.transaction() as connection:
            found = self._own_words(connection, subsumed)
            if found is not None:
                say_of_images(connection, *found)

    def _own_words(
        self, connection: Connection, subsumed: PatientIdentifier
    ) -> tuple[PatientIdentifier, dict[str, str]] | None:
        surviving = identities.survivor(connection, subsumed)
        if surviving is None or patient_details.find(connection, surviving):
            return None
        for key, facility in self._keys(connection, surviving):
            only = facility or facility_of(surviving)
            if patient_details.said_of(connection, identifiers(connection, self._identify, key, only)):
                return None
            for header, rules in patients.own_headers(connection, key, facility, _LOOKED_AT):
                coercion = coercion_of(rules)
                if coercion is None or "PatientID" not in dict(coercion.corrected):
                    said = values_of(header, KEYWORDS)
                    return (surviving, said) if said["PatientName"] else None
        return None

    def _is(self, connection: Connection, key: PatientKey, identifier: PatientIdentifier, facility: str = "") -> bool:
        return identifier in identifiers(connection, self._identify, key, facility)

    def _keys(self, connection: Connection, identifier: PatientIdentifier) -> Iterator[tuple[PatientKey, str]]:
        """The patients of the images that it names, each with the facility whose studies alone are meant; empty where
        all are."""
        facility = facility_of(identifier)
        for key in patients.said(connection, identifier.value):
            if self._is(connection, key, identifier):
                yield key, ""
            elif self._is(connection, key, identifier, facility):
                yield key, facility

    def _following(self, connection: Connection, identifier: PatientIdentifier, after: int) -> tuple[int, str] | None:
        each = (
            patients.study_after(connection, [key], after, facility)
            for key, facility in self._keys(connection, identifier)
        )
        return min((one for one in each if one is not None), default=None)

    def _next(self, connection: Connection, subsumed: PatientIdentifier) -> str | None:
        """A study in which images of the one that was merged are, and can be the other's."""
        for key, only in self._keys(connection, subsumed):
            study = patients.study_with(connection, key, only)
            if study is None:
                continue
            facility = patients.facility_of(connection, study) or ""
            if survivor(connection, self._identify, key, study, facility) is not None:
                return study
        return None

    def _reassign(self, study: str, identifier: PatientIdentifier) -> None:
        for _ in range(_ATTEMPTS):
            try:
                with self._database.transaction() as connection:
                    for key, new, values in self._concerned(connection, study, identifier):
                        if _reassign(connection, study, key, new, values):
                            tell_reassigned(connection, study, key, new, values)
                return
            except Raced:
                continue
        raise Unavailable("the index is too busy with this patient")

    def _concerned(
        self, connection: Connection, study: str, identifier: PatientIdentifier
    ) -> Iterator[tuple[PatientKey, PatientKey, Values]]:
        facility = patients.facility_of(connection, study) or ""
        for key in patients.in_study(connection, study):
            if self._is(connection, key, identifier, facility):
                new, values = due(connection, self._identify, key, study, facility)
                if new == key and patients.has_others(connection, key, facility):
                    _, values = due(connection, self._identify, key, study, "")  # their patient too: only what all say
                if values:
                    yield key, new, values

    def _correct(self, study: str, identifier: PatientIdentifier) -> int:
        with self._database.read() as connection:
            uids = patients.uids_of(connection, study)
        count = 0
        for start in range(0, len(uids), _BATCH):
            with self._database.transaction() as connection:
                count += self._some(connection, study, uids[start : start + _BATCH], identifier)
        return count

    def _some(self, connection: Connection, study: str, uids: Sequence[str], identifier: PatientIdentifier) -> int:
        found = self._old(connection, study, uids, identifier)
        for rules in sorted({_rules(one, values) for one, values in found}):
            index.coercion_key(connection, rules)  # before anything is locked, as storing does
        patients.lock(connection, [one for one, _ in found])
        found = self._old(connection, study, [one.sop_instance_uid for one, _ in found], identifier)
        for one, values in found:
            _correct(connection, one, values)
            detail = {"series": one.series_instance_uid, "values": dict(values)}
            _tell(connection, EventKind.INSTANCE_CORRECTED, study, one.sop_instance_uid, detail)
        return len(found)

    def _old(
        self, connection: Connection, study: str, uids: Sequence[str], identifier: PatientIdentifier
    ) -> list[tuple[Corrigible, Values]]:
        """Those of this patient that say something else than they are to, and what that is."""
        found: list[tuple[Corrigible, Values]] = []
        said: dict[PatientKey, Values] = {}
        facility = patients.facility_of(connection, study) or ""
        for one in patients.corrigible(connection, uids, study):
            key = key_of(one.header, one.facility, study)
            if key not in said:
                is_his = self._is(connection, key, identifier, facility)
                said[key] = due(connection, self._identify, key, study, facility)[1] if is_his else {}
            values = differing(one.header, said[key]) if said[key] else {}
            found += [(one, values)] if values else []
        return found


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of; what is not held is left.

    A study's instances follow it at once: the journal may end before it tells of each.
    """
    study, detail = event.study_instance_uid, event.detail
    if event.kind is EventKind.INSTANCE_CORRECTED:
        for one in patients.corrigible(connection, [event.sop_instance_uid], study):
            if unpack(corrected_header(one.header, detail["values"])) != unpack(one.header):
                _correct(connection, one, detail["values"])
        return
    old, new = PatientKey(*detail["old"]), PatientKey(*detail["new"])
    values = detail.get("values") or difference(old, new)
    _reassign(connection, study, old, new, values)
    uids = patients.uids_of(connection, study)
    for start in range(0, len(uids), _BATCH):
        for one in patients.corrigible(connection, uids[start : start + _BATCH], study):
            if key_of(one.header, one.facility, study) == old:
                changed = differing(one.header, values)
                if changed:
                    _correct(connection, one, changed)


def tell_reassigned(connection: Connection, study: str, old: PatientKey, new: PatientKey, values: Values) -> None:
    """The event of a study that is another patient's now, or of what is said of the one whose it is."""
    detail = {"old": _plain(old), "new": _plain(new), "values": dict(values)}
    _tell(connection, EventKind.STUDY_REASSIGNED, study, "", detail)


def _reassign(connection: Connection, study: str, old: PatientKey, new: PatientKey, values: Values) -> bool:
    if old == new:
        return patients.revise(connection, study, old, lambda row: corrected_patient(row, new, values))
    return patients.reassign(connection, study, old, new, lambda row: corrected_patient(row, new, values))


def _correct(connection: Connection, one: Corrigible, values: Values) -> None:
    rules = index.coercion_key(connection, _rules(one, values))
    patients.correct(connection, one, rules, corrected_header(one.header, values))


def _rules(one: Corrigible, values: Values) -> str:
    return coercion_text(corrected(coercion_of(one.rules), values))


def _plain(key: PatientKey) -> list[str]:
    return [key.patient_id, key.issuer]


def _tell(connection: Connection, kind: EventKind, study: str, instance: str, detail: Mapping[str, Any]) -> None:
    events.append(
        connection,
        kind,
        at=datetime.now(UTC),
        actor=SYSTEM.name,
        study_instance_uid=study,
        sop_instance_uid=instance,
        detail=detail,
    )

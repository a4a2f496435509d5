"""Who is the same patient in archives that number patients differently: only where that was said.

Two identifiers are the same patient's when they are equal with their issuer (without one the facility is the issuer),
or when both stand for the same identifier of the affinity domain, by the rules of the profile: a national number, say.
Merges that the identity feed told of count. Where nobody says whose number it is, the birth date has to be the same
too, and birth dates that differ are never the same patient's.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from storage.elements import text
from storage.index import identities, patients
from storage.index.engine import Connection
from storage.values import Element
from vna.archive.correction import Identify
from vna.model.dates import normal_date
from vna.model.identifiers import PatientIdentifier, PatientKey, significant
from vna.model.national import is_national_number

_PATIENT_ID, _ISSUER, _BIRTH_DATE, _OTHERS = "00100020", "00100021", "00100030", "00101002"
_MOST = 8
"""Identifiers of one patient that others are asked for."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Everything that is known to be this patient's: `keys` as images have them, `identifiers` of the domain."""

    keys: frozenset[PatientKey]
    identifiers: frozenset[PatientIdentifier]
    birth_date: str = ""

    @property
    def numbers(self) -> list[str]:
        """What archives elsewhere can be asked for, as Patient ID."""
        values = {key.patient_id for key in self.keys} | {one.value for one in self.identifiers}
        return sorted(value for value in values if value and not set(value) & set("*?\\"))[:_MOST]


class SamePatient:
    """Knows by `identify` which identifier of the affinity domain a Patient ID is."""

    def __init__(self, identify: Identify) -> None:
        self._identify = identify

    def patient(self, connection: Connection, key: PatientKey, said: Mapping[str, Element]) -> Patient:
        """Whoever has this identifier; `said` is what images say of them."""
        keys = {key, *_others(said)}
        found = {self._identify(connection, one) for one in keys}
        found |= {self._identify(connection, PatientKey(number, "")) for number in _national(said)}
        identifiers = frozenset(_with_merged(connection, filter(None, found)))
        birth_date = normal_date(text(said, _BIRTH_DATE))
        values = {one.patient_id for one in keys} | {one.value for one in identifiers}
        for value in values:
            held = patients.having(connection, value)
            keys |= {one for one in held if self._identify(connection, one) in identifiers}
        return Patient(frozenset(keys), identifiers, birth_date)

    def is_same(self, connection: Connection, patient: Patient, key: PatientKey, birth_date: str) -> bool:
        """Whether images of this identifier and birth date are of that patient."""
        both = bool(birth_date and patient.birth_date)
        if not key.patient_id or (both and birth_date != patient.birth_date):
            return False
        if key in patient.keys:
            return bool(key.issuer) or both
        return self._identify(connection, key) in patient.identifiers


def _others(said: Mapping[str, Element]) -> Iterator[PatientKey]:
    """Other Patient IDs that say of whom they are."""
    for item in _items(said):
        value, issuer = significant(text(item, _PATIENT_ID)), significant(text(item, _ISSUER))
        if value and issuer:
            yield PatientKey(value, issuer)


def _national(said: Mapping[str, Element]) -> Iterator[str]:
    """National numbers: they need no issuer."""
    numbers = (significant(text(item, _PATIENT_ID)) for item in _items(said))
    yield from filter(is_national_number, numbers)


def _items(said: Mapping[str, Element]) -> Iterable[Mapping[str, Element]]:
    values = said.get(_OTHERS, {}).get("Value") or ()
    return (item for item in values if isinstance(item, Mapping))


def _with_merged(connection: Connection, identifiers: Iterable[PatientIdentifier]) -> Iterator[PatientIdentifier]:
    for one in identifiers:
        last = identities.survivor(connection, one) or one
        yield from (one, last)
        for key in identities.family(connection, last).keys:
            identity = identities.by_key(connection, key)
            if identity is not None:
                yield identity.identifier

"""Patients of the images as patients of the affinity domain, by the rules of the profile (RAD TF-3 4.68.4.1.2.3)."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from storage.elements import text, texts
from vna.documents.profile import ANY, Affinity, PatientRule, Profile
from vna.model.contents import StudyContents
from vna.model.errors import Rejected
from vna.model.identifiers import PatientIdentifier, PatientKey, patient_identifier
from vna.model.national import is_national_number
from vna.model.query import Element

_NAMESPACE = uuid.UUID("6f0f3b55-1f6e-5a63-8a41-0a6f3f9b2c11")
_PATIENT_ID, _ISSUER, _OTHER_IDS, _OTHER_SEQUENCE = "00100020", "00100021", "00101000", "00101002"


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient in both domains: that of the document sharing, and that of the images."""

    affinity: PatientIdentifier
    source: PatientIdentifier


def derived_oid(own_oid: str, *words: str) -> str:
    """An OID for something that has none configured: always the same, and of this archive alone."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, ' '.join((own_oid, *words))).int}"


def patient_of(study: StudyContents, profile: Profile, own_oid: str, domain: str) -> Patient:
    """Who the study's patient is; `domain` is the OID of the affinity domain, empty where any will do.

    Rejected when the images say no Patient ID, or no rule leads from theirs to the domain.
    """
    value = text(study.elements, _PATIENT_ID)
    issuer = text(study.elements, _ISSUER) or study.facility
    if not value:
        raise Rejected("the study has no Patient ID: its manifest would be nobody's")
    return _by_rules(PatientKey(value, issuer), _values(study), profile, own_oid, domain)


def own_identifier(key: PatientKey, profile: Profile, own_oid: str, domain: str) -> PatientIdentifier | None:
    """The identifier of the affinity domain that this Patient ID itself is; None where it is none.

    Where the national number comes first, only a Patient ID that is one counts: others may stand for any number. While
    the archive has no `own_oid`, nobody was ever told of an authority that is derived from it: an empty one leads to
    identifiers that nobody knows.
    """
    rules = _rules_for(key.issuer, profile)
    if rules and rules[0].affinity is Affinity.NATIONAL and not is_national_number(key.patient_id):
        return None
    try:
        return _by_rules(key, [key.patient_id], profile, own_oid, domain).affinity
    except Rejected:
        return None


def _rules_for(issuer: str, profile: Profile) -> list[PatientRule]:
    return [rule for rule in profile.patients if rule.issuer in (issuer, ANY)]


def _by_rules(key: PatientKey, values: Iterable[str], profile: Profile, own_oid: str, domain: str) -> Patient:
    """By the first rule that leads to the domain; `values` is everything that identifies the patient."""
    value, issuer = key.patient_id, key.issuer
    rules = _rules_for(issuer, profile)
    authority = next((rule.authority for rule in rules if rule.authority), "") or derived_oid(own_oid, "issuer", issuer)
    source = _identifier(value, authority)
    if not rules and not domain:
        return Patient(source, source)
    number = next(filter(is_national_number, values), "")
    national = domain or profile.national_authority
    for rule in rules:
        if rule.affinity is Affinity.SOURCE or (rule.affinity is Affinity.SAME and not domain):
            return Patient(source, source)
        if rule.affinity is Affinity.SAME:
            return Patient(_identifier(value, domain), source)
        if number and national:
            return Patient(_identifier(number, national), source)
    whose = f"the issuer {issuer}" if issuer else "patients without an issuer"
    raise Rejected(f"no rule of the profile leads from Patient IDs of {whose} to the affinity domain")


def _values(study: StudyContents) -> Iterator[str]:
    """Everything that identifies the patient."""
    yield text(study.elements, _PATIENT_ID)
    others: dict[str, Element] = {_OTHER_IDS: {"vr": "LO"}}
    for one in study.series:
        others |= {tag: one.elements[tag] for tag in (_OTHER_IDS,) if tag in one.elements}
    yield from texts(others, _OTHER_IDS)
    for item in study.elements.get(_OTHER_SEQUENCE, {}).get("Value", ()):
        yield text(item, _PATIENT_ID)


def _identifier(value: str, authority: str) -> PatientIdentifier:
    identifier = PatientIdentifier(value, authority)
    if patient_identifier(str(identifier)) != identifier:
        raise Rejected("the Patient ID has characters that no identifier of document sharing can have")
    return identifier

"""Which Patient IDs of images are identifiers of the affinity domain themselves."""

from __future__ import annotations

import pytest

from vna.documents.affinity import derived_oid, own_identifier
from vna.documents.profile import Affinity, PatientRule, Profile
from vna.model.identifiers import PatientKey

DOMAIN, HOSPITAL, OWN = "1.2.3.1", "1.2.3.2", "1.2.3.3"
NUMBER = "10000000146"
SAME = PatientRule(issuer="*")
SOURCE = PatientRule(issuer="H", authority=HOSPITAL, affinity=Affinity.SOURCE)
NATIONAL = PatientRule(issuer="H", authority=HOSPITAL, affinity=Affinity.NATIONAL)


@pytest.mark.parametrize(
    ("rules", "domain", "key", "expected"),
    [
        ((SAME,), DOMAIN, PatientKey("7", "H"), ("7", DOMAIN)),
        ((SAME,), DOMAIN, PatientKey("7", ""), ("7", DOMAIN)),
        ((SOURCE, SAME), DOMAIN, PatientKey("7", "H"), ("7", HOSPITAL)),
        ((SOURCE,), DOMAIN, PatientKey("7", "other"), None),
        ((NATIONAL, SAME), DOMAIN, PatientKey("7", "H"), None),
        ((NATIONAL, SAME), DOMAIN, PatientKey("7", "other"), ("7", DOMAIN)),
        ((NATIONAL, SAME), DOMAIN, PatientKey(NUMBER, "H"), (NUMBER, DOMAIN)),
        ((), DOMAIN, PatientKey("7", "H"), None),
        ((), "", PatientKey("7", "H"), ("7", derived_oid(OWN, "issuer", "H"))),
        ((SAME,), DOMAIN, PatientKey("", "study:1.2"), None),
        ((SAME,), DOMAIN, PatientKey("7^8", "H"), None),
    ],
)
def test_a_patient_id_is_an_identifier_of_the_domain_by_the_rules_alone(
    rules: tuple[PatientRule, ...], domain: str, key: PatientKey, expected: tuple[str, str] | None
) -> None:
    found = own_identifier(key, Profile(patients=rules), OWN, domain)
    assert (None if found is None else (found.value, found.authority)) == expected

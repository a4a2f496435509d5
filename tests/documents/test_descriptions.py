"""What is said of manifests and reports as documents."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts

from tests.documents.studies import UID, code_item, series, study
from vna.documents import domain, profile
from vna.documents.affinity import derived_oid, patient_of
from vna.documents.descriptions import Describing
from vna.documents.event_codes import BODY_PARTS, MODALITIES
from vna.documents.problems import Problems
from vna.documents.profile import Affinity, Institution, PatientRule, Profile
from vna.documents.requirements import check
from vna.model.contents import StudyContents
from vna.model.documents import AssociationKind, Code, DocumentEntry
from vna.model.errors import BadRequest, NotAcceptable, Rejected
from vna.model.national import is_national_number

OWN, DOMAIN = "1.2.3.4", "1.2.9.9"
NATIONAL = "2.16.840.1.113883.3.129.1.1.1"
TCKN = "10000000146"
AT = datetime(2026, 1, 2, 9, 0, 5, tzinfo=UTC)
SNOMED = "2.16.840.1.113883.6.96"


def describe(of: StudyContents, domain_oid: str = "", **values: Any) -> DocumentEntry:
    describing = Describing(Profile(**values), OWN, domain_oid)
    return describing.manifest(of, entry_uuid="urn:uuid:1", unique_id="1.2.3.5", made_at=AT)


def test_a_manifest_is_described_as_xds_i_wants_it() -> None:
    described = describe(study())

    assert described.mime_type == "application/dicom"
    assert described.unique_id == "1.2.3.5"
    assert described.repository_unique_id == OWN
    assert described.format_code == Code(
        "1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.2.6.1", "Key Object Selection Document"
    )
    assert described.class_code == Code("IMAGES", "1.3.6.1.4.1.19376.1.2.6.1", "Images")
    assert described.creation_time == "20260102090005"
    assert described.title == "Toraks BT"
    authority = derived_oid(OWN, "issuer", "")
    assert described.patient_id == described.source_patient_id == f"P1^^^&{authority}&ISO"
    assert described.source_patient_info == (
        f"PID-3|P1^^^&{authority}&ISO",
        "PID-5|Deneme^Ayşe^Nur^MSc^Dr.",
        "PID-7|19800229",
        "PID-8|F",
    )


def test_the_procedure_that_was_performed_goes_before_the_one_requested() -> None:
    performed, requested = code_item("804210", "SUT", "BT, toraks"), code_item("24627-2", "LN", "CT chest")
    schemes: dict[str, Any] = {"coding_schemes": {"SUT": "2.16.840.1.113883.3.129.1.2.2"}}

    both = study(series(RequestedProcedureCodeSequence=[requested]), ProcedureCodeSequence=[performed, requested])
    alone = study(series(RequestAttributesSequence=[{"RequestedProcedureCodeSequence": [requested]}]))

    assert describe(both, **schemes).type_code == Code("804210", "2.16.840.1.113883.3.129.1.2.2", "BT, toraks")
    assert describe(both).type_code == Code("804210", "SUT", "BT, toraks")
    assert describe(alone).type_code == Code("24627-2", "2.16.840.1.113883.6.1", "CT chest")
    assert describe(study()).type_code == Profile().images.type_code
    uid = performed | {"CodingSchemeUID": "1.2.3"}
    assert describe(study(ProcedureCodeSequence=[uid])).type_code == Code("804210", "1.2.3", "BT, toraks")


def test_events_are_the_modalities_that_acquired_and_the_regions_each_once() -> None:
    region = code_item("80891009", "SCT", "Heart")
    held = [
        series(1, BodyPartExamined="CHEST"),
        series(2, Modality="PT", AnatomicRegionSequence=[region], BodyPartExamined="CHEST"),
        series(3, Modality="SR", BodyPartExamined="chest "),
        series(4, Modality="CT", BodyPartExamined="NO SUCH PART"),
        series(5, Modality="KO"),
    ]

    assert describe(study(*held)).event_codes == (
        Code("CT", "1.2.840.10008.2.16.4", "Computed Tomography"),
        Code("PT", "1.2.840.10008.2.16.4", "Positron emission tomography"),
        Code("816094009", SNOMED, "Thorax"),
        Code("80891009", SNOMED, "Heart"),
    )


def test_accession_number_orders_and_study_are_references() -> None:
    request = {"PlacerOrderNumberImagingServiceRequest": "O-7"}
    issuer = [{"UniversalEntityID": "1.2.5", "UniversalEntityIDType": "ISO"}]
    told = study(series(RequestAttributesSequence=[request, request]), IssuerOfAccessionNumberSequence=issuer)

    assert describe(told).reference_ids == (
        "A1^^^&1.2.5&ISO^urn:ihe:iti:xds:2013:accession",
        f"O-7^^^&{derived_oid(OWN, 'orders', '')}&ISO^urn:ihe:iti:xds:2013:order",
        f"{UID}^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
    )


@pytest.mark.parametrize(
    ("said", "institutions", "authority"),
    [
        ({}, [], derived_oid(OWN, "accession", "H1")),
        ({}, [Institution(facility="*", name="X", accession_authority="1.2.6")], "1.2.6"),
        (
            {"UniversalEntityID": "h.example.org", "UniversalEntityIDType": "DNS"},
            [],
            derived_oid(OWN, "accession", "H1"),
        ),
        ({"UniversalEntityID": "HIS", "UniversalEntityIDType": "ISO"}, [], derived_oid(OWN, "accession", "H1")),
    ],
    ids=str,
)
def test_accession_numbers_are_of_their_issuer_whoever_says_who_that_is(
    said: dict[str, str], institutions: list[Institution], authority: str
) -> None:
    told = study(facility="H1", IssuerOfAccessionNumberSequence=[said] if said else None)

    references = describe(told, institutions=institutions).reference_ids

    assert references[0] == f"A1^^^&{authority}&ISO^urn:ihe:iti:xds:2013:accession"


@pytest.mark.parametrize("number", ["9998", "9999", ""])
def test_what_only_marks_that_there_is_no_accession_number_leads_nowhere(number: str) -> None:
    references = describe(study(AccessionNumber=number), accession_markers={"9998", "9999"}).reference_ids

    assert [reference.rpartition("^")[2] for reference in references] == ["urn:ihe:iti:xds:2016:studyInstanceUID"]


@pytest.mark.parametrize(
    ("values", "zone", "begun"),
    [
        ({}, "Europe/Istanbul", "20260102071112"),
        ({}, "UTC", "20260102101112"),
        ({"TimezoneOffsetFromUTC": "+0530"}, "Europe/Istanbul", "20260102044112"),
        ({"TimezoneOffsetFromUTC": "bad"}, "Europe/Istanbul", "20260102"),
        ({"StudyTime": ""}, "Europe/Istanbul", "20260102"),
        ({"StudyTime": "1011"}, "UTC", "20260102101100"),
        ({"StudyDate": ""}, "UTC", ""),
        ({"StudyDate": "2026.01.02"}, "UTC", "20260102101112"),
        ({"StudyDate": "tomorrow"}, "UTC", ""),
    ],
    ids=str,
)
def test_service_start_time_is_study_date_and_time_in_utc(values: dict[str, str], zone: str, begun: str) -> None:
    assert describe(study(**values), time_zone=zone).service_start_time == begun


def test_the_author_is_the_institution() -> None:
    assert describe(study()).authors == ()
    (author,) = describe(study(series(), series(2, InstitutionName="Kuzey^^^SKRS1^^^FK1"))).authors
    assert author.institution == ("Kuzey",)
    configured = Institution(facility="H1", name="A & B", oid="1.2.7", code="1", vendor="FK1")
    (author,) = describe(study(facility="H1"), institutions=[configured]).authors
    assert author.institution == (r"A \T\ B^^^^^&1.2.7&ISO^^^^H1",)


def test_a_configured_institution_has_the_national_form_shortened_to_fit() -> None:
    short = Institution(facility="H1", name="Kuzey Hastanesi", code="500059", vendor="FK10163006")
    long = Institution(facility="*", name="Ç" * 80, code="500059", vendor="FK" + "1" * 36)
    describing = Describing(Profile(institutions=(short, long)), OWN)

    assert describing.institution_name(study(facility="H1")) == "Kuzey Hastanesi^^^SKRS500059^^^FK10163006"
    assert describing.institution_name(study()) == "Ç" * 10 + "^^^SKRS500059^^^FK" + "1" * 36
    assert Describing(Profile(), OWN).institution_name(study()) == ""


@pytest.mark.parametrize(
    ("media_type", "code"),
    [
        ("application/pdf", "urn:ihe:rad:PDF"),
        ("text/plain", "urn:ihe:rad:TEXT"),
        ("text/xml", "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013"),
    ],
)
def test_reports_have_the_format_code_of_their_media_type(media_type: str, code: str) -> None:
    described = Describing(Profile(), OWN).report(
        study(), media_type=media_type, title="Rapor", entry_uuid="d", unique_id="1.2.3.6", made_at=AT
    )

    assert (described.mime_type, described.title) == (media_type, "Rapor")
    assert described.format_code is not None
    assert (described.format_code.code, described.format_code.scheme) == (code, "1.3.6.1.4.1.19376.1.2.3")
    assert described.class_code is not None
    assert described.class_code.code == "REPORTS"
    assert described.reference_ids[-1].startswith(UID)


def test_a_report_of_another_media_type_is_refused() -> None:
    with pytest.raises(NotAcceptable, match="application/pdf"):
        Describing(Profile(), OWN).report(
            study(), media_type="image/png", title="", entry_uuid="d", unique_id="1.2", made_at=AT
        )


@pytest.mark.parametrize("codes", [domain.ANY, domain.read(domain.TURKEY)], ids=["any", "turkey"])
@pytest.mark.parametrize("said", [Profile(), profile.read(profile.TURKEY)], ids=["default", "turkey"])
def test_a_registry_finds_nothing_wrong_with_it(codes: domain.AffinityDomain, said: Profile) -> None:
    describing = Describing(said, OWN, NATIONAL)
    told = study(PatientID=TCKN)
    if not said.patients:
        describing = Describing(said, OWN)
    documents = [
        describing.manifest(told, entry_uuid="d", unique_id="1.2.3.5", made_at=AT),
        describing.report(told, media_type="text/xml", title="", entry_uuid="d", unique_id="1.2.3.6", made_at=AT),
    ]

    for document in documents:
        problems = Problems()
        for thing in describing.submission(document, entry_uuid="s", unique_id="1.2.8", at=AT).registered():
            check(thing, codes, problems)
        assert {problem.context for problem in problems.found} == {
            "DocumentEntry d: hash is missing",
            "DocumentEntry d: size is missing",
        }, "those two are the repository's"


def test_a_new_version_replaces_the_one_before() -> None:
    describing = Describing(Profile(), OWN)
    document = describing.manifest(study(), entry_uuid="urn:uuid:d", unique_id="1.2.3.5", made_at=AT)

    first = describing.submission(document, entry_uuid="urn:uuid:s", unique_id="1.2.8", at=AT)
    second = describing.submission(document, entry_uuid="urn:uuid:s", unique_id="1.2.8", at=AT, replaces="urn:uuid:old")

    assert [(a.association, a.source, a.target) for a in second.associations] == [
        (AssociationKind.HAS_MEMBER, "urn:uuid:s", "urn:uuid:d"),
        (AssociationKind.REPLACES, "urn:uuid:d", "urn:uuid:old"),
    ]
    assert second.associations[:1] == first.associations
    assert first.submission_set.patient_id == document.patient_id


RULES: list[tuple[list[PatientRule], str, dict[str, Any], tuple[str, str] | None]] = [
    ([], "", {}, ("P1", "derived")),
    ([], DOMAIN, {}, None),
    ([PatientRule(issuer="H1", authority="1.2.5")], DOMAIN, {}, None),
    ([PatientRule(issuer="H1", authority="1.2.5")], DOMAIN, {"IssuerOfPatientID": "H1"}, ("P1", DOMAIN)),
    ([PatientRule(issuer="H1", authority="1.2.5")], "", {"IssuerOfPatientID": "H1"}, ("P1", "1.2.5")),
    ([PatientRule(issuer="*", affinity=Affinity.SOURCE, authority="1.2.5")], DOMAIN, {}, ("P1", "1.2.5")),
    ([PatientRule(issuer="*", affinity=Affinity.NATIONAL)], DOMAIN, {"PatientID": TCKN}, (TCKN, DOMAIN)),
    ([PatientRule(issuer="*", affinity=Affinity.NATIONAL)], "", {"PatientID": TCKN}, (TCKN, NATIONAL)),
    ([PatientRule(issuer="*", affinity=Affinity.NATIONAL)], DOMAIN, {}, None),
    (
        [PatientRule(issuer="*", affinity=Affinity.NATIONAL)],
        DOMAIN,
        {"OtherPatientIDsSequence": [{"PatientID": "77"}, {"PatientID": TCKN}]},
        (TCKN, DOMAIN),
    ),
    (
        [PatientRule(issuer="*", affinity=Affinity.NATIONAL), PatientRule(issuer="*")],
        DOMAIN,
        {},
        ("P1", DOMAIN),
    ),
    ([], "", {"PatientID": ""}, None),
    ([], "", {"PatientID": "P^1"}, None),
]


@pytest.mark.parametrize(("rules", "domain_oid", "values", "expected"), RULES)
def test_patients_become_those_of_the_affinity_domain_by_the_first_rule_that_leads_there(
    rules: list[PatientRule], domain_oid: str, values: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    said = Profile(patients=tuple(rules), national_authority=NATIONAL)
    told = study(**values)
    if expected is None:
        with pytest.raises(Rejected):
            patient_of(told, said, OWN, domain_oid)
        return

    patient = patient_of(told, said, OWN, domain_oid)

    value, authority = expected
    wanted = derived_oid(OWN, "issuer", "") if authority == "derived" else authority
    assert (patient.affinity.value, patient.affinity.authority) == (value, wanted)
    assert patient.source.value == (values.get("PatientID") or "P1")


def test_other_patient_ids_of_a_series_are_looked_at_too() -> None:
    told = study(series(OtherPatientIDs=TCKN))
    said = Profile(patients=(PatientRule(issuer="*", affinity=Affinity.NATIONAL),))

    assert patient_of(told, said, OWN, DOMAIN).affinity.value == TCKN


def test_issuers_without_an_oid_are_told_apart_by_derived_ones() -> None:
    one = patient_of(study(IssuerOfPatientID="H1"), Profile(), OWN, "")
    other = patient_of(study(facility="H2"), Profile(), OWN, "")

    assert one.affinity.authority != other.affinity.authority
    assert one == patient_of(study(facility="H1"), Profile(), OWN, "")
    assert one != patient_of(study(facility="H1"), Profile(), "1.2.3.5", "")


@pytest.mark.parametrize(
    ("number", "good"),
    [
        (TCKN, True),
        ("99999999990", True),
        ("10000000147", False),
        ("00000000000", False),
        ("1000000014", False),
        ("", False),
        ("1000000014٦", False),
    ],
)
def test_national_numbers_are_checked_by_their_last_digits(number: str, good: bool) -> None:
    assert is_national_number(number) is good


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "cannot be read"),
        ('laguage_code = "tr"', "laguage_code"),
        ('time_zone = "Mars/Olympus"', "time_zone"),
        ('[[patients]]\nissuer = "*"\naffinity = "guess"', "patients.0.affinity"),
        ('[[institutions]]\nfacility = "1"', "institutions.0.name"),
        ('[[patients]]\nissuer = "*"\nauthority = "x"', "OID"),
        ("[images]\nclass_code = 1", "images"),
    ],
)
def test_a_wrong_profile_is_refused_in_words_that_name_the_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(text)

    with pytest.raises(BadRequest, match=words):
        profile.read(path)
    with pytest.raises(BadRequest, match="cannot be read"):
        profile.read(tmp_path / "absent.toml")


def meanings(context_group: int, scheme: str) -> dict[str, str]:
    """Code and meaning of everything in a context group, as pydicom has it."""
    known: dict[str, Any] = concepts[scheme]
    return {code: entry[0] for name in cid_concepts[context_group][scheme] for code, entry in known[name].items()}


def test_the_codes_of_events_are_those_of_the_standard() -> None:
    assert {modality: code.display for modality, code in MODALITIES.items()} == meanings(29, "DCM")
    assert {code.code: code.display for code in BODY_PARTS.values()}.items() <= meanings(4, "SCT").items()

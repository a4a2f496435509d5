"""Registry Stored Query: how values are coded, what each parameter finds, what is refused and with which code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from lxml import etree

from storage.index.engine import Database
from tests.archives import open_index
from tests.xds.builders import code, document, folder, link, on_demand, query, submission, submission_set
from tests.xds.questions import ANY_STATUS, ANY_TYPE, APPROVED, IDS, Questions, quoted
from tests.xds.registries import DOMAIN, PATIENT, Registries, contexts, errors, found, make, status
from tests.xds.statements import seen
from vna.documents.problems import Refused
from vna.documents.stored_queries import STORED_QUERIES
from vna.model.access import SYSTEM
from vna.model.documents import Author, Submission
from vna.xml.namespaces import QUERY
from xds import iti18
from xds.query_values import values

OTHER = f"D-2002^^^&{DOMAIN}&ISO"
ABSENT = "urn:uuid:00000000-0000-4000-8000-00000000dead"
UUIDS = "urn:uuid:00000000-0000-4000-8000-0000000000{:02}"


@pytest.fixture
def registries(database: Database) -> Registries:
    made = make(database)
    for patient in (PATIENT, OTHER):
        made.patients.register(SYSTEM, patient)
    return made


def accept(registries: Registries, *things: Any, **changes: Any) -> Submission:
    return registries.registry.register(SYSTEM, submission(*things, **changes))


def refused(answer: etree._Element, name: str) -> str:
    assert status(answer) == "Failure"
    assert errors(answer) == [name], contexts(answer)
    assert not found(answer, "//rim:RegistryObjectList/*")
    return contexts(answer)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'one'", ("one",)),
        ("20040101", ("20040101",)),
        ("('one')", ("one",)),
        ("('one','two')", ("one", "two")),
        (" ( 'one' , 'two' ) ", ("one", "two")),
        ("('it''s')", ("it's",)),
        ("''''", ("'",)),
        ('("one","two")', ("one", "two")),
        ("('a,b','(c)')", ("a,b", "(c)")),
        ("(1, 2)", ("1", "2")),
        ("''", ("",)),
    ],
)
def test_values_are_read_as_they_are_coded(text: str, expected: tuple[str, ...]) -> None:
    assert values(text, "$x") == expected


@pytest.mark.parametrize(
    "text", ["('one'", "'one')", "'one", "('one' 'two')", "('one',)", "()", "'one','two'", "'o'ne'", "'" * 99_999]
)
def test_values_that_are_not_coded_so_are_refused(text: str) -> None:
    with pytest.raises(Refused):
        values(text, "$x")


@pytest.mark.parametrize("stored", STORED_QUERIES, ids=lambda one: one.name)
def test_every_query_says_what_it_misses(registries: Registries, stored: Any) -> None:
    said = refused(
        registries.ask(iti18.ACTION, query(stored.query_id, uninteresting="'x'")), "XDSStoredQueryMissingParam"
    )
    assert said.startswith(f"{stored.name} needs ")


@pytest.mark.parametrize("stored", [one for one in STORED_QUERIES if one.one_of], ids=lambda one: one.name)
def test_only_one_of_the_two_identifiers_is_given(registries: Registries, stored: Any) -> None:
    both = {name.removeprefix("$"): f"('{ABSENT}')" for name in stored.one_of}
    more = {"AssociationTypes": "('urn:ihe:iti:2007:AssociationType:RPLC')"}
    answer = registries.ask(iti18.ACTION, query(stored.query_id, **both, **more))
    refused(answer, "XDSStoredQueryParamNumber")


def test_a_query_that_nobody_knows(registries: Registries) -> None:
    refused(registries.ask(iti18.ACTION, query("urn:uuid:1")), "XDSUnknownStoredQuery")


@pytest.mark.parametrize("returns", ["", "RegistryObject", "LeafClassWithRepositoryItem"])
def test_what_is_returned_is_references_or_whole_objects(registries: Registries, returns: str) -> None:
    answer = registries.ask(iti18.ACTION, query(IDS["GetAssociations"], returns=returns, uuid=f"('{ABSENT}')"))
    refused(answer, "XDSRegistryError")


def test_another_body_is_a_registry_error(registries: Registries) -> None:
    refused(registries.ask(iti18.ACTION, etree.Element(f"{{{QUERY}}}Nothing")), "XDSRegistryError")


@pytest.mark.parametrize(
    ("slots", "name"),
    [
        ({"XDSDocumentEntryPatientId": f"('{PATIENT}','{OTHER}')"}, "XDSStoredQueryParamNumber"),
        ({"XDSDocumentEntryPatientId": [f"'{PATIENT}'", f"'{OTHER}'"]}, "XDSStoredQueryParamNumber"),
        ({"XDSDocumentEntryClassCode": ["('A^^1')", "('B^^1')"]}, "XDSStoredQueryParamNumber"),
        ({"XDSDocumentEntryCreationTimeFrom": "(2004,2005)"}, "XDSStoredQueryParamNumber"),
        ({"XDSDocumentEntryClassCode": "('REPORTS')"}, "XDSRegistryError"),
        ({"XDSDocumentEntryClassCode": "('REPORTS^^')"}, "XDSRegistryError"),
        ({"XDSDocumentEntryClassCode": "('^^1.2.3')"}, "XDSRegistryError"),
        ({"XDSDocumentEntryClassCode": "('A^Name^1.2.3')"}, "XDSRegistryError"),
        ({"XDSDocumentEntryCreationTimeFrom": "'yesterday'"}, "XDSRegistryError"),
        ({"XDSDocumentEntryCreationTimeTo": "20041399"}, "XDSRegistryError"),
        ({"XDSDocumentEntryStatus": "('Approved')"}, "XDSStoredQueryMissingParam"),
        (
            {"XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Approved')"},
            "XDSStoredQueryMissingParam",
        ),
        ({"XDSDocumentEntryUniqueId": "('x'"}, ""),
        ({"XDSDocumentEntryTypeCode": "('x'"}, "XDSRegistryError"),
    ],
)
def test_what_is_wrong_with_a_parameter(registries: Registries, slots: Any, name: str) -> None:
    given = {"XDSDocumentEntryPatientId": quoted(PATIENT), "XDSDocumentEntryStatus": APPROVED}
    answer = registries.ask(iti18.ACTION, query(IDS["FindDocuments"], **given | slots))
    if name:
        assert next(iter(slots)) in refused(answer, name)
    else:
        assert status(answer) == "Success", "parameters that a query does not know are passed over"


def test_a_query_has_no_more_values_than_it_may(registries: Registries) -> None:
    many = "(" + ",".join(f"'{n}^^1'" for n in range(3000)) + ")"
    slots = {"XDSDocumentEntryPatientId": quoted(PATIENT), "XDSDocumentEntryStatus": APPROVED}
    answer = registries.ask(iti18.ACTION, query(IDS["FindDocuments"], **slots, XDSDocumentEntryTypeCode=many))
    assert "at most 2000 values" in refused(answer, "XDSRegistryError")


def test_a_value_is_no_longer_than_it_may_be(registries: Registries) -> None:
    slots = {"XDSDocumentEntryPatientId": quoted(PATIENT), "XDSDocumentEntryStatus": APPROVED}
    pattern = "('" + "%a" * 40_000 + "')"
    answer = registries.ask(iti18.ACTION, query(IDS["FindDocuments"], **slots, XDSDocumentEntryAuthorPerson=pattern))
    assert "at most 4000 characters" in refused(answer, "XDSRegistryError")


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "1 2 3 4"),
    ({"ClassCode": "('REPORTS^^1.2.3.4.5')"}, "1 4"),
    ({"ClassCode": "('REPORTS^^1.2.3.4.5','IMAGES^^1.2.3.4.5')"}, "1 2 3 4"),
    ({"ClassCode": "('REPORTS^^1.2.3.4.5')|('IMAGES^^1.2.3.4.5')"}, "1 2 3 4"),
    ({"ClassCode": "('reports^^1.2.3.4.5')"}, ""),
    ({"ClassCode": "('REPORTS^^9')"}, ""),
    ({"TypeCode": "('CT^^1.2.3.4.5')"}, "2"),
    ({"PracticeSettingCode": "('NUCLEAR^^1.2.3.4.5')"}, "3"),
    ({"HealthcareFacilityTypeCode": "('CLINIC^^1.2.3.4.5')"}, "2"),
    ({"FormatCode": "('urn:ihe:rad:TEXT^^1.2.3.4.5')"}, "4"),
    ({"EventCodeList": "('CT^^1.2.3.4.5','MR^^1.2.3.4.5')"}, "1 2 3"),
    ({"EventCodeList": ["('CT^^1.2.3.4.5')", "('CHEST^^1.2.3.4.5')"]}, "1"),
    ({"EventCodeList": ["('CT^^1.2.3.4.5','MR^^1.2.3.4.5')", "('CHEST^^1.2.3.4.5')"]}, "1 3"),
    ({"EventCodeList": "('C^^1.2.3.4.5')"}, ""),
    ({"ConfidentialityCode": "('R^^1.2.3.4.5')"}, "2"),
    ({"ConfidentialityCode": ["('R^^1.2.3.4.5')", "('N^^1.2.3.4.5')"]}, "2"),
    ({"CreationTimeFrom": "20260101"}, "2 3 4"),
    ({"CreationTimeTo": "20260101"}, "1"),
    ({"CreationTimeFrom": "202601", "CreationTimeTo": "20260201"}, "2 3"),
    ({"CreationTimeFrom": "'20260115103000'"}, "3 4"),
    ({"CreationTimeFrom": "20260115103001", "CreationTimeTo": "2026011512"}, ""),
    ({"ServiceStartTimeFrom": "20260110"}, "1 3 4"),
    ({"ServiceStartTimeTo": "20260110"}, "1 2 4"),
    ({"ServiceStopTimeFrom": "2027"}, "1 2 4"),
    ({"AuthorPerson": "('%Yılmaz%')"}, "1 3"),  # noqa: RUF001
    ({"AuthorPerson": "('^Yılmaz^_yşe')"}, "1"),  # noqa: RUF001
    ({"AuthorPerson": "('^yılmaz%')"}, ""),  # noqa: RUF001
    ({"AuthorPerson": "('%^Ayşe','%^Mehmet')"}, "1 2"),
    ({"AuthorPerson": "('%\\\\%')"}, ""),
    ({"AuthorPerson": "('%Ayşe%Kaya%')"}, ""),
    ({"AuthorPerson": "('_Yılmaz')"}, ""),  # noqa: RUF001
    ({"AuthorPerson": "('%" + "a%" * 200 + "')"}, ""),
    ({"Type": "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')"}, "5"),
    ({"Type": ANY_TYPE}, "1 2 3 4 5"),
    ({"Type": "('urn:x')"}, ""),
    ({"Type": "('yes','')"}, ""),
    ({"Type": "('urn:x','urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')"}, "5"),
    ({"Type": ANY_TYPE, "CreationTimeFrom": "20260201"}, "4 5"),
    ({"Status": ANY_STATUS}, "0 1 2 3 4"),
    ({"PatientId": quoted(OTHER)}, ""),
    ({"PatientId": quoted(f"UNKNOWN^^^&{DOMAIN}&ISO")}, ""),
    ({"PatientId": "'x'' OR ''1''=''1'"}, ""),
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shelf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One patient's documents, 0 deprecated, 5 on demand."""
    database = open_index(request, tmp_path_factory.mktemp("shelf"))
    registries = make(database)
    registries.patients.register(SYSTEM, PATIENT)
    registries.patients.register(SYSTEM, OTHER)

    def by(name: str) -> dict[str, Any]:
        return {"authors": (Author(role=("x",)), Author(person=(name, "^Kaya^Ali")))}

    entries = [
        document(creation_time="2020"),
        document(
            event_codes=(code("CT"), code("CHEST")),
            creation_time="20251231235959",
            **by("^Yılmaz^Ayşe"),  # noqa: RUF001
        ),
        document(
            class_code=code("IMAGES"),
            type_code=code("CT"),
            healthcare_facility_type_code=code("CLINIC"),
            event_codes=(code("CT"),),
            confidentiality_codes=(code("N"), code("R")),
            creation_time="202601",
            service_start_time="20260105",
            **by("^Demir^Mehmet"),
        ),
        document(
            class_code=code("IMAGES"),
            practice_setting_code=code("NUCLEAR"),
            event_codes=(code("MR"), code("CHEST")),
            creation_time="202601151030",
            service_start_time="2026011009",
            service_stop_time="2026011010",
            **by("^Yılmaz^Fatma"),  # noqa: RUF001
        ),
        document(format_code=code("urn:ihe:rad:TEXT"), creation_time="20260301", **by("^Çelik^Ali")),
    ]
    for number, entry in enumerate(entries):
        entry = replace(entry, entry_uuid=UUIDS.format(number))
        replaces = [link(entry.entry_uuid, "RPLC", UUIDS.format(0))] if number == 4 else []
        accept(registries, entry, *replaces)
    registries.registry.register_on_demand(SYSTEM, submission(on_demand(UUIDS.format(5))))
    yield registries
    database.close()


@pytest.mark.parametrize(("slots", "expected"), FILTERS, ids=lambda value: str(value)[:50])
def test_a_parameter_finds(shelf: Registries, slots: Any, expected: str) -> None:
    asked = {f"XDSDocumentEntry{name}": value for name, value in slots.items()}
    numbers = [str(int(uuid[-2:])) for uuid in Questions(shelf).find(**asked)]
    assert " ".join(sorted(numbers)) == expected


def test_documents_are_found_by_reference_ids(registries: Registries) -> None:
    accession = "A1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession"
    study = "1.2.840.1^^^^urn:ihe:iti:xds:2016:studyInstanceUID"
    accept(registries, document(UUIDS.format(1), reference_ids=(accession, study)))
    accept(registries, document(UUIDS.format(2), reference_ids=(accession,)))
    accept(registries, document(UUIDS.format(3)))
    questions = Questions(registries)

    def numbers(given: str | list[str]) -> list[int]:
        slots = {"XDSDocumentEntryPatientId": quoted(PATIENT), "XDSDocumentEntryStatus": APPROVED}
        answer = questions.ask(
            "FindDocumentsByReferenceId", "ObjectRef", **slots, XDSDocumentEntryReferenceIdList=given
        )
        return sorted(int(str(one)[-2:]) for one in found(answer, "//rim:ObjectRef/@id"))

    assert numbers(f"('{accession}')") == [1, 2]
    assert numbers([f"('{accession}')", f"('{study}')"]) == [1]
    assert numbers("('A1')") == []


def test_submission_sets_and_folders_are_found(registries: Registries) -> None:
    person = (Author(person=("^Kaya^Ali",)),)
    accept(registries, folder(codes=(code("A"), code("B"))), own=submission_set(authors=person))
    accept(registries, folder(codes=(code("A"),)), own=submission_set(source_id="1.2.99"))
    questions = Questions(registries)

    def count(name: str, prefix: str, **slots: str) -> int:
        given = {"PatientId": quoted(PATIENT), "Status": APPROVED} | slots
        answer = questions.ask(name, "ObjectRef", **{f"{prefix}{key}": value for key, value in given.items()})
        assert status(answer) == "Success", contexts(answer)
        return len(found(answer, "//rim:ObjectRef"))

    assert count("FindSubmissionSets", "XDSSubmissionSet") == 2
    assert count("FindSubmissionSets", "XDSSubmissionSet", SourceId="('1.2.99')") == 1
    assert count("FindSubmissionSets", "XDSSubmissionSet", AuthorPerson="'%Kaya%'") == 1
    assert count("FindSubmissionSets", "XDSSubmissionSet", ContentType="('IMAGES^^1.2.3.4.5')") == 0
    assert count("FindSubmissionSets", "XDSSubmissionSet", SubmissionTimeFrom="2027") == 0
    assert count("FindFolders", "XDSFolder") == 2
    assert count("FindFolders", "XDSFolder", CodeList="('B^^1.2.3.4.5')") == 1
    assert count("FindFolders", "XDSFolder", LastUpdateTimeFrom="20260304", LastUpdateTimeTo="20260305") == 2
    assert count("FindFolders", "XDSFolder", LastUpdateTimeFrom="20260305") == 0


def test_whole_objects_asked_for_by_id_are_of_one_patient(registries: Registries) -> None:
    (ours,) = accept(registries, document()).documents
    (theirs,) = accept(registries, document(patient_id=OTHER), own=submission_set(patient_id=OTHER)).documents
    both = f"('{ours.entry_uuid}','{theirs.entry_uuid}')"
    questions = Questions(registries)
    for name, slot in (
        ("GetDocuments", "XDSDocumentEntryEntryUUID"),
        ("GetDocumentsAndAssociations", "XDSDocumentEntryEntryUUID"),
        ("GetSubmissionSets", "uuid"),
    ):
        refused(questions.ask(name, **{slot: both}), "XDSResultNotSinglePatient")
        references = questions.ask(name, "ObjectRef", **{slot: both})
        assert status(references) == "Success"
        assert len(found(references, "//rim:ObjectRef")) >= 2


def test_an_answer_has_no_more_objects_than_it_may(database: Database) -> None:
    registries = make(database, max_results=3)
    registries.patients.register(SYSTEM, PATIENT)
    accept(registries, *[document(f"D{n}") for n in range(3)])
    questions = Questions(registries)
    assert len(questions.find()) == 3
    accept(registries, document())
    answer = questions.ask(
        "FindDocuments", "ObjectRef", XDSDocumentEntryPatientId=quoted(PATIENT), XDSDocumentEntryStatus=APPROVED
    )
    refused(answer, "XDSTooManyResults")


def test_references_never_read_what_is_kept_of_an_object(registries: Registries) -> None:
    accept(registries, document(), folder(), link("Folder01", "HasMember", "Document01"))
    (entry,) = Questions(registries).documents()
    with seen(registries.database) as asked:
        Questions(registries).find()
        Questions(registries).ask("GetAssociations", "ObjectRef", uuid=f"('{entry.entry_uuid}')")
    assert len(asked) >= 3
    assert not [statement for statement in asked if "rendition" in statement or "body" in statement]


def test_whole_objects_come_from_what_is_kept_and_are_made_when_it_is_not(registries: Registries) -> None:
    accept(registries, document(comments="made once"))
    questions = Questions(registries)
    kept = questions.documents()
    with registries.database.transaction() as connection:
        connection.execute(sa.text("UPDATE document_objects SET rendition = NULL"))
        connection.execute(sa.text("UPDATE document_associations SET rendition = NULL"))
    assert questions.documents() == kept
    assert len(questions.associations(kept[0].entry_uuid)) == 1


def test_an_empty_answer_is_success_with_an_empty_list(registries: Registries) -> None:
    for returns in ("LeafClass", "ObjectRef"):
        answer = Questions(registries).ask("GetDocuments", returns, XDSDocumentEntryUniqueId="('1.2.3')")
        assert status(answer) == "Success"
        assert len(found(answer, "rim:RegistryObjectList")) == 1
        assert not found(answer, "rim:RegistryObjectList/*")


def test_text_of_any_language_comes_back(registries: Registries) -> None:
    title = 'Kalça MR <& "ışık"> \U0001f9b4 日本'  # noqa: RUF001
    accept(registries, document(title=title, comments="'tek' ve \"çift\""))
    (entry,) = Questions(registries).documents()
    assert entry.title == title

"""Register Document Set-b: what is refused and with which code, what is registered, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from storage.index.engine import Database
from tests.xds.builders import code, document, folder, link, oid, on_demand, submission, submission_set
from tests.xds.questions import Questions
from tests.xds.registries import DOMAIN, PATIENT, Registries, contexts, errors, found, make, status
from vna.documents import domain
from vna.documents.problems import Refused
from vna.model.access import SYSTEM
from vna.model.documents import Association, Code, ExtraMetadata, Submission
from vna.model.errors import Conflict
from vna.xml.namespaces import RIM
from xds import iti42
from xds.ebrim.writing import submit_request

OTHER = f"D-2002^^^&{DOMAIN}&ISO"
ABSENT = "urn:uuid:00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def registries(database: Database) -> Registries:
    made = make(database)
    for patient in (PATIENT, OTHER):
        made.patients.register(SYSTEM, patient)
    return made


def register(registries: Registries, *things: Any, **changes: Any) -> etree._Element:
    what = things[0] if things and isinstance(things[0], Submission) else submission(*things, **changes)
    return registries.ask(iti42.ACTION, submit_request(what))


def accept(registries: Registries, *things: Any, **changes: Any) -> Submission:
    """Register, and what it became: with UUIDs."""
    what = things[0] if things and isinstance(things[0], Submission) else submission(*things, **changes)
    return registries.registry.register(SYSTEM, what)


def refused(answer: etree._Element, *codes: str) -> str:
    assert status(answer) == "Failure"
    assert errors(answer) == list(codes), contexts(answer)
    return contexts(answer)


def test_a_document_is_registered_and_found_as_it_was_submitted(registries: Registries) -> None:
    submitted = document(
        event_codes=(code("CT"), code("CHEST")),
        reference_ids=("A1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession",),
        source_patient_info=("PID-3|4711^^^&1.2.3.4&ISO", "PID-5|Yılmaz^Ayşe"),  # noqa: RUF001
        service_start_time="202603010930",
        comments="Şüpheli nodül, 6 mm",
        extra=(ExtraMetadata("urn:example:ward", ("3B", "4A")),),
    )
    assert status(register(registries, submitted)) == "Success"

    (entry,) = Questions(registries).documents()

    assert entry.entry_uuid.startswith("urn:uuid:")
    assert entry == replace(submitted, entry_uuid=entry.entry_uuid, logical_id=entry.entry_uuid)


REQUIRED = {
    "unique_id": "uniqueId",
    "source_patient_id": "sourcePatientId",
    "mime_type": "mimeType",
    "class_code": "classCode",
    "type_code": "typeCode",
    "format_code": "formatCode",
    "healthcare_facility_type_code": "healthcareFacilityTypeCode",
    "practice_setting_code": "practiceSettingCode",
    "confidentiality_codes": "confidentialityCode",
    "language_code": "languageCode",
    "creation_time": "creationTime",
    "repository_unique_id": "repositoryUniqueId",
    "hash": "hash",
    "size": "size",
}


@pytest.mark.parametrize("field", REQUIRED)
def test_what_is_missing_of_a_document_is_named(registries: Registries, field: str) -> None:
    nothing: Any = {"confidentiality_codes": ()}.get(
        field, None if field.endswith("_code") and field != "language_code" else ""
    )
    answer = register(registries, document("Document07", **{field: nothing}))
    said = refused(answer, "XDSRegistryMetadataError")
    assert said == f"DocumentEntry Document07: {REQUIRED[field]} is missing"


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (document(creation_time="2026-03-01"), "creationTime 2026-03-01 is not YYYY"),
        (document(creation_time="20261301"), "creationTime 20261301 is not"),
        (document(hash="xyz"), "hash xyz is not a SHA-1"),
        (document(size="-1"), "size -1 is not a number of bytes"),
        (document(unique_id="1." + "2" * 130), "uniqueId 1.2222"),
        (document(source_patient_id="4711"), "sourcePatientId 4711 is not identifier^^^&OID&ISO"),
        (document(class_code=Code("REPORTS", "")), "classCode needs a code and a coding scheme, not REPORTS^^"),
        (document(service_start_time="2026", service_stop_time="2025"), "serviceStartTime 2026 is after"),
        (document(mime_type="pdf"), "mimeType pdf is not type/subtype"),
        (folder(codes=()), "Folder Folder01: codeList is missing"),
        (folder(title=""), "title is missing"),
        (folder(unique_id="not-an-oid"), "uniqueId not-an-oid is not an OID"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_an_attribute_is_said_with_its_value(registries: Registries, thing: Any, said: str) -> None:
    assert said in refused(register(registries, thing), "XDSRegistryMetadataError")


@pytest.mark.parametrize("field", ["unique_id", "source_id", "submission_time", "content_type_code"])
def test_what_is_missing_of_a_submission_set_is_an_error(registries: Registries, field: str) -> None:
    own = submission_set(**{field: None if field.endswith("code") else ""})
    assert "is missing" in refused(register(registries, own=own), "XDSRegistryMetadataError")


def test_everything_that_is_wrong_is_said_at_once(registries: Registries) -> None:
    answer = register(registries, document(hash="", size="", type_code=None))
    assert errors(answer) == ["XDSRegistryMetadataError"] * 3


def test_codes_are_those_of_the_affinity_domain(database: Database) -> None:
    lists = {"classCode": frozenset({"REPORTS^^1.2.3.4.5"})}
    registries = make(database, domain=domain.AffinityDomain(lists, frozenset({"application/pdf"})))
    registries.patients.register(SYSTEM, PATIENT)
    said = refused(register(registries, document(class_code=code("IMAGES"))), "XDSRegistryMetadataError")
    assert said == "DocumentEntry Document01: classCode IMAGES^^1.2.3.4.5 is no code of the affinity domain"
    assert "mimeType text/plain" in refused(
        register(registries, document(mime_type="text/plain")), "XDSRegistryMetadataError"
    )
    renamed = replace(code("REPORTS"), display="Something else")
    assert status(register(registries, document(class_code=renamed))) == "Success"


def test_a_patient_that_nobody_told_of_is_refused(registries: Registries) -> None:
    patient = f"UNKNOWN^^^&{DOMAIN}&ISO"
    answer = register(registries, document(patient_id=patient), own=submission_set(patient_id=patient))
    assert patient in refused(answer, "XDSUnknownPatientId")


def test_an_identifier_of_another_domain_is_no_patient(database: Database) -> None:
    registries = make(database, registers=True)
    patient = "4711^^^&1.2.3.4&ISO"
    answer = register(registries, document(patient_id=patient), own=submission_set(patient_id=patient))
    refused(answer, "XDSUnknownPatientId")
    assert status(register(registries, document())) == "Success", "of this one it is told by the first document"


def test_sql_in_a_patient_identifier_is_text(registries: Registries) -> None:
    for text in ("x' OR '1'='1", "x'; DROP TABLE document_objects; --", 'x" OR ""="'):
        patient = f"{text}^^^&{DOMAIN}&ISO"
        answer = register(registries, document(patient_id=patient), own=submission_set(patient_id=patient))
        refused(answer, "XDSUnknownPatientId")
        registries.patients.register(SYSTEM, patient)
        answer = register(registries, document(patient_id=patient), own=submission_set(patient_id=patient))
        assert status(answer) == "Success"
        (entry,) = Questions(registries, patient).documents()
        assert entry.patient_id == patient


def test_objects_of_two_patients_are_no_submission(registries: Registries) -> None:
    said = refused(register(registries, document(patient_id=OTHER)), "XDSPatientIdDoesNotMatch")
    assert OTHER in said
    assert PATIENT in said


def test_a_unique_id_is_used_once_in_a_message(registries: Registries) -> None:
    same = oid()
    answer = register(registries, document(unique_id=same), folder(unique_id=same))
    assert same in refused(answer, "XDSRegistryDuplicateUniqueIdInMessage")


def test_a_unique_id_of_a_submission_set_or_folder_is_used_once_in_the_registry(registries: Registries) -> None:
    taken = accept(registries, document(), folder())
    for used in (taken.submission_set, taken.folders[0], taken.documents[0]):
        answer = register(registries, own=submission_set(unique_id=used.unique_id))
        assert used.unique_id in refused(answer, "XDSDuplicateUniqueIdInRegistry")
        answer = register(registries, folder(unique_id=used.unique_id))
        refused(answer, "XDSDuplicateUniqueIdInRegistry")


def test_a_document_may_be_registered_again_while_it_is_the_same_bytes(registries: Registries) -> None:
    first = document()
    assert status(register(registries, first)) == "Success"
    again = replace(first, hash=first.hash.upper())
    assert status(register(registries, again)) == "Success"
    other_hash = replace(first, hash="0" * 40)
    assert first.unique_id in refused(register(registries, other_hash), "XDSNonIdenticalHash")
    refused(register(registries, replace(first, size="77")), "XDSNonIdenticalSize")


def test_an_entry_uuid_is_kept_and_used_once(registries: Registries) -> None:
    entry_uuid = "urn:uuid:00000000-0000-4000-8000-000000000007"
    assert status(register(registries, document(entry_uuid))) == "Success"
    assert [one.entry_uuid for one in Questions(registries).documents()] == [entry_uuid]
    assert entry_uuid in refused(register(registries, document(entry_uuid)), "XDSRegistryMetadataError")


def test_two_objects_with_one_name_are_refused(registries: Registries) -> None:
    refused(register(registries, document("A"), document("A")), "XDSRegistryMetadataError")


def test_on_demand_documents_are_for_another_transaction(registries: Registries) -> None:
    said = refused(register(registries, on_demand()), "XDSRegistryMetadataError")
    assert "objectType" in said


def test_every_document_is_a_member_of_the_submission_set(registries: Registries) -> None:
    what = submission(document())
    said = refused(register(registries, replace(what, associations=())), "XDSRegistryMetadataError")
    assert said == "DocumentEntry " + said.split()[1] + " is no member of the submission set"


def test_a_membership_says_whether_the_document_is_original(registries: Registries) -> None:
    own = link("SubmissionSet01", "HasMember", "Document01")
    answer = register(registries, replace(submission(document()), associations=(own,)))
    assert "SubmissionSetStatus has to be Original" in refused(answer, "XDSRegistryMetadataError")


def test_a_document_that_is_held_can_be_submitted_by_reference(registries: Registries) -> None:
    (held,) = accept(registries, document()).documents
    reference = link("SubmissionSet01", "HasMember", held.entry_uuid, submission_set_status="Reference")
    assert status(register(registries, reference)) == "Success"
    assert len(Questions(registries).sets_of(held.entry_uuid)) == 2


def test_a_reference_of_another_patient_is_refused(registries: Registries) -> None:
    (held,) = accept(registries, document(patient_id=OTHER), own=submission_set(patient_id=OTHER)).documents
    reference = link("SubmissionSet01", "HasMember", held.entry_uuid, submission_set_status="Reference")
    refused(register(registries, reference), "XDSPatientIdDoesNotMatch")


@pytest.mark.parametrize(
    "wrong",
    [
        link("Document01", "RPLC", ABSENT),
        link("Document01", "APND", "Nothing"),
        link("Document01", "signs", ABSENT),
        link(ABSENT, "XFRM", "Document01"),
        link("SubmissionSet01", "HasMember", ABSENT, submission_set_status="Reference"),
    ],
    ids=lambda one: f"{one.association.value} {one.target[:8]}",
)
def test_a_reference_to_nothing_is_unresolved(registries: Registries, wrong: Association) -> None:
    answer = register(registries, document(), wrong)
    assert "which is not there" in refused(answer, "UnresolvedReferenceException")


def test_what_is_replaced_is_in_the_registry(registries: Registries) -> None:
    answer = register(registries, document("A"), document("B"), link("A", "RPLC", "B"))
    assert "not in the registry" in refused(answer, "UnresolvedReferenceException")
    assert status(register(registries, document("A"), document("B"), link("A", "APND", "B"))) == "Success"


def test_the_source_of_a_relationship_is_in_the_submission(registries: Registries) -> None:
    one, other = accept(registries, document("A"), document("B")).documents
    answer = register(registries, link(one.entry_uuid, "APND", other.entry_uuid))
    assert "is not in the submission" in refused(answer, "UnresolvedReferenceException")


def test_a_replaced_document_is_deprecated_and_cannot_be_replaced_again(registries: Registries) -> None:
    (held,) = accept(registries, document()).documents
    assert status(register(registries, document(), link("Document01", "RPLC", held.entry_uuid))) == "Success"
    questions = Questions(registries)
    assert questions.status_of(held.entry_uuid) == "Deprecated"
    assert [one.status for one in questions.documents()] == ["Approved"]
    for kind in ("RPLC", "APND", "XFRM", "XFRM_RPLC", "signs"):
        answer = register(registries, document(), link("Document01", kind, held.entry_uuid))
        assert f"DocumentEntry {held.entry_uuid} is Deprecated" in refused(answer, "XDSRegistryDeprecatedDocumentError")


@pytest.mark.parametrize("kind", ["RPLC", "XFRM_RPLC"])
def test_addenda_and_transformations_go_with_what_is_replaced(registries: Registries, kind: str) -> None:
    (original,) = accept(registries, document()).documents
    (addendum,) = accept(registries, document(), link("Document01", "APND", original.entry_uuid)).documents
    (picture,) = accept(registries, document(), link("Document01", "XFRM", original.entry_uuid)).documents
    (of_addendum,) = accept(registries, document(), link("Document01", "XFRM", addendum.entry_uuid)).documents
    (signature,) = accept(registries, document(), link("Document01", "signs", original.entry_uuid)).documents
    (new,) = accept(registries, document(), link("Document01", kind, original.entry_uuid)).documents
    questions = Questions(registries)
    for gone in (original, addendum, picture, of_addendum):
        assert questions.status_of(gone.entry_uuid) == "Deprecated"
    for left in (signature, new):
        assert questions.status_of(left.entry_uuid) == "Approved"


def test_a_transformation_is_not_appended_to(registries: Registries) -> None:
    (original,) = accept(registries, document()).documents
    (picture,) = accept(registries, document(), link("Document01", "XFRM", original.entry_uuid)).documents
    answer = register(registries, document(), link("Document01", "APND", picture.entry_uuid))
    assert "is a transformation" in refused(answer, "XDSRegistryMetadataError")


def test_the_replacement_goes_into_the_folders_of_what_it_replaces(registries: Registries) -> None:
    first = accept(registries, document(), folder(), link("Folder01", "HasMember", "Document01"))
    (held,), (kept,) = first.documents, first.folders
    (new,) = accept(registries, document(), link("Document01", "RPLC", held.entry_uuid)).documents
    questions = Questions(registries)
    assert questions.members(kept.entry_uuid) == {held.entry_uuid, new.entry_uuid}
    (placed,) = [one for one in questions.associations(new.entry_uuid) if one.source == kept.entry_uuid]
    (by_whom,) = questions.associations(placed.entry_uuid)
    assert (by_whom.source, by_whom.target) == (questions.set_of(new.entry_uuid), placed.entry_uuid)


def test_whoever_puts_a_document_into_a_folder_moves_its_time(database: Database) -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 1, 1, tzinfo=UTC)
    registries = make(database, clock=lambda: now)
    registries.patients.register(SYSTEM, PATIENT)
    (kept,) = accept(registries, folder(last_update_time="19990101")).folders
    questions = Questions(registries)
    assert questions.folder(kept.entry_uuid).last_update_time == "20260101000000"
    now = datetime(2026, 1, 2, tzinfo=UTC)
    (one,) = accept(registries, document(), link(kept.entry_uuid, "HasMember", "Document01")).documents
    assert questions.folder(kept.entry_uuid).last_update_time == "20260102000000"
    now = datetime(2026, 1, 3, tzinfo=UTC)
    accept(registries, document(), link("Document01", "RPLC", one.entry_uuid))
    assert questions.folder(kept.entry_uuid).last_update_time == "20260103000000"


def test_a_folder_takes_approved_documents_of_its_own_patient(registries: Registries) -> None:
    (kept,) = accept(registries, folder()).folders
    theirs = submission(
        document(patient_id=OTHER),
        link(kept.entry_uuid, "HasMember", "Document01"),
        own=submission_set(patient_id=OTHER),
    )
    refused(register(registries, theirs), "XDSPatientIdDoesNotMatch")
    (held,) = accept(registries, document()).documents
    accept(registries, document(), link("Document01", "RPLC", held.entry_uuid))
    answer = register(registries, link(kept.entry_uuid, "HasMember", held.entry_uuid))
    refused(answer, "XDSRegistryDeprecatedDocumentError")


def test_another_patients_document_is_not_replaced(registries: Registries) -> None:
    (held,) = accept(registries, document(patient_id=OTHER), own=submission_set(patient_id=OTHER)).documents
    answer = register(registries, document(), link("Document01", "RPLC", held.entry_uuid))
    refused(answer, "XDSPatientIdDoesNotMatch")


def test_a_merge_makes_one_patient_of_two(registries: Registries) -> None:
    (theirs,) = accept(registries, document(patient_id=OTHER), own=submission_set(patient_id=OTHER)).documents
    (ours,) = accept(registries, document()).documents
    registries.patients.merge(SYSTEM, OTHER, PATIENT)

    entries = Questions(registries).documents()
    assert {one.entry_uuid for one in entries} == {theirs.entry_uuid, ours.entry_uuid}
    assert {one.patient_id for one in entries} == {PATIENT}
    assert Questions(registries, OTHER).documents() == []
    refused(
        register(registries, document(patient_id=OTHER), own=submission_set(patient_id=OTHER)), "XDSUnknownPatientId"
    )
    assert status(register(registries, document(), link("Document01", "RPLC", theirs.entry_uuid))) == "Success"
    assert Questions(registries).status_of(theirs.entry_uuid) == "Deprecated"


def test_merges_form_chains_and_no_rings(registries: Registries) -> None:
    third = f"D-3003^^^&{DOMAIN}&ISO"
    (theirs,) = accept(registries, document(patient_id=OTHER), own=submission_set(patient_id=OTHER)).documents
    registries.patients.merge(SYSTEM, OTHER, PATIENT)
    registries.patients.merge(SYSTEM, OTHER, PATIENT)
    registries.patients.merge(SYSTEM, PATIENT, third)
    (entry,) = Questions(registries, third).documents()
    assert (entry.entry_uuid, entry.patient_id) == (theirs.entry_uuid, third)
    with pytest.raises(Conflict):
        registries.patients.merge(SYSTEM, third, PATIENT)


def test_nothing_of_a_refused_submission_is_there(registries: Registries) -> None:
    (held,) = accept(registries, document()).documents
    before = Questions(registries).everything()
    answer = register(
        registries,
        document("A"),
        folder(),
        link("A", "RPLC", held.entry_uuid),
        link("Folder01", "HasMember", ABSENT),
    )
    refused(answer, "UnresolvedReferenceException")
    assert Questions(registries).everything() == before


def test_extra_metadata_is_kept_of_every_object(registries: Registries) -> None:
    extra = (ExtraMetadata("urn:example:x", ("one", "two")), ExtraMetadata("notAUrn", ("kept",)))
    long = (ExtraMetadata("urn:example:long", ("x" * 250,)),)
    register(
        registries,
        document(extra=extra),
        folder(extra=long),
        link("Folder01", "HasMember", "Document01", extra=extra),
        own=submission_set(extra=extra),
    )
    questions = Questions(registries)
    (entry,) = questions.documents()
    assert entry.extra == extra
    assert questions.folders()[0].extra == long
    assert questions.submission_sets()[0].extra == extra
    assert any(one.extra == extra for one in questions.associations(entry.entry_uuid))


def test_a_submission_has_no_more_objects_than_it_may(database: Database) -> None:
    registries = make(database, max_objects=20)
    registries.patients.register(SYSTEM, PATIENT)
    answer = register(registries, *[document(f"D{n}") for n in range(10)])
    assert "at most 20 objects, not 21" in refused(answer, "XDSRegistryOutOfResources")
    with pytest.raises(Refused):
        registries.registry.register(SYSTEM, submission(*[document(f"D{n}") for n in range(10)]))


def rewritten(change: str) -> etree._Element:
    """A request as other senders write it."""
    request = submit_request(submission(document(), folder(), link("Folder01", "HasMember", "Document01")))
    listed = request[0]
    packages = found(request, "//rim:RegistryPackage")
    match change:
        case "node beside the package":
            for package in packages:
                node = found(package, "rim:Classification[@classificationNode]")[0]
                listed.append(node)
        case "short names of associations":
            for one in found(request, "//rim:Association"):
                one.set("associationType", one.get("associationType").rpartition(":")[2])
        case "ObjectRefs before everything":
            for urn in (
                "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
                "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3",
            ):
                listed.insert(0, etree.Element(f"{{{RIM}}}ObjectRef", id=urn))
        case "white space around values":
            for value in found(request, "//rim:Value"):
                value.text = f"\n      {value.text}\n    "
        case "no lid, status or version":
            for one in found(request, "//*[@lid]"):
                del one.attrib["lid"], one.attrib["status"]
            for one in found(request, "//rim:VersionInfo"):
                one.getparent().remove(one)
        case "values longer than the schema allows":
            found(request, "//rim:Slot[@name='URI' or @name='languageCode']/rim:ValueList/rim:Value")[0].text = (
                "x" * 900
            )
    return request


@pytest.mark.parametrize(
    "change",
    [
        "node beside the package",
        "short names of associations",
        "ObjectRefs before everything",
        "white space around values",
        "no lid, status or version",
    ],
)
def test_other_ways_to_write_it_are_read(registries: Registries, change: str) -> None:
    assert status(registries.ask(iti42.ACTION, rewritten(change))) == "Success"
    assert len(Questions(registries).documents()) == 1


def broken(change: str) -> etree._Element:
    request = submit_request(submission(document()))
    listed = request[0]
    match change:
        case "no list":
            request.remove(listed)
        case "two submission sets":
            other = submit_request(submission(own=submission_set(entry_uuid="S2")))
            listed.append(other[0][0])
        case "no submission set":
            listed.remove(found(request, "//rim:RegistryPackage")[0])
        case "unknown association":
            found(request, "//rim:Association")[0].set("associationType", "urn:example:Likes")
        case "unknown object type":
            found(request, "//rim:ExtrinsicObject")[0].set("objectType", "urn:uuid:1")
        case "two class codes":
            entry = found(request, "//rim:ExtrinsicObject")[0]
            scheme = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
            twice = found(entry, f"rim:Classification[@classificationScheme='{scheme}']")[0]
            entry.append(etree.fromstring(etree.tostring(twice)))
        case "two sizes":
            value = found(request, "//rim:Slot[@name='size']/rim:ValueList")[0]
            etree.SubElement(value, f"{{{RIM}}}Value").text = "2"
        case "a package that is nothing":
            node = found(request, "//rim:RegistryPackage/rim:Classification[@classificationNode]")[0]
            node.getparent().remove(node)
    return request


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("no list", "no RegistryObjectList"),
        ("two submission sets", "one SubmissionSet, not 2"),
        ("no submission set", "one SubmissionSet, not 0"),
        ("unknown association", "associationType urn:example:Likes is not known"),
        ("unknown object type", "objectType urn:uuid:1 is no type"),
        ("two class codes", "classCode has one code, not 2"),
        ("two sizes", "size has one value, not 2"),
        ("a package that is nothing", "not classified as one of SubmissionSet and Folder"),
    ],
)
def test_what_cannot_be_read_is_a_metadata_error(registries: Registries, change: str, said: str) -> None:
    answer = registries.ask(iti42.ACTION, broken(change))
    assert said in contexts(answer)
    assert set(errors(answer)) == {"XDSRegistryMetadataError"}


def test_another_body_is_a_registry_error(registries: Registries) -> None:
    refused(registries.ask(iti42.ACTION, etree.Element("nothing")), "XDSRegistryError")


def test_what_is_told_of_a_submission_is_short_however_long_its_values_are(registries: Registries) -> None:
    name = "D" * 200_000
    answer = register(registries, document(name, event_codes=tuple(Code(f"E{n}", "") for n in range(200))))
    assert status(answer) == "Failure"
    assert len(errors(answer)) == 100
    told = contexts(answer).splitlines()
    assert max(map(len, told)) <= 1000
    assert told[0].startswith("DocumentEntry DDD")
    assert told[0].endswith("DDD: eventCodeList needs a code and a coding scheme, not E0^^")


@pytest.mark.parametrize(
    "tag", [f"{{{RIM}}}Service", f"{{{RIM}}}Asociation", "{urn:example:else}Association", "Association"]
)
def test_an_object_of_no_known_kind_is_refused_and_not_passed_over(registries: Registries, tag: str) -> None:
    request = submit_request(submission(document()))
    listed = request.find(f"{{{RIM}}}RegistryObjectList")
    assert listed is not None
    etree.SubElement(listed, tag, id="odd")
    assert tag in refused(registries.ask(iti42.ACTION, request), "XDSRegistryMetadataError")


def test_references_to_objects_beside_a_submission_are_passed_over(registries: Registries) -> None:
    request = submit_request(submission(document()))
    listed = request.find(f"{{{RIM}}}RegistryObjectList")
    assert listed is not None
    etree.SubElement(listed, f"{{{RIM}}}ObjectRef", id=ABSENT)
    assert status(registries.ask(iti42.ACTION, request)) == "Success"

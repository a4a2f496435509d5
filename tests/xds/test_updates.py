"""Metadata updates (ITI-57, ITI-92), removal (ITI-62) and on-demand documents (ITI-61)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from storage.index.engine import Database
from tests.xds.builders import code, document, folder, link, oid, on_demand, submission, submission_set
from tests.xds.questions import Questions
from tests.xds.registries import DOMAIN, PATIENT, Registries, contexts, errors, make, status
from vna.model.access import SYSTEM
from vna.model.documents import DocumentEntry, Submission
from xds import iti42, iti57, iti61, iti62, iti92
from xds.ebrim.writing import remove_request, submit_request

OTHER = f"D-2002^^^&{DOMAIN}&ISO"
ABSENT = "urn:uuid:00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def registries(database: Database) -> Registries:
    made = make(database)
    for patient in (PATIENT, OTHER):
        made.patients.register(SYSTEM, patient)
    return made


def accept(registries: Registries, *things: Any, **changes: Any) -> Submission:
    return registries.registry.register(SYSTEM, submission(*things, **changes))


def ask(registries: Registries, transaction: Any, *things: Any, **changes: Any) -> etree._Element:
    return registries.ask(transaction.ACTION, submit_request(submission(*things, **changes)))


def refused(answer: etree._Element, *codes: str) -> str:
    assert status(answer) == "Failure"
    assert errors(answer) == list(codes), contexts(answer)
    return contexts(answer)


def updated(held: DocumentEntry, **changes: Any) -> DocumentEntry:
    """A new version of a document, as it is submitted."""
    return replace(held, **{"entry_uuid": "New", "logical_id": held.entry_uuid} | changes)


FIRST = {"previous_version": "1"}


@pytest.mark.parametrize("transaction", [iti57, iti92], ids=["ITI-57", "ITI-92"])
def test_an_update_makes_a_new_version_and_deprecates_the_old_one(registries: Registries, transaction: Any) -> None:
    (held,) = accept(registries, document()).documents
    answer = ask(registries, transaction, updated(held, title="Düzeltildi"), member=FIRST)
    assert status(answer) == "Success", contexts(answer)
    questions = Questions(registries)
    (new,) = questions.documents()
    assert (new.version, new.title, new.logical_id) == (2, "Düzeltildi", held.entry_uuid)
    assert new.entry_uuid not in (held.entry_uuid, "New")
    old = questions.document(held.entry_uuid)
    assert (old.version, old.status, old.logical_id) == (1, "Deprecated", held.entry_uuid)
    second = ask(registries, transaction, updated(held, title="Wieder"), member={"previous_version": "2"})
    assert status(second) == "Success"
    assert [one.version for one in questions.documents()] == [3]


@pytest.mark.parametrize("transaction", [iti57, iti92], ids=["ITI-57", "ITI-92"])
@pytest.mark.parametrize("version", ["", "2", "x", "0", "\u0661", "¹", "-1", pytest.param("9" * 5000, id="long")])
def test_an_update_names_the_version_that_it_is_of(registries: Registries, transaction: Any, version: str) -> None:
    (held,) = accept(registries, document()).documents
    answer = ask(registries, transaction, updated(held), member={"previous_version": version})
    assert "PreviousVersion has to be 1" in refused(answer, "XDSMetadataVersionError")


def test_errors_of_updates_name_objects_as_their_sender_does(registries: Registries) -> None:
    (held,) = accept(registries, document()).documents
    version = submission(updated(held), member={"previous_version": "7", "entry_uuid": "update"})
    said = refused(registries.ask(iti57.ACTION, submit_request(version)), "XDSMetadataVersionError")
    assert said == "Association update: PreviousVersion has to be 1, not 7"
    said = refused(ask(registries, iti57, updated(held, logical_id=ABSENT), member=FIRST), "XDSMetadataUpdateError")
    assert said == f"DocumentEntry New: nothing is registered under the logicalID {ABSENT}"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"logical_id": ""}, "XDSMetadataUpdateError"),
        ({"logical_id": ABSENT}, "XDSMetadataUpdateError"),
        ({"unique_id": "1.2.3.9"}, "XDSMetadataUpdateError"),
        ({"hash": "0" * 40}, "XDSNonIdenticalHash"),
        ({"patient_id": OTHER}, "XDSPatientIDReconciliationError"),
        ({"title": "x", "class_code": None}, "XDSRegistryMetadataError"),
    ],
)
def test_what_an_update_may_not_change(registries: Registries, changes: Any, name: str) -> None:
    (held,) = accept(registries, document()).documents
    refused(ask(registries, iti57, updated(held, **changes), member=FIRST), name)
    assert [one.version for one in Questions(registries).documents()] == [1]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"unique_id": "1.2.3.9"}, "XDSMetadataIdentifierError"),
        ({"repository_unique_id": "1.2.99"}, "UnmodifiableMetadataError"),
        ({"source_patient_id": "1^^^&1.2&ISO"}, "UnmodifiableMetadataError"),
        ({"on_demand": True, "hash": "", "size": "", "creation_time": ""}, None),
        ({"availability": "urn:ihe:iti:2010:DocumentAvailability:Offline"}, "UnmodifiableMetadataError"),
        ({"patient_id": OTHER}, "XDSPatientIDReconciliationError"),
        ({"logical_id": ABSENT}, "XDSMetadataUpdateError"),
    ],
)
def test_what_a_restricted_update_may_not_change(registries: Registries, changes: Any, name: str | None) -> None:
    (held,) = accept(registries, document()).documents
    answer = ask(registries, iti92, updated(held, **changes), member=FIRST)
    assert status(answer) == "Failure"
    if name is not None:
        refused(answer, name)


def test_an_update_of_another_patients_document_is_refused(registries: Registries) -> None:
    (held,) = accept(registries, document(patient_id=OTHER), own=submission_set(patient_id=OTHER)).documents
    answer = ask(registries, iti57, updated(held, patient_id=PATIENT), member=FIRST)
    refused(answer, "XDSPatientIDReconciliationError")


def test_the_last_version_may_be_deprecated_for_a_restricted_update_alone(registries: Registries) -> None:
    (held,) = accept(registries, document()).documents
    set_status(registries, held.entry_uuid, "Approved", "Deprecated")
    refused(ask(registries, iti57, updated(held), member=FIRST), "XDSMetadataUpdateError")
    assert status(ask(registries, iti92, updated(held, title="x"), member=FIRST)) == "Success"


def test_a_folder_is_updated_with_its_members(registries: Registries) -> None:
    first = accept(registries, document(), folder(), link("Folder01", "HasMember", "Document01"))
    (inside,), (held,) = first.documents, first.folders
    new = replace(held, entry_uuid="New", logical_id=held.entry_uuid, title="Sevk 2")
    answer = ask(registries, iti57, new, member=FIRST)
    assert status(answer) == "Success", contexts(answer)
    (kept,) = Questions(registries).folders()
    assert (kept.version, kept.title) == (2, "Sevk 2")
    assert Questions(registries).members(kept.entry_uuid) == {inside.entry_uuid}
    refused(
        ask(registries, iti92, replace(new, logical_id=held.entry_uuid), member=FIRST),
        *["XDSMetadataUpdateOperationError"],
    )


def test_a_new_version_stands_where_the_old_one_stood(registries: Registries) -> None:
    first = accept(registries, document(), folder(), link("Folder01", "HasMember", "Document01"))
    (held,), (kept,) = first.documents, first.folders
    (addendum,) = accept(registries, document(), link("Document01", "APND", held.entry_uuid)).documents
    assert status(ask(registries, iti57, updated(held), member=FIRST)) == "Success"
    questions = Questions(registries)
    (new,) = [one for one in questions.documents() if one.version == 2]
    assert questions.members(kept.entry_uuid) == {held.entry_uuid, new.entry_uuid}
    assert (addendum.entry_uuid, "APND") in {
        (one.source, one.association.value) for one in questions.associations(new.entry_uuid)
    }


def test_nothing_is_propagated_when_it_is_not_asked_for(registries: Registries) -> None:
    first = accept(registries, document(), folder(), link("Folder01", "HasMember", "Document01"))
    (held,), (kept,) = first.documents, first.folders
    answer = ask(registries, iti57, updated(held), member=FIRST | {"propagates": False})
    assert status(answer) == "Success"
    assert Questions(registries).members(kept.entry_uuid) == {held.entry_uuid}


def set_status(registries: Registries, target: str, before: str, after: str) -> etree._Element:
    change = link("SubmissionSet01", "UpdateAvailabilityStatus", target, original_status=before, new_status=after)
    return ask(registries, iti57, change)


def test_the_status_of_a_document_folder_or_association_is_changed(registries: Registries) -> None:
    first = accept(registries, document(), folder(), link("Folder01", "HasMember", "Document01"))
    (held,), (kept,) = first.documents, first.folders
    questions = Questions(registries)
    (inside,) = [one for one in questions.associations(held.entry_uuid) if one.source == kept.entry_uuid]
    for entry_uuid in (held.entry_uuid, kept.entry_uuid, inside.entry_uuid):
        answer = set_status(registries, entry_uuid, "Approved", "Deprecated")
        assert status(answer) == "Success", contexts(answer)
    assert questions.document(held.entry_uuid).status == "Deprecated"
    assert questions.folder(kept.entry_uuid).status == "Deprecated"
    assert inside not in questions.associations(held.entry_uuid)
    assert status(set_status(registries, held.entry_uuid, "Deprecated", "Approved")) == "Success"
    assert questions.document(held.entry_uuid).status == "Approved"


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("", "Deprecated", "XDSMetadataUpdateOperationError"),
        ("Approved", "", "XDSMetadataUpdateOperationError"),
        ("Approved", "Submitted", "XDSMetadataUpdateOperationError"),
        ("Approved", "Approved", "XDSMetadataUpdateOperationError"),
        ("Deprecated", "Approved", "XDSMetadataUpdateError"),
    ],
)
def test_a_status_is_changed_from_what_it_is(registries: Registries, before: str, after: str, name: str) -> None:
    (held,) = accept(registries, document()).documents
    refused(set_status(registries, held.entry_uuid, before, after), name)
    assert Questions(registries).document(held.entry_uuid).status == "Approved"


def test_the_status_of_nothing_or_of_an_old_version_is_not_changed(registries: Registries) -> None:
    refused(set_status(registries, ABSENT, "Approved", "Deprecated"), "XDSMetadataUpdateError")
    (held,) = accept(registries, document()).documents
    ask(registries, iti57, updated(held), member=FIRST)
    refused(set_status(registries, held.entry_uuid, "Deprecated", "Approved"), "XDSMetadataUpdateError")
    (theirs,) = accept(registries, document(patient_id=OTHER), own=submission_set(patient_id=OTHER)).documents
    refused(set_status(registries, theirs.entry_uuid, "Approved", "Deprecated"), "XDSMetadataUpdateError")


@pytest.mark.parametrize(("before", "outcome"), [("Approved", "Success"), ("Deprecated", "Failure")])
def test_a_status_in_the_same_update_is_of_the_new_version(registries: Registries, before: str, outcome: str) -> None:
    (held,) = accept(registries, folder()).folders
    after = "Deprecated" if before == "Approved" else "Approved"
    change = link("SubmissionSet01", "UpdateAvailabilityStatus", "New", original_status=before, new_status=after)
    new = replace(held, entry_uuid="New", logical_id=held.entry_uuid)
    answer = ask(registries, iti57, new, change, member=FIRST)
    assert status(answer) == outcome
    if outcome == "Failure":
        refused(answer, "XDSMetadataUpdateError")
        assert [one.version for one in Questions(registries).folders()] == [1]
    else:
        assert Questions(registries).folders() == []


def test_associations_of_what_is_held_are_submitted(registries: Registries) -> None:
    one, other = accept(registries, document("A"), document("B")).documents
    (kept,) = accept(registries, folder()).folders
    for source, kind, target in (
        (one.entry_uuid, "APND", other.entry_uuid),
        (kept.entry_uuid, "HasMember", one.entry_uuid),
    ):
        wanted = link(source, kind, target, "New")
        answer = ask(registries, iti57, wanted, link("SubmissionSet01", "SubmitAssociation", "New"))
        assert status(answer) == "Success", contexts(answer)
    questions = Questions(registries)
    assert questions.members(kept.entry_uuid) == {one.entry_uuid}
    assert "APND" in {held.association.value for held in questions.associations(other.entry_uuid)}
    lost = ask(
        registries,
        iti57,
        link(one.entry_uuid, "APND", ABSENT, "New"),
        link("SubmissionSet01", "SubmitAssociation", "New"),
    )
    refused(lost, "UnresolvedReferenceException")


def test_no_update_relates_documents_in_a_ring(registries: Registries) -> None:
    one, other = (held.entry_uuid for held in accept(registries, document("A"), document("B")).documents)
    wanted = [link(one, "APND", other, "there"), link(other, "APND", one, "back")]
    submits = [link("SubmissionSet01", "SubmitAssociation", name) for name in ("there", "back")]
    said = refused(ask(registries, iti57, *wanted, *submits), "XDSRegistryMetadataError")
    assert "are related in a ring" in said


def test_what_is_propagated_is_not_submitted_as_well(registries: Registries) -> None:
    one, other = accept(registries, document("A"), document("B")).documents
    answer = ask(
        registries,
        iti57,
        updated(one),
        link("New", "APND", other.entry_uuid, "NewLink"),
        link("SubmissionSet01", "SubmitAssociation", "NewLink"),
        member=FIRST,
    )
    refused(answer, "XDSMetadataUpdateOperationError")


def test_an_update_without_an_operation_is_refused(registries: Registries) -> None:
    refused(ask(registries, iti57), "XDSMetadataUpdateOperationError")
    refused(
        ask(registries, iti57, link(ABSENT, "APND", f"{ABSENT[:-4]}beef")), *["XDSMetadataUpdateOperationError"] * 2
    )


def test_on_demand_documents_are_registered_and_found_when_asked_for(registries: Registries) -> None:
    answer = ask(registries, iti61, on_demand())
    assert status(answer) == "Success", contexts(answer)
    questions = Questions(registries)
    assert questions.find() == []
    kind = "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')"
    (entry,) = questions.documents(XDSDocumentEntryType=kind)
    assert entry.on_demand
    snapshot = link("Document01", "IsSnapshotOf", entry.entry_uuid)
    assert status(ask(registries, iti42, document(), snapshot)) == "Success"
    (stable,) = questions.documents()
    wrong = link("Document01", "IsSnapshotOf", stable.entry_uuid)
    refused(ask(registries, iti42, document(), wrong), "XDSRegistryMetadataError")


def test_on_demand_documents_have_no_content_of_their_own(registries: Registries) -> None:
    for changes in ({"hash": "0" * 40}, {"size": "1"}, {"creation_time": "2026"}):
        assert "is not for on-demand" in refused(
            ask(registries, iti61, on_demand(**changes)), "XDSRegistryMetadataError"
        )
    refused(ask(registries, iti61, document()), "XDSRegistryMetadataError")


def remove(registries: Registries, *entry_uuids: str) -> etree._Element:
    return registries.ask(iti62.ACTION, remove_request(entry_uuids))


def everything(registries: Registries) -> list[str]:
    return list(Questions(registries).everything())


def test_everything_of_a_submission_can_be_removed_at_once(registries: Registries) -> None:
    accept(registries, document(), folder(), link("Folder01", "HasMember", "Document01"))
    answer = remove(registries, *everything(registries))
    assert status(answer) == "Success", contexts(answer)
    assert everything(registries) == []


def test_what_is_referred_to_stays(registries: Registries) -> None:
    (held,) = accept(registries, document()).documents
    refused(remove(registries, held.entry_uuid), "ReferencesExistException")
    assert len(Questions(registries).documents()) == 1


def test_what_is_not_there_cannot_be_removed(registries: Registries) -> None:
    assert ABSENT in refused(remove(registries, ABSENT), "UnresolvedReferenceException")
    refused(registries.ask(iti62.ACTION, remove_request([])), "XDSRegistryError")


def test_nothing_is_left_without_a_submission_set(registries: Registries) -> None:
    (held,) = accept(registries, document()).documents
    (member,) = Questions(registries).associations(held.entry_uuid)
    refused(remove(registries, member.entry_uuid), "XDSUnreferencedObjectException")
    refused(remove(registries, member.entry_uuid, member.source), "XDSUnreferencedObjectException")


def test_a_membership_of_a_folder_can_be_removed_alone(registries: Registries) -> None:
    first = accept(registries, document(), folder(), link("Folder01", "HasMember", "Document01"))
    (held,), (kept,) = first.documents, first.folders
    (inside,) = [one for one in Questions(registries).associations(held.entry_uuid) if one.source == kept.entry_uuid]
    assert status(remove(registries, inside.entry_uuid)) == "Success"
    assert Questions(registries).members(kept.entry_uuid) == set()


def test_an_update_of_many_is_all_or_nothing(registries: Registries) -> None:
    one, other = accept(registries, document("A"), document("B")).documents
    before = Questions(registries).everything()
    answer = ask(
        registries,
        iti57,
        updated(one, entry_uuid="NewA"),
        updated(other, entry_uuid="NewB", unique_id=oid(), class_code=code("X")),
        member=FIRST,
    )
    refused(answer, "XDSMetadataUpdateError")
    assert Questions(registries).everything() == before

"""The document repository: ITI-41, ITI-43 and ITI-86 as use cases, on both pairs of stores."""

from __future__ import annotations

import hashlib
import os
from functools import partial
from typing import Any

import pytest
from lxml import etree

from storage import journal
from storage.index import rebuild
from storage.index.held_documents import HeldDocument
from tests.archives import Open, rows
from tests.xds.builders import folder, link, oid, on_demand
from tests.xds.registries import PATIENT
from tests.xds.repositories import OID, RENDERED, SETTINGS, kept, pdf, provide, registered, remove, retrieve
from vna.app import Application
from vna.archive.care import Damage
from vna.archive.reindex import Step
from vna.documents.repository import WantedDocument
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.errors import NotAuthorized, Unavailable
from vna.sending import as_bytes
from vna.soap.outgoing import outgoing
from vna.soap.versions import Version
from vna.xml.namespaces import XDSB, qname
from xds.retrieved import Retrieved, retrieve_response


@pytest.fixture
def archive(open_archive: Open) -> Application:
    return open_archive(xds=SETTINGS)


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 8192, 65_536, 100 << 10, (4 << 20) + 1, 9 << 20])
def test_a_document_comes_back_byte_for_byte(archive: Application, size: int) -> None:
    one, data = pdf(), os.urandom(size)

    assert provide(archive, one, contents={"Document01": data}).status == "Success"
    answer = retrieve(archive, one.unique_id)

    assert (answer.status, answer.errors, answer.mime_types) == ("Success", [], ["application/pdf"])
    assert answer.files == {one.unique_id: data}
    assert list(archive.blobs.spool_folder.iterdir()) == []


def test_the_registry_hears_of_hash_size_and_repository_whatever_the_source_says_of_the_last(
    archive: Application,
) -> None:
    one = pdf(repository_unique_id="1.2.3.999")

    assert provide(archive, one).status == "Success"

    entry = registered(archive, one.unique_id)
    assert (entry.hash, entry.size, entry.repository_unique_id) == (sha1(RENDERED), str(len(RENDERED)), OID)


@pytest.mark.parametrize("told", [str.upper, str.lower])
def test_what_is_said_of_hash_and_size_may_be_said_when_it_is_true(archive: Application, told: Any) -> None:
    assert provide(archive, pdf(hash=told(sha1(RENDERED)), size=str(len(RENDERED)))).status == "Success"


@pytest.mark.parametrize("wrong", [{"hash": sha1(b"another")}, {"size": "12"}, {"hash": "x", "size": "x"}])
def test_what_is_not_true_is_refused_and_nothing_is_kept(archive: Application, wrong: dict[str, str]) -> None:
    answer = provide(archive, pdf(**wrong), pdf("Document02"))

    assert answer.status == "Failure"
    assert set(answer.codes) == {"XDSRepositoryMetadataError"}
    assert all("Document01" in context for _, context in answer.errors)
    assert kept(archive) == []


def test_metadata_without_document_and_document_without_metadata_are_refused(archive: Application) -> None:
    without = provide(archive, pdf(), pdf("Document02"), contents={"Document01": b"x"})
    alone = provide(archive, pdf(), contents={"Document01": b"x", "Document02": b"y"})

    assert (without.status, without.codes) == ("Failure", ["XDSMissingDocument"])
    assert (alone.status, alone.codes) == ("Failure", ["XDSMissingDocumentMetadata"])
    assert kept(archive) == []


def test_what_the_registry_refuses_is_answered_in_its_words_and_nothing_is_kept(open_archive: Open) -> None:
    archive = open_archive(xds={"repository_unique_id": OID})

    answer = provide(archive, pdf(), pdf("Document02"))

    assert (answer.status, answer.codes) == ("Failure", ["XDSUnknownPatientId"])
    assert PATIENT in answer.errors[0][1]
    assert kept(archive) == []
    assert rows(archive, "select * from held_documents") == []
    assert archive.care.sweep(SYSTEM) == 0


def test_a_document_on_demand_is_not_provided(archive: Application) -> None:
    answer = provide(archive, on_demand(), contents={"Document01": b"x"})

    assert (answer.status, set(answer.codes)) == ("Failure", {"XDSRegistryMetadataError"})
    assert kept(archive) == []


def test_documents_are_replaced_and_the_older_one_can_still_be_retrieved(archive: Application) -> None:
    old, new = pdf(), pdf()
    provide(archive, old)
    uuid = registered(archive, old.unique_id).entry_uuid

    answer = provide(archive, new, link("Document01", "RPLC", uuid), contents={"Document01": b"corrected"})

    assert answer.status == "Success"
    assert registered(archive, old.unique_id).status == "Deprecated"
    found = retrieve(archive, old.unique_id, new.unique_id)
    assert found.files == {old.unique_id: RENDERED, new.unique_id: b"corrected"}


def test_a_submission_of_only_a_folder_needs_no_document(archive: Application) -> None:
    assert provide(archive, folder()).status == "Success"


def test_the_same_document_may_come_again_and_other_bytes_under_its_name_may_not(archive: Application) -> None:
    one = pdf()
    provide(archive, one)

    again = provide(archive, pdf(unique_id=one.unique_id))
    other = provide(archive, pdf(unique_id=one.unique_id), contents={"Document01": b"other"})

    assert again.status == "Success"
    assert (other.status, other.codes) == ("Failure", ["XDSNonIdenticalHash"])
    assert retrieve(archive, one.unique_id).files == {one.unique_id: RENDERED}
    assert len(kept(archive)) == 2


def test_what_cannot_be_given_is_said_and_the_others_come(archive: Application) -> None:
    one = pdf()
    provide(archive, one)
    here, elsewhere = WantedDocument(OID, "1.2.3.4.5.6.7"), WantedDocument("1.2.3", one.unique_id)
    evil = WantedDocument(OID, "'; DROP TABLE held_documents; --")

    both = retrieve(archive, one.unique_id, here, elsewhere, evil)
    none = retrieve(archive, here)

    codes = ["XDSDocumentUniqueIdError", "XDSUnknownRepositoryId", "XDSDocumentUniqueIdError"]
    assert (both.status, both.codes) == ("PartialSuccess", codes)
    assert both.files == {one.unique_id: RENDERED}
    assert (none.status, none.codes, none.files) == ("Failure", codes[:1], {})


def test_the_home_community_is_given_back_and_a_document_asked_for_twice_comes_once(archive: Application) -> None:
    one = pdf()
    provide(archive, one)
    wanted = WantedDocument(OID, one.unique_id, "urn:oid:1.2.3")

    answer = retrieve(archive, wanted, wanted)

    assert (answer.homes, list(answer.files)) == (["urn:oid:1.2.3"], [one.unique_id])


def test_bytes_that_are_gone_are_an_error_of_the_repository(archive: Application) -> None:
    one, other = pdf(), pdf("Document02")
    provide(archive, one, other)
    ((blob,),) = rows(archive, f"select blob from held_documents where unique_id = '{one.unique_id}'")
    archive.blobs.delete(str(blob))

    answer = retrieve(archive, one.unique_id, other.unique_id)

    assert (answer.status, answer.codes) == ("PartialSuccess", ["XDSRepositoryError"])
    assert list(answer.files) == [other.unique_id]


def test_a_document_that_is_removed_is_gone_with_its_bytes(archive: Application) -> None:
    one, other = pdf(), pdf("Document02")
    provide(archive, one, other)

    removed = remove(archive, one.unique_id)
    again = remove(archive, one.unique_id)
    partly = remove(archive, one.unique_id, other.unique_id, WantedDocument("1.2.3", "1.2"))

    assert (removed.status, removed.errors) == ("Success", [])
    assert (again.status, again.codes) == ("Failure", ["XDSDocumentUniqueIdError"])
    assert (partly.status, partly.codes) == (
        "PartialSuccess",
        ["XDSDocumentUniqueIdError", "XDSUnknownRepositoryId"],
    )
    answer = retrieve(archive, one.unique_id)
    assert (answer.status, answer.codes) == ("Failure", ["XDSDocumentUniqueIdError"])
    assert kept(archive) == []


@pytest.mark.parametrize("ask", [retrieve, remove])
def test_a_request_for_nothing_fails(archive: Application, ask: Any) -> None:
    answer = ask(archive)

    assert (answer.status, answer.codes) == ("Failure", ["XDSRepositoryError"])


def test_whoever_may_only_read_provides_and_removes_nothing(archive: Application, open_archive: Open) -> None:
    one = pdf()
    provide(archive, one)
    enforced = open_archive(xds=SETTINGS, security={"mode": "enforced"})
    reader = Actor(ActorKind.USER, "reader", frozenset({Action.READ_DOCUMENTS}))
    visitor = Actor(ActorKind.LINK, "visitor", frozenset({Action.READ_DOCUMENTS}), study_instance_uid="1.2.3")

    assert retrieve(enforced, one.unique_id, actor=reader).status == "Success"
    for refused in (
        partial(provide, enforced, pdf(), actor=reader),
        partial(remove, enforced, one.unique_id, actor=reader),
        partial(retrieve, enforced, one.unique_id, actor=visitor),
        partial(provide, enforced, pdf(), actor=visitor),
    ):
        with pytest.raises(NotAuthorized):
            refused()
    assert len(kept(archive)) == 1


def test_below_the_free_space_that_is_set_nothing_is_kept(open_archive: Open) -> None:
    archive = open_archive(xds=SETTINGS, storage={"min_free": 1 << 60})
    if archive.blobs.free_bytes() is None:
        pytest.skip("an object store does not say how much is free")

    answer = provide(archive, pdf())

    assert (answer.status, answer.codes) == ("Failure", ["XDSRepositoryOutOfResources"])


def test_a_document_that_is_too_long_for_the_setting_is_refused(open_archive: Open) -> None:
    archive = open_archive(xds={**SETTINGS, "max_document_bytes": 1000})

    answer = provide(archive, pdf(), contents={"Document01": bytes(1001)})

    assert (answer.status, kept(archive)) == ("Failure", [])


def test_when_the_index_fails_nothing_is_kept(archive: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise Unavailable("the index does not answer")

    with monkeypatch.context() as patched:
        patched.setattr("storage.index.held_documents.add", fails)
        answer = provide(archive, pdf())

    assert (answer.status, answer.codes) == ("Failure", ["XDSRepositoryBusy"])
    assert kept(archive) == []
    assert provide(archive, pdf()).status == "Success"


def drain(archive: Application) -> None:
    archive.dispatcher().drain()


def everything(archive: Application) -> list[list[tuple[object, ...]]]:
    names = ", ".join(HeldDocument.__slots__)
    return [
        rows(archive, f"select {names} from held_documents order by blob"),
        rows(archive, "select entry_uuid, status, unique_id from document_objects order by entry_uuid"),
        rows(archive, "select id, kind, at, study_instance_uid, detail from events order by id"),
    ]


def test_after_a_reindex_every_document_is_held_as_before_and_what_was_removed_is_not(archive: Application) -> None:
    one, gone = pdf(), pdf("Document02")
    provide(archive, one, gone)
    remove(archive, gone.unique_id)
    drain(archive)
    before = everything(archive)
    with archive.database.transaction() as connection:
        rebuild.empty(connection)

    steps = {rebuilt.step for rebuilt in archive.reindex.run(SYSTEM)}

    assert steps == {Step.INDEXED, Step.NOTED}
    assert everything(archive) == before
    assert retrieve(archive, one.unique_id, gone.unique_id).files == {one.unique_id: RENDERED}


def test_documents_are_verified_with_the_images(archive: Application) -> None:
    sound, lost, gone = pdf("Document01"), pdf("Document02"), pdf("Document03")
    provide(archive, sound, lost, gone)
    remove(archive, gone.unique_id)
    ((blob,),) = rows(archive, f"select blob from held_documents where unique_id = '{lost.unique_id}'")
    for journaled in (False, True):
        if journaled:
            drain(archive)
            assert list(journal.read(archive.blobs))
        assert archive.care.total(SYSTEM) == 2
        assert [checked.damage for checked in archive.care.verify(SYSTEM)] == [None, None]
    archive.blobs.delete(str(blob))
    archive.blobs.put("documents/aa/aaaa", [b"left by a crash"])

    found = {checked.blob: checked.damage for checked in archive.care.verify(SYSTEM)}

    assert sorted(map(str, found.values())) == ["None", "missing", "neither index nor journal names it"]
    assert found[str(blob)] is Damage.MISSING
    assert archive.care.sweep(SYSTEM) == 1
    assert retrieve(archive, sound.unique_id).status == "Success"
    assert archive.care.forget(SYSTEM, lost.unique_id) == (blob,)
    drain(archive)
    steps = [rebuilt.step for rebuilt in archive.reindex.run(SYSTEM)]
    assert set(steps) == {Step.INDEXED, Step.NOTED}
    assert retrieve(archive, lost.unique_id).codes == ["XDSDocumentUniqueIdError"]


def test_an_index_that_was_lost_makes_no_document_an_orphan(archive: Application) -> None:
    one, gone = pdf(), pdf("Document02")
    provide(archive, one, gone)
    remove(archive, gone.unique_id)
    drain(archive)
    with archive.database.transaction() as connection:
        rebuild.empty(connection)

    assert [checked.damage for checked in archive.care.verify(SYSTEM)] == [Damage.NOT_INDEXED]
    assert archive.care.sweep(SYSTEM) == 0
    assert len(kept(archive)) == 1


def test_a_document_that_the_journal_does_not_name_is_told_of_by_a_reindex(archive: Application) -> None:
    archive.blobs.put("documents/aa/aaaa", [b"half a docum"])

    (rebuilt,) = archive.reindex.run(SYSTEM)

    assert rebuilt.step is Step.UNREADABLE
    assert "journal" in rebuilt.reason


def test_unique_ids_of_any_length_are_kept(archive: Application) -> None:
    one = pdf(unique_id=f"{oid()}^{'9' * 60}")

    assert provide(archive, one).status == "Success"
    assert retrieve(archive, one.unique_id).status == "Success"


UNPRINTABLE = "text/plain; x=\u2028y"


def test_a_media_type_that_no_header_can_carry_is_refused(archive: Application) -> None:
    assert provide(archive, pdf(mime_type=UNPRINTABLE)).codes == ["XDSRegistryMetadataError"]
    assert provide(archive, pdf(mime_type="text/plain; charset=utf-8; x=ğ")).status == "Success"


def test_a_document_with_such_a_media_type_all_the_same_is_given() -> None:
    """Of a time before that was checked, or of another community."""
    one = Retrieved("1.2", "1.2.3", UNPRINTABLE, lambda: iter([b"x"]), 1)

    body, contents = retrieve_response([one], [])

    assert body.findtext(f".//{qname(XDSB, 'mimeType')}") == UNPRINTABLE
    sent = outgoing(etree.tostring(body), Version.SOAP12, contents)
    assert b"Content-Type: application/octet-stream\r\n" in b"".join(as_bytes(sent.pieces))

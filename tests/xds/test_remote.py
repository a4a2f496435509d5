"""A repository and registry elsewhere, as manifests and documents go there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree
from starlette.applications import Starlette

from storage.index.engine import Database
from tests.archives import Backend
from tests.xds.builders import document, link, submission
from tests.xds.listening import listening
from tests.xds.registries import PATIENT, make
from tests.xds.repositories import SETTINGS, kept, pdf, provide
from vna.app import build, prepare
from vna.documents.problems import ErrorCode, Refused
from vna.documents.repository import WantedDocument
from vna.documents.withdrawal import leaving
from vna.jobs.retries import GivenUp
from vna.model.access import SYSTEM, Actor
from vna.model.documents import Submission
from vna.model.errors import Unavailable
from vna.security.http import HttpRules, local
from vna.soap.exchange import Rules
from vna.soap.faults import receiver, sender
from vna.soap.message import Message, Reply
from vna.soap.service import Service
from vna.xml.namespaces import LCM, RS, XDSB, qname
from xds import registry as door
from xds.ebrim import reading
from xds.iti41 import ACTION as PROVIDE
from xds.iti42 import ACTION as REGISTER
from xds.iti86 import ACTION as REMOVE
from xds.remote import RemoteRepository
from xds.responses import registry_response

FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
Answer = Callable[[Message], etree._Element]


@contextmanager
def at(path: str, operations: dict[str, Callable[[Message, Actor], Reply]], folder: Path) -> Iterator[RemoteRepository]:
    """The other side with these operations at this path."""
    app = local(Starlette(routes=Service(path, Rules(operations), folder).routes()), HttpRules())
    with listening(app) as url:
        yield RemoteRepository(url + path, url + path, folder)


def answering(answer: Answer) -> dict[str, Callable[[Message, Actor], Reply]]:
    return {PROVIDE: lambda message, _actor: Reply(f"{PROVIDE}Response", answer(message))}


def response(status: str, *errors: dict[str, str]) -> etree._Element:
    made = etree.Element(qname(RS, "RegistryResponse"), status=status)
    listed = etree.SubElement(made, qname(RS, "RegistryErrorList"))
    for error in errors:
        etree.SubElement(listed, qname(RS, "RegistryError"), error)
    return made


def test_a_submission_arrives_with_its_documents(tmp_path: Path) -> None:
    arrived: dict[str, bytes] = {}
    registered: list[Submission] = []

    def keep(message: Message) -> etree._Element:
        element = message.body.find(qname(XDSB, "Document"))
        request = message.body.find(qname(LCM, "SubmitObjectsRequest"))
        assert element is not None
        assert request is not None
        with message.content(element).open() as file:
            arrived[element.get("id", "")] = file.read()
        registered.append(reading.submission(request, 100))
        return registry_response()

    sent = submission(document("urn:uuid:1"))
    with at("/xds", answering(keep), tmp_path) as other:
        other.provide(sent, {"urn:uuid:1": b"%PDF"})

    assert arrived == {"urn:uuid:1": b"%PDF"}
    (known,) = registered[0].documents
    assert replace(known, logical_id="") == sent.documents[0]
    assert registered[0].associations == sent.associations


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        (response(FAILURE, {"errorCode": "XDSUnknownPatientId", "codeContext": "P1"}), [ErrorCode.UNKNOWN_PATIENT]),
        (response(FAILURE, {"errorCode": "Vendor-7", "codeContext": "?"}), ["Vendor-7"]),
        (response(FAILURE), [ErrorCode.REPOSITORY]),
        (response("urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"), [ErrorCode.REPOSITORY]),
        (response(""), [ErrorCode.REPOSITORY]),
    ],
)
def test_what_is_refused_is_refused_with_the_codes_that_were_answered(
    tmp_path: Path, answer: etree._Element, codes: list[str]
) -> None:
    with at("/xds", answering(lambda _message: answer), tmp_path) as other, pytest.raises(Refused) as caught:
        other.provide(submission(document("d")), {"d": b"x"})

    assert [problem.code for problem in caught.value.problems] == codes


def test_success_with_warnings_is_success(tmp_path: Path) -> None:
    warning = {"errorCode": "DocumentQueued", "severity": "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"}
    answer = response(FAILURE.replace("Failure", "Success"), warning)

    with at("/xds", answering(lambda _message: answer), tmp_path) as other:
        other.provide(submission(document("d")), {"d": b"x"})


def test_another_answer_is_a_refusal(tmp_path: Path) -> None:
    with at("/xds", answering(lambda _message: etree.Element("x")), tmp_path) as other, pytest.raises(Refused):
        other.provide(submission(document("d")), {"d": b"x"})


def test_whoever_does_not_answer_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        RemoteRepository("http://127.0.0.1:9/xds", "", tmp_path).provide(submission(document("d")), {"d": b"x"})


def test_an_update_is_sent_to_the_registry(database: Database, tmp_path: Path) -> None:
    registries = make(database)

    with (
        at(door.PATH, dict(door.operations(registries.registry)), tmp_path) as other,
        pytest.raises(Refused, match="XDSUnknownPatientId"),
    ):
        other.metadata.update(submission(document("d")))


def test_what_is_removed_is_gone_from_registry_and_repository(database: Database, tmp_path: Path) -> None:
    registries = make(database)
    registries.patients.register(SYSTEM, PATIENT)
    first, second = document("first"), document("second")
    registered = registries.registry.register(SYSTEM, submission(first))
    old = registered.documents[0].entry_uuid
    registries.registry.register(SYSTEM, submission(second, link("second", "RPLC", old)))

    with at(door.PATH, dict(door.operations(registries.registry)), tmp_path) as other:
        gone = leaving(other.metadata, [second.unique_id])
        other.metadata.remove(gone.entry_uuids)

        assert {one.unique_id for one in gone.documents} == {first.unique_id, second.unique_id}
        assert other.metadata.documents(unique_ids=[first.unique_id, second.unique_id]) == []
        assert other.metadata.associations(gone.entry_uuids) == []
        with pytest.raises(Refused, match="UnresolvedReferenceException"):
            other.metadata.remove(gone.entry_uuids)


def test_who_removes_nothing_says_so(tmp_path: Path) -> None:
    """By a fault, as those do who do not know the transaction."""
    with at("/xds", answering(lambda _message: registry_response()), tmp_path) as other:
        with pytest.raises(Refused) as caught:
            other.metadata.remove(["urn:uuid:1"])
        with pytest.raises(GivenUp, match="the repository removes no documents"):
            other.discard([WantedDocument("1.2", "1.3")])

    assert "the registry answers with a fault" in caught.value.problems[0].context


@pytest.mark.parametrize(
    ("code", "judged"),
    [("XDSDocumentUniqueIdError", nullcontext()), ("XDSRepositoryError", pytest.raises(Refused))],
)
def test_a_document_that_is_gone_already_is_removed(
    tmp_path: Path, code: str, judged: AbstractContextManager[object]
) -> None:
    reply = Reply(f"{REMOVE}Response", response(FAILURE, {"errorCode": code}))

    with at("/xds", {REMOVE: lambda _message, _actor: reply}, tmp_path) as other, judged:
        other.discard([WantedDocument("1.2", "1.3")])


def test_without_a_registry_nothing_can_be_withdrawn(tmp_path: Path) -> None:
    with pytest.raises(GivenUp, match="VNA_XDS__PUBLISH_REGISTRY"):
        RemoteRepository("http://127.0.0.1:9/xds", "", tmp_path).metadata.update(submission(document("d")))


Register = Callable[[Message, Actor], Reply]


def provided(register: Register, folder: Path) -> tuple[list[tuple[str, str]], int, list[str]]:
    """A document that goes to a repository whose registry elsewhere does this: errors, what is kept, jobs."""
    app = local(Starlette(routes=Service("/xds", Rules({REGISTER: register}), folder).routes()), HttpRules())
    with listening(app) as url:
        settings = Backend("sqlite+folder", folder).settings(xds={**SETTINGS, "registry_url": f"{url}/xds"})
        prepare(settings)
        archive = build(settings)
        errors = provide(archive, pdf("Report7")).errors
        jobs = [job.kind for job in archive.jobs.all(SYSTEM)]
        number = len(kept(archive))
        archive.close()
    return errors, number, jobs


def test_what_a_registry_elsewhere_says_of_objects_is_told_by_the_names_of_their_sender(tmp_path: Path) -> None:
    def refuse(message: Message, _actor: Actor) -> Reply:
        (known,) = reading.submission(message.body, 100).documents
        assert known.entry_uuid.startswith("urn:uuid:")
        error = {"errorCode": "XDSRegistryMetadataError", "codeContext": f"{known.entry_uuid} has no title"}
        return Reply(f"{REGISTER}Response", response(FAILURE, error))

    assert provided(refuse, tmp_path) == ([("XDSRegistryMetadataError", "Report7 has no title")], 0, [])


def test_a_fault_of_a_registry_that_blames_itself_is_no_refusal(tmp_path: Path) -> None:
    """It may have registered the document before it failed."""

    def fail(_message: Message, _actor: Actor) -> Reply:
        raise receiver("the disk is full")

    ((code, said),), number, jobs = provided(fail, tmp_path)

    assert code == "XDSRegistryNotAvailable"
    assert "the disk is full" in said
    assert (number, jobs) == (1, ["settle"])


def test_a_fault_of_a_registry_that_blames_the_sender_is_a_refusal(tmp_path: Path) -> None:
    def blame(_message: Message, _actor: Actor) -> Reply:
        raise sender("this is no submission")

    ((code, said),), number, jobs = provided(blame, tmp_path)

    assert code == "XDSRegistryError"
    assert "this is no submission" in said
    assert (number, jobs) == (0, [])

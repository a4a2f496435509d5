"""A repository and registry elsewhere, as manifests go there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree
from starlette.applications import Starlette

from storage.index.engine import Database
from tests.xds.builders import document, submission
from tests.xds.listening import listening
from tests.xds.registries import make
from vna.documents.problems import ErrorCode, Refused
from vna.jobs.retries import GivenUp
from vna.model.access import Actor
from vna.model.documents import Submission
from vna.model.errors import Unavailable
from vna.security.http import HttpRules, local
from vna.soap.exchange import Rules
from vna.soap.message import Message, Reply
from vna.soap.service import Service
from vna.xml.namespaces import LCM, RS, XDSB, qname
from xds import registry as door
from xds.ebrim import reading
from xds.remote import PROVIDE, RemoteRepository
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
        (response(FAILURE, {"errorCode": "Vendor-7", "codeContext": "?"}), [ErrorCode.REGISTRY]),
        (response(FAILURE), [ErrorCode.REGISTRY]),
        (response("urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"), [ErrorCode.REGISTRY]),
        (response(""), [ErrorCode.REGISTRY]),
    ],
)
def test_what_is_refused_is_refused_with_the_codes_that_were_answered(
    tmp_path: Path, answer: etree._Element, codes: list[ErrorCode]
) -> None:
    with at("/xds", answering(lambda _message: answer), tmp_path) as other, pytest.raises(Refused) as caught:
        other.provide(submission(document("d")), {"d": b"x"})

    assert [problem.code for problem in caught.value.problems] == codes


def test_success_with_warnings_is_success(tmp_path: Path) -> None:
    warning = {"errorCode": "DocumentQueued", "severity": "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"}
    answer = response(FAILURE.replace("Failure", "Success"), warning)

    with at("/xds", answering(lambda _message: answer), tmp_path) as other:
        other.provide(submission(document("d")), {"d": b"x"})


def test_another_answer_is_none(tmp_path: Path) -> None:
    with (
        at("/xds", answering(lambda _message: etree.Element("x")), tmp_path) as other,
        pytest.raises(Unavailable, match="answers x"),
    ):
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
        other.update(submission(document("d")))


def test_without_a_registry_nothing_can_be_withdrawn(tmp_path: Path) -> None:
    with pytest.raises(GivenUp, match="VNA_XDS__PUBLISH_REGISTRY"):
        RemoteRepository("http://127.0.0.1:9/xds", "", tmp_path).update(submission(document("d")))

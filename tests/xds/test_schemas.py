"""Whatever is answered over HTTP is valid by the schemas: those that we serve, and IHE's own where they are there."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.archives import put
from tests.objects import ct, part10
from tests.xds.builders import document, folder, link, on_demand, query, submission
from tests.xds.imaging import ask, request
from tests.xds.listening import listening
from tests.xds.registries import PATIENT, SHARED
from tests.xds.repositories import OID, RENDERED, pdf
from tests.xds.test_repository_live import opened, served
from vna.app import Application
from vna.documents.repository import InMemory, WantedDocument
from vna.documents.stored_queries import BY_ID
from vna.model.access import SYSTEM
from vna.model.errors import Unavailable
from vna.soap.client import call
from vna.soap.message import Packaging
from vna.xml.namespaces import PREFIXES, RS, XOP, qname
from xds import (
    imaging_source,
    iti18,
    iti41,
    iti42,
    iti43,
    iti57,
    iti61,
    iti62,
    iti86,
    iti92,
    rad69,
    registry,
    repository,
)
from xds.ebrim.writing import remove_request, submit_request
from xds.repository_client import provide_request, retrieve_request
from xds.repository_client import remove_request as remove_documents

OURS = Path(__file__).parents[2] / "xds" / "wsdl"
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
SCHEMAS = {  # by the namespace of the answer
    "query": ("query.xsd", "query.xsd"),
    "rs": ("rs.xsd", "rs.xsd"),
    "xdsb": ("xdsb.xsd", "XDS.b_DocumentRepository.xsd"),
}


@dataclass(slots=True)
class Side:
    """An archive over HTTP; every answer is judged."""

    archive: Application
    url: str
    folder: Path
    outcomes: dict[str, set[str]] = field(default_factory=dict)

    def ask(self, path: str, action: str, body: etree._Element, contents: Any = (), *, xop: bool = False) -> str:
        packaging = Packaging.XOP if xop else Packaging.PLAIN
        with call(self.url + path, action, body, contents, packaging=packaging, spool_folder=self.folder) as answer:
            judge(answer)
            status = next(answer.body.iter(qname(RS, "RegistryResponse")), answer.body).get("status", "")
        outcome = status.rpartition(":")[2]
        self.outcomes.setdefault(action, set()).add(outcome)
        return outcome

    def registry(self, transaction: Any, body: etree._Element) -> str:
        return self.ask(registry.PATH, transaction.ACTION, body)

    def submit(self, transaction: Any, *things: Any, **changes: Any) -> str:
        return self.registry(transaction, submit_request(submission(*things, **changes)))

    def provide(self, *things: Any, contents: dict[str, bytes] | None = None) -> str:
        made = submission(*things)
        given = {one.entry_uuid: RENDERED for one in made.documents} if contents is None else contents
        body, attached = provide_request(made, {name: InMemory(data) for name, data in given.items()})
        return self.ask(repository.PATH, iti41.ACTION, body, attached, xop=True)

    def documents(self, transaction: Any, body: etree._Element) -> str:
        return self.ask(repository.PATH, transaction.ACTION, body, xop=True)


def judge(answer: Any) -> None:
    """Attachments are put where they belong: to a schema a Document is base64."""
    body = etree.fromstring(etree.tostring(answer.body))
    for include in list(body.iter(f"{{{XOP}}}Include")):
        parent = include.getparent()
        assert parent is not None
        with answer.attachments[include.get("href", "")[4:]].open() as file:
            parent.text = base64.b64encode(file.read()).decode()
        parent.remove(include)
    prefix = {space: prefix for prefix, space in PREFIXES.items()}[str(etree.QName(body).namespace)]
    for schema in schemas(prefix):
        schema.assertValid(body)


@cache
def schemas(prefix: str) -> list[etree.XMLSchema]:
    ours, theirs = SCHEMAS[prefix]
    paths = [OURS / ours, SHARED / "schemas" / theirs]
    return [etree.XMLSchema(etree.parse(path)) for path in paths if path.is_file()]


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    folder = tmp_path_factory.mktemp("schemas")
    archive = opened(folder / "archive")
    with listening(served(archive)) as at:
        yield Side(archive, at, folder)
    archive.close()


def test_answers_of_the_registry(side: Side) -> None:
    first, binder = document("one"), folder()
    assert side.submit(iti42, first, binder, link("Folder01", "HasMember", "one")) == "Success"
    assert side.submit(iti42, document(patient_id="")) == "Failure"
    assert side.submit(iti42, *(document(f"d{n}", type_code=None, title="<&>\"'") for n in range(120))) == "Failure"
    assert side.submit(iti61, on_demand()) == "Success"
    assert side.submit(iti61, document()) == "Failure"
    (held,) = side.archive.documents.versions(SYSTEM, unique_ids=[first.unique_id])
    new = replace(held, entry_uuid="New", logical_id=held.entry_uuid, title="Düzeltildi")
    for version, transaction in ((1, iti57), (2, iti92)):
        assert side.submit(transaction, new, member={"previous_version": "7"}) == "Failure"
        assert side.submit(transaction, new, member={"previous_version": str(version)}) == "Success"
    assert side.registry(iti62, remove_request([held.entry_uuid])) == "Failure"
    assert side.registry(iti62, remove_request(["'; --"])) == "Failure"
    link_only = side.archive.documents.register(SYSTEM, submission(folder("lonely")))
    gone = [thing.entry_uuid for thing in link_only]
    assert side.registry(iti62, remove_request(gone)) == "Success"


@pytest.mark.parametrize("returns", ["LeafClass", "ObjectRef"])
@pytest.mark.parametrize("name", sorted(stored.name for stored in BY_ID.values()))
def test_answers_of_every_stored_query(side: Side, name: str, returns: str) -> None:
    """What is found of every kind, nothing found, and refused."""
    (stored,) = (one for one in BY_ID.values() if one.name == name)
    holder, binder = document("one", reference_ids=("A1^^^&1.2.4&ISO^urn:ihe:iti:xds:2013:accession",)), folder()
    added = (link("two", "APND", "one"), link("Folder01", "HasMember", "one"))
    made = side.archive.documents.register(SYSTEM, submission(holder, binder, document("two"), *added))
    uuids = {
        "Document": made.documents[0].entry_uuid,
        "Folder": made.folders[0].entry_uuid,
        "Submission": made.submission_set.entry_uuid,
    }

    def slots(*, patient: str, exists: bool) -> dict[str, str]:
        said: dict[str, str] = {}
        for parameter in stored.parameters:
            if parameter.name.endswith(("PatientId", "patientId")):
                said[parameter.name[1:]] = f"'{patient}'"
            elif parameter.required and parameter.name.endswith("Status"):
                said[parameter.name[1:]] = f"('{APPROVED}')"
            elif parameter.name.endswith("EntryUUID") or parameter.name == "$uuid":
                which = next((one for one in uuids if f"XDS{one}" in parameter.name), "Document")
                value = uuids[which] if exists else "urn:uuid:00000000-0000-4000-8000-000000000000"
                said[parameter.name[1:]] = f"('{value}')" if parameter.many else f"'{value}'"
            elif parameter.name == "$AssociationTypes":
                said["AssociationTypes"] = "('urn:ihe:iti:2007:AssociationType:APND')"
            elif parameter.name.endswith("ReferenceIdList"):
                said[parameter.name[1:]] = f"('{holder.reference_ids[0]}')"
        return said

    found = side.registry(iti18, query(stored.query_id, returns=returns, **slots(patient=PATIENT, exists=True)))
    none = query(stored.query_id, returns=returns, **slots(patient="X^^^&1.2.9&ISO", exists=False))
    assert (found, side.registry(iti18, none)) == ("Success", "Success")
    assert side.registry(iti18, query(stored.query_id, returns=returns)) == "Failure"


def test_answers_of_the_repository(side: Side) -> None:
    one, other = pdf("one"), pdf("other")
    assert side.provide(one, other) == "Success"
    assert side.provide(pdf(patient_id="")) == "Failure"
    assert side.provide(pdf(), contents={}) == "Failure"
    wanted = [WantedDocument(OID, one.unique_id, "urn:oid:1.2.3"), WantedDocument(OID, other.unique_id)]
    missing = WantedDocument("1.2.3", "1.2.3")
    for transaction, asking in ((iti43, retrieve_request), (iti86, remove_documents)):
        assert side.documents(transaction, asking([missing])) == "Failure"
        assert side.documents(transaction, asking([wanted[0], missing])) == "PartialSuccess"
        assert side.documents(transaction, asking(wanted[1:])) == "Success"
        assert side.documents(transaction, asking([])) == "Failure"


def test_answers_of_the_imaging_document_source(side: Side) -> None:
    ds = ct()
    put(side.archive, part10(ds))
    good, bad = ask(ds, repository=OID, home="urn:oid:1.2.3"), ask(ds, repository=OID, instance="1.2.3")
    for asked, outcome in (([good], "Success"), ([good, bad], "PartialSuccess"), ([bad], "Failure"), ([], "Failure")):
        assert side.ask(imaging_source.PATH, rad69.ACTION, request(asked), xop=True) == outcome


def test_an_index_that_does_not_answer_is_told_by_valid_answers(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:

    def down(*_arguments: object, **_named: object) -> None:
        raise Unavailable("the index does not answer")

    database = side.archive.database
    with ExitStack() as stack:
        for name in ("read", "glance", "transaction"):
            stack.callback(monkeypatch.undo)
            monkeypatch.setattr(database, name, down)
        patient = {"XDSDocumentEntryPatientId": f"'{PATIENT}'", "XDSDocumentEntryStatus": f"('{APPROVED}')"}
        find = next(one.query_id for one in BY_ID.values() if one.name == "FindDocuments")
        assert side.registry(iti18, query(find, **patient)) == "Failure"
        assert side.submit(iti42, document()) == "Failure"
        assert side.documents(iti43, retrieve_request([WantedDocument(OID, "1.2.3")])) == "Failure"
        asked = [ask(ct(), repository=OID)]
        assert side.ask(imaging_source.PATH, rad69.ACTION, request(asked), xop=True) == "Failure"


def test_every_transaction_was_answered_with_success_and_with_failure(side: Side) -> None:
    """By the tests above, each once more: they may have run in other processes."""
    again = Side(side.archive, side.url, side.folder)
    test_answers_of_the_registry(again)
    test_answers_of_every_stored_query(again, "FindDocuments", "LeafClass")
    test_answers_of_the_repository(again)
    test_answers_of_the_imaging_document_source(again)
    doors = (
        registry.operations(side.archive.documents),
        repository.operations(side.archive.repository),
        imaging_source.operations(side.archive.imaging),
    )
    assert again.outcomes.keys() == {action for operations in doors for action in operations}
    assert all({"Success", "Failure"} <= outcomes for outcomes in again.outcomes.values())

"""The repository over HTTP: foreign clients, registries elsewhere, messages that are wrong, memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import httpx
import psutil
import pytest
import requests
import zeep
from lxml import etree
from starlette.types import ASGIApp, Receive, Scope, Send
from zeep.transports import Transport

from tests.archives import Backend, LiveArchive, start_archive
from tests.soap.test_memory import bounded
from tests.xds.builders import oid, submission, submission_set
from tests.xds.listening import listening
from tests.xds.registries import PATIENT
from tests.xds.repositories import OID, RENDERED, SETTINGS, kept, pdf, provide, registered, retrieve
from vna.app import Application, build, prepare
from vna.app.doors import Addresses, http_application
from vna.documents.problems import Refused
from vna.documents.repository import InMemory, WantedDocument
from vna.metrics import Metrics
from vna.model.access import SYSTEM
from vna.soap import addressing, envelope
from vna.soap.versions import Version
from vna.xml.namespaces import LCM, RIM, XDSB
from xds import iti41, iti42
from xds.registry_client import RegistryClient
from xds.remote_registry import RemoteRegistry
from xds.repository_client import RepositoryClient, provide_request

MB = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("repository")


@pytest.fixture(scope="module")
def live(folder: Path) -> Iterator[LiveArchive]:
    archive = start_archive(
        Backend("sqlite+folder", folder),
        XDS__REPOSITORY_UNIQUE_ID=OID,
        XDS__UNKNOWN_PATIENTS="register",
        XDS__MAX_DOCUMENT_BYTES="200MiB",
        XDS__MAX_OBJECTS="1000",
    )
    yield archive
    archive.stop()


@pytest.fixture(scope="module")
def url(live: LiveArchive) -> str:
    return f"{live.http}/xds/repository"


@pytest.fixture
def client(url: str, tmp_path: Path) -> RepositoryClient:
    return RepositoryClient(url, tmp_path)


def held(folder: Path) -> list[str]:
    blobs = folder / "data" / "blobs"
    return [str(path) for sub in ("documents", "spool") for path in (blobs / sub).rglob("*") if path.is_file()]


def test_what_our_client_provides_the_registry_finds_and_the_repository_gives(
    client: RepositoryClient, live: LiveArchive, tmp_path: Path
) -> None:
    patient = f"{oid()}^^^&1.2.3&ISO"
    one = pdf(patient_id=patient)
    sent = submission(one, own=submission_set(patient_id=patient))

    assert client.provide(sent, {"Document01": InMemory(RENDERED)}) == []
    (found,) = RegistryClient(f"{live.http}/xds/registry", tmp_path).find(patient).documents
    with client.retrieve([WantedDocument(found.repository_unique_id, found.unique_id)]) as answer:
        (given,) = answer.documents
        with given.content.open() as file:
            assert file.read() == RENDERED

    assert (found.unique_id, found.size, given.mime_type) == (one.unique_id, str(len(RENDERED)), "application/pdf")
    assert client.remove([WantedDocument(OID, one.unique_id)]) == []
    with pytest.raises(Refused, match="XDSDocumentUniqueIdError"):
        client.remove([WantedDocument(OID, one.unique_id)])


def test_zeep_retrieves_and_removes_by_the_wsdl_that_is_served(url: str, client: RepositoryClient) -> None:
    one = pdf()
    client.provide(submission(one), {"Document01": InMemory(RENDERED)})
    wanted = {"RepositoryUniqueId": OID, "DocumentUniqueId": one.unique_id}
    with requests.Session() as session:
        transport = Transport(session=session)  # type: ignore[no-untyped-call]  # zeep has no types
        service = zeep.Client(f"{url}?wsdl", transport=transport).service  # type: ignore[no-untyped-call]
        answer = service.DocumentRepository_RetrieveDocumentSet(DocumentRequest=[wanted])
        removed = service.DocumentRepository_RemoveDocuments(DocumentRequest=[wanted])

    assert answer.RegistryResponse.status.endswith(":Success")
    assert answer.DocumentResponse[0].Document == RENDERED.strip(b"\r\n")  # zeep takes line ends off
    assert removed.status.endswith(":Success")


def test_base64_where_it_stands_is_taken_as_well(url: str) -> None:
    one = pdf()
    body, _ = provide_request(submission(one), {})
    etree.SubElement(body, "{urn:ihe:iti:xds-b:2007}Document", id="Document01").text = "JVBERg=="

    answer = post(url, body)

    assert answer.status_code == 200
    assert b"ResponseStatusType:Success" in answer.content


def post(url: str, body: etree._Element, *parts: tuple[str, bytes], boundary: str = "b") -> httpx.Response:
    headers = addressing.request_headers(Version.SOAP12, iti41.ACTION, "urn:uuid:1", url)
    written = envelope.write(Version.SOAP12, body, headers)
    root = b'Content-Type: application/xop+xml; type="application/soap+xml"\r\nContent-ID: <r>\r\n\r\n' + written
    pieces = [root, *(b"Content-ID: <%b>\r\n\r\n%b" % (name.encode(), data) for name, data in parts)]
    mark = b"--" + boundary.encode()
    content = b"".join(mark + b"\r\n" + piece + b"\r\n" for piece in pieces) + mark + b"--\r\n"
    kind = 'multipart/related; type="application/xop+xml"; start="<r>"; start-info="application/soap+xml"'
    return httpx.post(url, content=content, headers={"Content-Type": f'{kind}; boundary="{boundary}"'}, timeout=60)


def referring(*hrefs: str) -> etree._Element:
    """A submission whose documents are at these addresses."""
    documents = [pdf(f"Document{number}") for number, _ in enumerate(hrefs)]
    body, _ = provide_request(submission(*documents), {})
    for document, href in zip(documents, hrefs, strict=True):
        element = etree.SubElement(body, "{urn:ihe:iti:xds-b:2007}Document", id=document.entry_uuid)
        etree.SubElement(element, "{http://www.w3.org/2004/08/xop/include}Include", href=href)
    return body


def wrong() -> Mapping[str, tuple[etree._Element, tuple[tuple[str, bytes], ...], str]]:
    doubled = referring("cid:a", "cid:a")
    for document in doubled.iterfind("{urn:ihe:iti:xds-b:2007}Document"):
        document.set("id", "Document0")
    empty, _ = provide_request(submission(pdf()), {})
    return {
        "no attachment": (referring("cid:a"), (), "does not have"),
        "no document at all": (empty, (), "XDSMissingDocument"),
        "two attachments with one id": (referring("cid:a"), (("a", b"x"), ("a", b"y")), "Content-ID"),
        "two documents with one id": (doubled, (("a", b"x"),), "XDSRepositoryMetadataError"),
        "a cid that points nowhere": (referring("cid:nobody"), (("a", b"x"),), "does not have"),
        "no cid": (referring("file:///etc/passwd"), (("a", b"x"),), "no cid"),
        "another body": (etree.fromstring("<a/>"), (), "XDSRepositoryError"),
        "too many objects": (
            provide_request(submission(*(pdf(f"d{n}") for n in range(1001))), {})[0],
            (),
            "at most 1000",
        ),
    }


@pytest.mark.parametrize("name", wrong())
def test_what_is_wrong_is_said_and_nothing_is_kept(url: str, folder: Path, name: str) -> None:
    body, parts, said = wrong()[name]
    before = held(folder)

    answer = post(url, body, *parts)

    assert answer.status_code in (200, 400)
    assert b"ResponseStatusType:Success" not in answer.content
    assert said in answer.text
    assert held(folder) == before


SLOT = '<rim:Slot name="a"><rim:ValueList><rim:Value>1</rim:Value></rim:ValueList></rim:Slot>'
HUNDRED_THOUSAND = {
    "whole objects": (f'<rim:ExtrinsicObject id="x">{SLOT * 2}</rim:ExtrinsicObject>', "longer than 16777216 bytes"),
    "objects of many marks": ('<rim:Association id="a" home="" lid=""><a/><b/></rim:Association>', "more than 500000"),
    "objects of hardly anything": ('<rim:ExtrinsicObject id="x"/>', "at most 1000 objects, not 100000"),
}


@pytest.mark.parametrize("packaged", [False, True], ids=["ITI-42", "ITI-41"])
@pytest.mark.parametrize("name", HUNDRED_THOUSAND)
def test_a_submission_of_a_hundred_thousand_objects_is_refused_in_words_and_leaves_nothing(
    url: str, live: LiveArchive, folder: Path, packaged: bool, name: str
) -> None:
    thing, words = HUNDRED_THOUSAND[name]
    prefixes = f'xmlns:lcm="{LCM}" xmlns:rim="{RIM}" xmlns:xdsb="{XDSB}"'
    listed = f"<rim:RegistryObjectList>{thing * 100_000}</rim:RegistryObjectList>"
    before = held(folder), registered_things(folder)
    pids = [child.pid for child in psutil.Process(live.child.pid).children(recursive=True)]

    with ExitStack() as watched:
        for pid in pids:
            watched.enter_context(bounded(pid))
        if packaged:
            request = f"<lcm:SubmitObjectsRequest>{listed}</lcm:SubmitObjectsRequest>"
            body = f"<xdsb:ProvideAndRegisterDocumentSetRequest {prefixes}>{request}"
            answer = post_text(url, iti41.ACTION, f"{body}</xdsb:ProvideAndRegisterDocumentSetRequest>", b"x" * 1000)
        else:
            body = f"<lcm:SubmitObjectsRequest {prefixes}>{listed}</lcm:SubmitObjectsRequest>"
            answer = post_text(f"{live.http}/xds/registry", iti42.ACTION, body)

    assert answer.status_code == (200 if "at most" in words else 413)
    assert b"ResponseStatusType:Success" not in answer.content
    assert words in answer.text
    assert (held(folder), registered_things(folder)) == before


def post_text(url: str, action: str, body: str, *parts: bytes) -> httpx.Response:
    """A body that is no tree: of a hundred thousand objects it would be a large one here too."""
    marked = envelope.write(
        Version.SOAP12, etree.Element("here"), addressing.request_headers(Version.SOAP12, action, "urn:uuid:1", url)
    )
    before, _, after = marked.partition(b"<here/>")
    written = before + body.encode() + after
    if not parts:
        return httpx.post(url, content=written, headers={"Content-Type": "application/soap+xml"}, timeout=60)
    root = b'Content-Type: application/xop+xml; type="application/soap+xml"\r\nContent-ID: <r>\r\n\r\n' + written
    pieces = [root, *(b"Content-ID: <a>\r\n\r\n" + part for part in parts)]
    content = b"".join(b"--b\r\n" + piece + b"\r\n" for piece in pieces) + b"--b--"
    kind = 'multipart/related; type="application/xop+xml"; start="<r>"; boundary=b'
    return httpx.post(url, content=content, headers={"Content-Type": kind}, timeout=60)


def registered_things(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "data" / "index.sqlite")) as connection:
        return sum(
            connection.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("document_objects", "document_associations")
        )


def test_a_boundary_in_the_data_is_data(url: str, client: RepositoryClient) -> None:
    one = pdf()
    data = b"--b\n\n--bb--\r\n -- b\r\n--\r\n"
    body, _ = provide_request(submission(one), {})
    element = etree.SubElement(body, "{urn:ihe:iti:xds-b:2007}Document", id="Document01")
    etree.SubElement(element, "{http://www.w3.org/2004/08/xop/include}Include", href="cid:a")

    assert b"ResponseStatusType:Success" in post(url, body, ("a", data), boundary="b-b").content

    with client.retrieve([WantedDocument(OID, one.unique_id)]) as answer, answer.documents[0].content.open() as file:
        assert file.read() == data


def test_a_large_document_goes_in_and_out_in_flat_memory(
    url: str, live: LiveArchive, folder: Path, tmp_path: Path
) -> None:
    size = 150 * MB
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(size)
    one = pdf(mime_type="application/octet-stream")
    client = RepositoryClient(url, tmp_path)
    client.provide(submission(pdf()), {"Document01": InMemory(RENDERED)})
    pids = [child.pid for child in psutil.Process(live.child.pid).children(recursive=True)]
    with ExitStack() as watched:
        for pid in (*pids, os.getpid()):
            watched.enter_context(bounded(pid))
        client.provide(submission(one), {"Document01": InFile(path)})
        with client.retrieve([WantedDocument(OID, one.unique_id)]) as answer:
            assert answer.documents[0].content.size == size
    assert [name for name in held(folder) if "/spool/" in name] == []


class InFile:
    """A file as a document."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size
        with path.open("rb") as file:
            self.sha1 = hashlib.file_digest(file, "sha1").hexdigest()

    def open(self) -> BinaryIO:
        return self._path.open("rb")


def opened(folder: Path, **xds: object) -> Application:
    settings = Backend("sqlite+folder", folder).settings(xds={**SETTINGS, **xds})
    prepare(settings)
    return build(settings)


def served(archive: Application) -> ASGIApp:
    return http_application(archive, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())


def test_a_document_over_the_limit_is_a_fault_and_nothing_is_kept(tmp_path: Path) -> None:
    archive = opened(tmp_path, max_document_bytes=100_000)
    with listening(served(archive)) as at:
        answer = post(f"{at}/xds/repository", referring("cid:a"), ("a", bytes(100_001)))
        small = post(f"{at}/xds/repository", referring("cid:a"), ("a", bytes(100_000)))
    archive.close()

    assert answer.status_code == 413
    assert "an attachment is larger than 100000 bytes" in answer.text
    assert small.status_code == 200
    assert len(kept(archive)) == 1


def test_documents_are_registered_elsewhere_where_that_is_set(tmp_path: Path) -> None:
    elsewhere = opened(tmp_path / "elsewhere")
    with listening(served(elsewhere)) as at:
        archive = opened(tmp_path / "here", registry_url=f"{at}/xds/registry")
        one = pdf()
        accepted = provide(archive, one)
        refused = provide(archive, pdf("D", unique_id=one.unique_id), contents={"D": b"other bytes"})
        before = kept(archive)
    entry = registered(elsewhere, one.unique_id)
    assert (accepted.status, entry.repository_unique_id, entry.size) == ("Success", OID, str(len(RENDERED)))
    assert retrieve(archive, one.unique_id).files == {one.unique_id: RENDERED}
    assert (refused.status, refused.codes) == ("Failure", ["XDSNonIdenticalHash"])
    assert len(before) == 1
    assert archive.jobs.all(SYSTEM) == []
    archive.dispatcher().drain()
    assert archive.care.sweep(SYSTEM) == 0
    assert [checked.damage for checked in archive.care.verify(SYSTEM)] == [None]
    elsewhere.close()
    archive.close()


@dataclass(slots=True)
class Silent:
    """Registers, and says nothing of it while it is `silent`."""

    app: ASGIApp
    silent: bool = True
    registers: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.silent:
            await self.app(scope, receive, send)
            return

        async def say(_message: object) -> None:
            """Nothing."""

        if self.registers:
            await self.app(scope, receive, say)
        await asyncio.sleep(1)


@dataclass(slots=True)
class Region:
    """A repository whose registry is elsewhere."""

    here: Application
    elsewhere: Application
    silent: Silent

    def settle(self) -> None:
        with self.here.database.transaction() as connection:
            connection.exec_driver_sql("update jobs set run_after = ''")
        self.here.workers().drain()


@pytest.fixture
def region(tmp_path: Path) -> Iterator[Region]:
    elsewhere = opened(tmp_path / "elsewhere")
    silent = Silent(served(elsewhere))
    with listening(silent) as at:
        here = opened(tmp_path / "here", registry_url=f"{at}/xds/registry")
        remote = here.repository._remote
        assert isinstance(remote, RemoteRegistry)
        remote._timeout = 0.3
        yield Region(here, elsewhere, silent)
        here.close()
    elsewhere.close()


@pytest.mark.parametrize("registers", [True, False], ids=["registered", "not registered"])
@pytest.mark.parametrize("name", ["Document01", "urn:uuid:0b7a3f3e-7c0f-4c58-9a52-0a7d51f3a001"])
def test_when_a_registry_elsewhere_does_not_answer_the_document_stays_and_may_come_again(
    region: Region, registers: bool, name: str
) -> None:
    one, own = pdf(name), submission_set()
    region.silent.registers = registers
    silent = provide(region.here, one, own=own)

    assert (silent.status, silent.codes) == ("Failure", ["XDSRegistryNotAvailable"])
    assert retrieve(region.here, one.unique_id).files == {one.unique_id: RENDERED}

    region.silent.silent = False
    again = provide(region.here, one, own=own)
    region.here.workers().drain()
    third = provide(region.here, one, own=own)

    assert again.status == "Success"
    assert registered(region.elsewhere, one.unique_id).hash == InMemory(RENDERED).sha1
    assert "XDSDuplicateUniqueIdInRegistry" in third.codes
    assert region.here.jobs.all(SYSTEM) == []
    assert retrieve(region.here, one.unique_id).files == {one.unique_id: RENDERED}


def test_another_document_under_the_name_of_one_that_was_not_answered_is_refused(region: Region) -> None:
    one, own = pdf(), submission_set()
    provide(region.here, one, own=own)
    region.silent.silent = False
    before = kept(region.here)

    other = provide(region.here, one, own=own, contents={"Document01": b"other bytes"})

    assert "XDSDuplicateUniqueIdInRegistry" in other.codes
    assert kept(region.here) == before
    assert retrieve(region.here, one.unique_id).files == {one.unique_id: RENDERED}


def test_what_was_not_registered_is_not_given_for_what_was(region: Region) -> None:
    region.silent.registers = False
    one = pdf()
    provide(region.here, one)
    region.silent.silent = False

    assert provide(region.here, one, contents={"Document01": b"other bytes"}).status == "Success"
    assert retrieve(region.here, one.unique_id).files == {one.unique_id: b"other bytes"}


def test_a_document_that_no_registry_has_goes_after_a_day(region: Region) -> None:
    region.silent.registers = False
    lost = pdf()
    provide(region.here, lost)
    (job,) = region.here.jobs.all(SYSTEM)
    region.here.workers().drain()
    assert timedelta(hours=23) < datetime.fromisoformat(job.run_after) - datetime.now(UTC) < timedelta(hours=25)
    region.settle()
    (unanswered,) = region.here.jobs.all(SYSTEM)
    assert "does not answer" in unanswered.last_error
    assert len(kept(region.here)) == 1

    region.silent.silent = False
    region.settle()

    assert region.here.jobs.all(SYSTEM) == []
    assert kept(region.here) == []
    assert retrieve(region.here, lost.unique_id).codes == ["XDSDocumentUniqueIdError"]
    region.here.dispatcher().drain()
    assert [checked.damage for checked in region.here.care.verify(SYSTEM)] == []


def test_a_document_that_was_registered_without_an_answer_is_kept(region: Region) -> None:
    one = pdf()
    provide(region.here, one)
    region.silent.silent = False

    region.settle()

    assert region.here.jobs.all(SYSTEM) == []
    assert retrieve(region.here, one.unique_id).files == {one.unique_id: RENDERED}


def test_unknown_patients_of_a_registry_elsewhere_are_its_word(tmp_path: Path) -> None:
    elsewhere = opened(tmp_path / "elsewhere", unknown_patients="refuse")
    with listening(served(elsewhere)) as at:
        archive = opened(tmp_path / "here", registry_url=f"{at}/xds/registry")
        answer = provide(archive, pdf())

    assert answer.codes == ["XDSUnknownPatientId"]
    assert PATIENT in answer.errors[0][1]
    assert kept(archive) == []
    elsewhere.close()
    archive.close()

"""A client that JAX-WS makes of the WSDLs that a live archive serves: it submits, finds and retrieves."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lxml import etree
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.archives import put
from tests.objects import ct, part10
from tests.soap.test_jaxws import CLASS_PATH, NO_JAVA, java, run
from tests.xds.builders import document, query, submission
from tests.xds.imaging import ask, request
from tests.xds.listening import listening
from tests.xds.registries import PATIENT
from tests.xds.repositories import OID, pdf
from tests.xds.test_repository_live import opened, served
from vna.app import Application
from xds.ebrim.writing import submit_request

pytestmark = pytest.mark.skipif(NO_JAVA, reason="no JDK with libjaxws-java here")

FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"


@dataclass(slots=True)
class Overheard:
    """An application, and what callers said to it by POST: Content-Type and body."""

    app: ASGIApp
    said: list[tuple[str, bytes]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        heard = bytearray()

        async def listen() -> Message:
            message = await receive()
            heard.extend(message.get("body", b""))
            return message

        await self.app(scope, listen, send)
        self.said.append((dict(scope["headers"]).get(b"content-type", b"").decode(), bytes(heard)))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Application]:
    made = opened(tmp_path / "archive")
    yield made
    made.close()


def write(folder: Path, name: str, body: etree._Element) -> None:
    (folder / name).write_bytes(etree.tostring(body))


def test_jax_ws_submits_finds_and_retrieves_byte_for_byte(archive: Application, tmp_path: Path) -> None:
    folder = tmp_path / "client"
    folder.mkdir()
    small, large, elsewhere = pdf("small"), pdf("large"), document("elsewhere")
    bytes_of = {small.unique_id: b"--uuid:\r\n\0 %PDF", large.unique_id: random.Random(4).randbytes(3_000_000)}
    (folder / "small").write_bytes(bytes_of[small.unique_id])
    (folder / "large").write_bytes(bytes_of[large.unique_id])
    images = [ct(StudyInstanceUID="1.2.3.4"), ct(StudyInstanceUID="1.2.3.4")]
    for ds in images:
        put(archive, part10(ds))
        bytes_of[ds.SOPInstanceUID] = part10(ds)
    write(folder, "provide.xml", submit_request(submission(small, large)))
    write(folder, "register.xml", submit_request(submission(elsewhere)))
    patient = {"XDSDocumentEntryPatientId": f"'{PATIENT}'", "XDSDocumentEntryStatus": f"('{APPROVED}')"}
    write(folder, "query.xml", query(FIND_DOCUMENTS, **patient))
    write(folder, "unknown.xml", query("urn:uuid:00000000-0000-0000-0000-000000000000", **patient))
    write(folder, "images.xml", request([ask(ds, repository=OID) for ds in images]))
    overheard = Overheard(served(archive))

    with listening(overheard) as at:
        for name in ("registry", "repository", "imaging-source"):
            wsdl = f"{at}/xds/{name}?wsdl"
            java("com.sun.tools.ws.WsImport", "-extension", "-quiet", "-Xnocompile", wsdl, folder=folder)
        sources = [path.relative_to(folder) for path in folder.rglob("*.java")]
        client = Path(__file__).parent / "Submitter.java"
        run("javac", "-nowarn", "-proc:none", "-cp", CLASS_PATH, "-d", ".", client, *sources, folder=folder)
        said = java("Submitter", at, folder, folder=folder).splitlines()

    assert said == [
        "ITI-41 Success",
        "ITI-41 again Failure XDSDuplicateUniqueIdInRegistry",
        "ITI-41 without documents Failure XDSMissingDocument XDSMissingDocument",
        "ITI-42 Success",
        "ITI-18 Success",
        f"found {small.unique_id} {len(bytes_of[small.unique_id])}",
        f"found {large.unique_id} 3000000",
        f"found {elsewhere.unique_id} {elsewhere.size}",
        "ITI-18 unknown Failure XDSUnknownStoredQuery",
        "ITI-43 PartialSuccess XDSUnknownRepositoryId",
        "RAD-69 Success",
    ]
    got = {path.name[4:]: path.read_bytes() for path in folder.glob("got-*")}
    assert got == bytes_of
    assert not list(archive.blobs.spool_folder.iterdir())
    assert_that_it_speaks_as_jax_ws_does(overheard)


def assert_that_it_speaks_as_jax_ws_does(overheard: Overheard) -> None:
    """What section 8 of the facts calls its oddities: without them this would prove less than it says."""
    assert all(re.search(rb"MessageID[^>]*>uuid:", body) for _, body in overheard.said)
    packaged = [kind for kind, _ in overheard.said if kind.startswith("multipart/related")]
    assert packaged
    assert any('action=\\"' in kind for kind in packaged)

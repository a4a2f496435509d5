"""The repository in words of tests: documents provided, retrieved and removed as vna.soap has it done."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from lxml import etree

from storage.index import documents
from storage.scratch import Scratch
from tests.xds.builders import document, submission
from tests.xds.registries import SHARED
from vna.app import Application
from vna.documents.repository import Content, InMemory, WantedDocument
from vna.model.access import SYSTEM, Actor
from vna.model.documents import DocumentEntry, RegistryObject
from vna.sending import as_bytes
from vna.soap.message import Attachment, Message
from vna.soap.versions import Version
from vna.xml.namespaces import PREFIXES, RS, XDSB, XOP, qname
from xds import iti41, iti43, iti86, repository
from xds.repository_client import provide_request, remove_request, retrieve_request

OID = "1.3.6.1.4.1000.2"
SETTINGS: dict[str, object] = {"repository_unique_id": OID, "unknown_patients": "register"}
RENDERED = b"%PDF-1.4\r\n1 0 obj<</Title(Toraks BT)>>endobj\r\n%%EOF\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: status, errors as code and context, contents by uniqueId."""

    status: str
    errors: list[tuple[str, str]]
    files: dict[str, bytes] = field(default_factory=dict)
    mime_types: list[str] = field(default_factory=list)
    homes: list[str] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        return [code for code, _ in self.errors]


def pdf(entry_uuid: str = "Document01", **changes: Any) -> DocumentEntry:
    """A document of which the repository finds out the rest."""
    return document(entry_uuid, **{"hash": "", "size": "", "repository_unique_id": "", **changes})


def provide(
    archive: Application,
    *things: RegistryObject,
    contents: Mapping[str, bytes] | None = None,
    actor: Actor = SYSTEM,
    **own: Any,
) -> Answer:
    """Provide these; each document is RENDERED unless `contents` say what comes."""
    made = submission(*things, **own)
    given = {one.entry_uuid: RENDERED for one in made.documents} if contents is None else contents
    held: dict[str, Content] = {name: InMemory(data) for name, data in given.items()}
    body, attached = provide_request(made, held)
    attachments = {one.content_id: _attachment(one.content_id, b"".join(as_bytes(one.pieces()))) for one in attached}
    return ask(archive, iti41.ACTION, body, attachments, actor)


def retrieve(archive: Application, *wanted: WantedDocument | str, actor: Actor = SYSTEM) -> Answer:
    return ask(archive, iti43.ACTION, retrieve_request(_wanted(wanted)), actor=actor)


def remove(archive: Application, *wanted: WantedDocument | str, actor: Actor = SYSTEM) -> Answer:
    return ask(archive, iti86.ACTION, remove_request(_wanted(wanted)), actor=actor)


def _wanted(wanted: Iterable[WantedDocument | str]) -> list[WantedDocument]:
    return [WantedDocument(OID, one) if isinstance(one, str) else one for one in wanted]


def ask(
    archive: Application,
    action: str,
    body: etree._Element,
    attachments: Mapping[str, Attachment] | None = None,
    actor: Actor = SYSTEM,
) -> Answer:
    with Scratch(archive.blobs.spool_folder) as scratch:
        message = Message(Version.SOAP12, action, "urn:uuid:1", body, attachments or {}, scratch=scratch)
        reply = repository.operations(archive.repository)[action](message, actor)
        assert reply.action == f"{action}Response"
        contents = {content.content_id: b"".join(as_bytes(content.pieces())) for content in reply.contents}
        assert all(len(contents[one.content_id]) == one.size for one in reply.contents)
        assert not isinstance(reply.body, bytes)
        return read(etree.fromstring(etree.tostring(reply.body)), contents)


def _attachment(name: str, data: bytes) -> Attachment:
    digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    return Attachment(name, "application/pdf", len(data), digest, lambda: io.BytesIO(data))


def read(body: etree._Element, contents: Mapping[str, bytes]) -> Answer:
    """Take an answer apart, judged by the schema where it is there; `contents` go by Content-ID."""
    files = {}
    for given in body.iterfind("xdsb:DocumentResponse", PREFIXES):
        include = given.find(f"xdsb:Document/{{{XOP}}}Include", PREFIXES)
        assert include is not None
        files[given.findtext("xdsb:DocumentUniqueId", "", PREFIXES)] = contents[include.get("href", "")[4:]]
        include.getparent().remove(include)  # type: ignore[union-attr]
    if (schema := _schema()) is not None:
        schema.assertValid(body)
    response = body if body.tag == qname(RS, "RegistryResponse") else body.find(qname(RS, "RegistryResponse"))
    assert response is not None
    errors = [
        (one.get("errorCode", ""), one.get("codeContext", "")) for one in response.iter(qname(RS, "RegistryError"))
    ]
    return Answer(
        response.get("status", "").rpartition(":")[2],
        errors,
        files,
        [text.text or "" for text in body.iter(qname(XDSB, "mimeType"))],
        [text.text or "" for text in body.iter(qname(XDSB, "HomeCommunityId"))],
    )


@cache
def _schema() -> etree.XMLSchema | None:
    path = SHARED / "schemas" / "XDS.b_DocumentRepository.xsd"
    return etree.XMLSchema(etree.parse(path)) if path.is_file() else None


def registered(archive: Application, unique_id: str) -> DocumentEntry:
    """What the registry says of a document."""
    with archive.database.read() as connection:
        (found,) = documents.uses(connection, [unique_id])
    assert isinstance(found.object, DocumentEntry)
    return found.object


def kept(archive: Application) -> list[str]:
    """Blobs of documents, and what is in the spool."""
    spool = [path.name for path in archive.blobs.spool_folder.iterdir()]
    return [*archive.blobs.names("documents"), *spool]

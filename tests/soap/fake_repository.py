"""A repository that keeps nothing: what it answers shows what it understood."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from lxml import etree
from starlette.applications import Starlette

from vna.model.access import Actor
from vna.model.errors import NotFound
from vna.security.http import HttpRules, local
from vna.soap.exchange import Rules
from vna.soap.message import Content, Message, Reply, include, new_content_id
from vna.soap.service import Service
from vna.xml.namespaces import RS, XDSB, qname
from xds.wsdl import wsdl

PROVIDE = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
RETRIEVE = "urn:ihe:iti:2007:RetrieveDocumentSet"
REMOVE = "urn:ihe:iti:2017:RemoveDocuments"
PATH = "/xds/repository"
STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
SIZES = {"1.2.3.1": 0, "1.2.3.2": 1, "1.2.3.3": 100_000, "1.2.3.4": 5_000_000}
"""Documents that can be retrieved, and how long each is."""


def document(unique_id: str) -> bytes:
    return (hashlib.sha256(unique_id.encode()).digest() * (SIZES[unique_id] // 32 + 1))[: SIZES[unique_id]]


def provide(message: Message, _actor: Actor) -> Reply:
    """A warning for each document: its id, size and digest."""
    response = etree.Element(qname(RS, "RegistryResponse"), {"status": STATUS}, nsmap={"rs": RS})
    found = message.body.findall(qname(XDSB, "Document"))
    errors = etree.SubElement(response, qname(RS, "RegistryErrorList")) if found else response
    for element in found:
        content = message.content(element)
        said = f"{element.get('id')} {content.size} {content.sha1}"
        etree.SubElement(
            errors,
            qname(RS, "RegistryError"),
            errorCode="DocumentQueued",
            codeContext=said,
            severity="urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning",
        )
    return Reply(f"{PROVIDE}Response", response)


def retrieve(message: Message, _actor: Actor) -> Reply:
    """Every document that is asked for."""
    body = etree.Element(qname(XDSB, "RetrieveDocumentSetResponse"), nsmap={"xdsb": XDSB, "rs": RS})
    etree.SubElement(body, qname(RS, "RegistryResponse"), status=STATUS)
    contents = []
    for asked in message.body.findall(qname(XDSB, "DocumentRequest")):
        unique_id = asked.findtext(qname(XDSB, "DocumentUniqueId"), "")
        answered = etree.SubElement(body, qname(XDSB, "DocumentResponse"))
        etree.SubElement(answered, qname(XDSB, "RepositoryUniqueId")).text = "1.2.3"
        etree.SubElement(answered, qname(XDSB, "DocumentUniqueId")).text = unique_id
        etree.SubElement(answered, qname(XDSB, "mimeType")).text = "application/pdf"
        content_id = new_content_id()
        include(etree.SubElement(answered, qname(XDSB, "Document")), content_id)

        def pieces(unique_id: str = unique_id) -> Iterator[bytes]:
            yield document(unique_id)

        contents.append(Content(content_id, "application/pdf", pieces, SIZES[unique_id]))
    return Reply(f"{RETRIEVE}Response", body, contents)


def remove(_message: Message, _actor: Actor) -> Reply:
    raise NotFound("no document of that name is held")


def application(spool_folder: Path) -> Starlette:
    rules = Rules({PROVIDE: provide, RETRIEVE: retrieve, REMOVE: remove})
    service = Service(PATH, rules, spool_folder, wsdl("repository"))
    return local(Starlette(routes=service.routes()), HttpRules())  # type: ignore[return-value]

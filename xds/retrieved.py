"""xdsb:RetrieveDocumentSetResponse, the answer of ITI-43, RAD-69 and what gateways make of them: a status, and
documents as attachments (ITI TF-2 3.43.5)."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from lxml import etree

from vna.documents.problems import Problem
from vna.model.access import Actor
from vna.model.errors import NotAuthorized, VnaError
from vna.model.file_range import BodyPiece
from vna.soap.exchange import Operation
from vna.soap.faults import SoapFault
from vna.soap.message import Content, Message, Reply, include, new_content_id
from vna.xml.namespaces import RS, XDSB, qname
from vna.xml.text import carried
from xds.responses import registry_response
from xds.transaction import REPOSITORY_CODES, problems_of

log = logging.getLogger(__name__)

_UNTOLD = "application/octet-stream"
"""In the place of a media type that no header field can carry."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """One document; `pieces` is called once, when it is its turn.

    The new identifiers are those of what was made for an on-demand entry (ITI TF-2 3.43.4.2.2).
    """

    repository_unique_id: str
    document_unique_id: str
    mime_type: str
    pieces: Callable[[], Iterator[BodyPiece]] = field(repr=False, compare=False)
    size: int | None = None
    home: str = ""
    new_repository_unique_id: str = ""
    new_document_unique_id: str = ""


Outcome = tuple[Iterable[Retrieved], Sequence[Problem]]
"""What is given, and why something is not."""


def retrieving(
    action: str, answer_action: str, answer: Callable[[Message, Actor], Outcome], *, location: str = ""
) -> Operation:
    """The operation under this action. Who may not do it is told so by a fault. `location` is that of problems which
    have none."""

    def operation(message: Message, actor: Actor) -> Reply:
        given: Iterable[Retrieved] = ()
        try:
            given, problems = answer(message, actor)
        except (NotAuthorized, SoapFault):
            raise
        except VnaError as error:
            problems = problems_of(error, REPOSITORY_CODES)
        problems = [one if one.location else replace(one, location=location) for one in problems]
        body, contents = retrieve_response(given, problems)
        if problems:
            codes = sorted({problem.code for problem in problems})
            fields = {"given": len(contents), "refused": len(problems), "codes": codes, "address": actor.address}
            log.warning("documents refused", extra={"action": action, **fields})
        return Reply(answer_action, body, contents)

    return operation


def retrieve_response(
    documents: Iterable[Retrieved], problems: Sequence[Problem]
) -> tuple[etree._Element, list[Content]]:
    """The body, and the contents that it refers to."""
    body = etree.Element(qname(XDSB, "RetrieveDocumentSetResponse"), nsmap={"xdsb": XDSB, "rs": RS})
    contents: list[Content] = []
    for document in documents:
        can_be_told = document.mime_type.isprintable() and document.mime_type
        media_type = document.mime_type if can_be_told else _UNTOLD
        contents.append(Content(new_content_id(), media_type, document.pieces, document.size))
        body.append(_response(document, contents[-1].content_id))
    body.insert(0, registry_response(problems, partly=bool(contents)))
    return body, contents


def _response(document: Retrieved, content_id: str) -> etree._Element:
    element = etree.Element(qname(XDSB, "DocumentResponse"))
    texts = (
        ("HomeCommunityId", document.home),
        ("RepositoryUniqueId", document.repository_unique_id),
        ("DocumentUniqueId", document.document_unique_id),
        ("NewRepositoryUniqueId", document.new_repository_unique_id),
        ("NewDocumentUniqueId", document.new_document_unique_id),
        ("mimeType", document.mime_type),
    )
    for name, text in texts:
        if text:
            etree.SubElement(element, qname(XDSB, name)).text = carried(text)
    include(etree.SubElement(element, qname(XDSB, "Document")), content_id)
    return element

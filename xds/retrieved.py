"""xdsb:RetrieveDocumentSetResponse, the answer of ITI-43 and RAD-69: a status, and documents as attachments
(ITI TF-2 3.43.5)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lxml import etree

from vna.documents.problems import Problem
from vna.model.file_range import BodyPiece
from vna.soap.message import Content, include, new_content_id
from vna.xml.namespaces import RS, XDSB, qname
from vna.xml.text import carried
from xds.responses import registry_response


@dataclass(frozen=True, slots=True)
class Retrieved:
    """One document; `pieces` is called once, when it is its turn."""

    repository_unique_id: str
    document_unique_id: str
    mime_type: str
    pieces: Callable[[], Iterator[BodyPiece]] = field(repr=False, compare=False)
    size: int | None = None
    home: str = ""


def retrieve_response(
    documents: Iterable[Retrieved], problems: Sequence[Problem]
) -> tuple[etree._Element, list[Content]]:
    """The body, and the contents that it refers to."""
    body = etree.Element(qname(XDSB, "RetrieveDocumentSetResponse"), nsmap={"xdsb": XDSB, "rs": RS})
    contents: list[Content] = []
    for document in documents:
        contents.append(Content(new_content_id(), document.mime_type, document.pieces, document.size))
        body.append(_response(document, contents[-1].content_id))
    body.insert(0, registry_response(problems, partly=bool(contents)))
    return body, contents


def _response(document: Retrieved, content_id: str) -> etree._Element:
    element = etree.Element(qname(XDSB, "DocumentResponse"))
    texts = (
        ("HomeCommunityId", document.home),
        ("RepositoryUniqueId", document.repository_unique_id),
        ("DocumentUniqueId", document.document_unique_id),
        ("mimeType", document.mime_type),
    )
    for name, text in texts:
        if text:
            etree.SubElement(element, qname(XDSB, name)).text = carried(text)
    include(etree.SubElement(element, qname(XDSB, "Document")), content_id)
    return element

"""xdsb:DocumentRequest, as ITI-43 and ITI-86 list them (ITI TF-2 3.43.5)."""

from lxml import etree

from vna.documents.problems import ErrorCode, refused
from vna.documents.repository import WantedDocument
from vna.xml.namespaces import XDSB, qname


def document_requests(body: etree._Element, name: str) -> list[WantedDocument]:
    """What a message lists; Refused when its body is not called `name`, or lists nothing."""
    found = [
        WantedDocument(_text(one, "RepositoryUniqueId"), _text(one, "DocumentUniqueId"), _text(one, "HomeCommunityId"))
        for one in body.iterchildren(qname(XDSB, "DocumentRequest"))
    ]
    if body.tag != name or not found:
        raise refused(ErrorCode.REPOSITORY, f"the message has no {etree.QName(name).localname} with a DocumentRequest")
    return found


def _text(element: etree._Element, name: str) -> str:
    return (element.findtext(qname(XDSB, name)) or "").strip()

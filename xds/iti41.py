"""Provide and Register Document Set-b (ITI TF-2 3.41), which RAD-68 is too (RAD TF-2 4.68)."""

from lxml import etree

from vna.documents.problems import ErrorCode, refused
from vna.documents.repository import Content, Repository
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from vna.xml.namespaces import LCM, XDSB, qname
from xds.ebrim import reading
from xds.responses import registry_response
from xds.transaction import REPOSITORY_CODES, transaction

ACTION = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"


def operation(repository: Repository) -> Operation:
    """Keeps and registers documents, all of them or nothing."""

    def provide(message: Message, actor: Actor) -> etree._Element:
        request = message.body.find(qname(LCM, "SubmitObjectsRequest"))
        if message.body.tag != qname(XDSB, "ProvideAndRegisterDocumentSetRequest") or request is None:
            what = "the message has no ProvideAndRegisterDocumentSetRequest with a SubmitObjectsRequest"
            raise refused(ErrorCode.REPOSITORY, what)
        submission = reading.submission(request, repository.max_objects)
        return registry_response(repository.provide(actor, submission, _contents(message)))

    return transaction(ACTION, provide, codes=REPOSITORY_CODES)


def _contents(message: Message) -> dict[str, Content]:
    """By the id of the ExtrinsicObject that describes each; attachments, or base64 where it stands."""
    contents: dict[str, Content] = {}
    for element in message.body.iterchildren(qname(XDSB, "Document")):
        name = element.get("id", "")
        if name in contents:
            raise refused(ErrorCode.REPOSITORY_METADATA, f"two documents have the id {name[:100]!r}")
        contents[name] = message.content(element)
    return contents

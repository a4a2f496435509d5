"""Remove Documents (ITI Remove Metadata and Documents 3.86)."""

from lxml import etree

from vna.documents.repository import Repository
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from vna.xml.namespaces import RMD, qname
from xds.document_requests import document_requests
from xds.responses import registry_response
from xds.transaction import REPOSITORY_CODES, transaction

ACTION = "urn:ihe:iti:2017:RemoveDocuments"
_REQUEST = qname(RMD, "RemoveDocumentsRequest")


def operation(repository: Repository) -> Operation:
    """Removes what is held of the documents that are listed."""

    def remove(message: Message, actor: Actor) -> etree._Element:
        removed, problems = repository.remove(actor, document_requests(message.body, _REQUEST))
        return registry_response(problems, partly=removed > 0)

    return transaction(ACTION, remove, codes=REPOSITORY_CODES)

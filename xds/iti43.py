"""Retrieve Document Set (ITI TF-2 3.43)."""

from vna.documents.repository import Given, Repository
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from vna.xml.namespaces import XDSB, qname
from xds.document_requests import document_requests
from xds.retrieved import Outcome, Retrieved, retrieving

ACTION = "urn:ihe:iti:2007:RetrieveDocumentSet"
REQUEST = qname(XDSB, "RetrieveDocumentSetRequest")


def operation(repository: Repository) -> Operation:
    """Gives documents as attachments, read when it is their turn."""

    def retrieve(message: Message, actor: Actor) -> Outcome:
        given, problems = repository.retrieve(actor, document_requests(message.body, REQUEST))
        return map(retrieved, given), problems

    return retrieving(ACTION, f"{ACTION}Response", retrieve)


def retrieved(given: Given) -> Retrieved:
    """As it is answered, with the home community that was asked for."""
    wanted = given.wanted
    return Retrieved(
        wanted.repository_unique_id, wanted.unique_id, given.mime_type, given.pieces, given.size, wanted.home
    )

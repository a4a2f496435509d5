"""Cross Gateway Retrieve (ITI TF-2 3.39)."""

from vna.documents.responding_gateway import RespondingGateway
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from xds import iti43
from xds.document_requests import document_requests
from xds.retrieved import Outcome, retrieving

ACTION = "urn:ihe:iti:2007:CrossGatewayRetrieve"


def operation(gateway: RespondingGateway) -> Operation:
    """Gives documents of our community to others."""

    def retrieve(message: Message, actor: Actor) -> Outcome:
        given, problems = gateway.retrieve(actor, document_requests(message.body, iti43.REQUEST))
        return map(iti43.retrieved, given), problems

    return retrieving(ACTION, f"{ACTION}Response", retrieve, location=gateway.home)

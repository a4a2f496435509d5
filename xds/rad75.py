"""Cross Gateway Retrieve Imaging Document Set (RAD TF-2 4.75)."""

from vna.documents.responding_gateway import RespondingGateway
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from xds import rad69
from xds.retrieved import Outcome, retrieving

ACTION = "urn:ihe:rad:2011:CrossGatewayRetrieveImagingDocumentSet"


def operation(gateway: RespondingGateway) -> Operation:
    """Gives instances of our community to others, as RAD-69 does."""

    def retrieve(message: Message, actor: Actor) -> Outcome:
        wanted, syntaxes = rad69.read(message.body)
        given, problems = gateway.images(actor, wanted, syntaxes, rad69.scratch_of(message))
        return map(rad69.retrieved, given), problems

    return retrieving(ACTION, f"{ACTION}Response", retrieve, location=gateway.home)

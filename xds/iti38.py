"""Cross Gateway Query (ITI TF-2 3.38)."""

from lxml import etree

from vna.documents.communities import located
from vna.documents.responding_gateway import RespondingGateway
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from xds import iti18
from xds.responses import consolidated, found_at, query_failure
from xds.transaction import transaction

ACTION = "urn:ihe:iti:2007:CrossGatewayQuery"


def operation(gateway: RespondingGateway) -> Operation:
    """Answers other communities with references or whole objects, all of them of our home community."""

    def query(message: Message, actor: Actor) -> bytes:
        return consolidated(found_here(gateway, message.body, actor), (), partly=False)

    return transaction(ACTION, query, lambda problems: query_failure(located(problems, gateway.home)))


def found_here(gateway: RespondingGateway, request: etree._Element, actor: Actor) -> list[bytes]:
    """What an AdhocQueryRequest finds in our community, as fragments."""
    query, is_brief = iti18.read(request)
    answer = gateway.query(actor, query, iti18.asked_of(request), references=is_brief)
    return found_at(answer, gateway.home, references=is_brief)

"""Register On-Demand Document Entry (ITI TF-2 3.61)."""

from lxml import etree

from vna.documents.registry import Registry
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from xds.ebrim import reading
from xds.responses import registry_response
from xds.transaction import transaction

ACTION = "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry"


def operation(registry: Registry) -> Operation:
    """Registers documents that are made when they are retrieved."""

    def register(message: Message, actor: Actor) -> etree._Element:
        registry.register_on_demand(actor, reading.submission(message.body, registry.rules.max_objects))
        return registry_response()

    return transaction(ACTION, register)

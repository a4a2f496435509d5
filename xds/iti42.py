"""Register Document Set-b (ITI TF-2 3.42)."""

from lxml import etree

from vna.documents.registry import Registry
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from xds.ebrim import reading
from xds.responses import registry_response
from xds.transaction import transaction

ACTION = "urn:ihe:iti:2007:RegisterDocumentSet-b"


def operation(registry: Registry) -> Operation:
    """Registers a submission, all of it or nothing."""

    def register(message: Message, actor: Actor) -> etree._Element:
        registry.register(actor, reading.submission(message.body, registry.rules.max_objects))
        return registry_response()

    return transaction(ACTION, register)

"""Remove Metadata (ITI TF-2 3.62)."""

from lxml import etree

from vna.documents.registry import Registry
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from xds.ebrim import reading
from xds.responses import registry_response
from xds.transaction import transaction

ACTION = "urn:ihe:iti:2010:DeleteDocumentSet"


def operation(registry: Registry) -> Operation:
    """Forgets objects and associations by their entryUUIDs."""

    def remove(message: Message, actor: Actor) -> etree._Element:
        registry.remove(actor, reading.object_refs(message.body, registry.rules.max_objects))
        return registry_response()

    return transaction(ACTION, remove)

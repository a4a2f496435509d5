"""Restricted Update Document Set (Restricted Metadata Update 3.92)."""

from lxml import etree

from vna.documents.registry import Registry
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from xds.ebrim import reading
from xds.responses import registry_response
from xds.transaction import transaction

ACTION = "urn:ihe:iti:2018:RestrictedUpdateDocumentSet"


def operation(registry: Registry) -> Operation:
    """Brings new versions of documents, changed within limits."""

    def update(message: Message, actor: Actor) -> etree._Element:
        registry.update_restricted(actor, reading.submission(message.body, registry.rules.max_objects))
        return registry_response()

    return transaction(ACTION, update)

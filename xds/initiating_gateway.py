"""The Initiating Gateway actor: its transactions behind one address."""

from collections.abc import Mapping

from vna.soap.exchange import Operation
from xds import forwarded_documents, forwarded_images, forwarded_query
from xds.forwarding import Forwarding

PATH = "/xds/initiating-gateway"

TRANSACTIONS = (forwarded_query, forwarded_documents, forwarded_images)


def operations(forwarding: Forwarding) -> Mapping[str, Operation]:
    """Every transaction by its action."""
    return {module.ACTION: module.operation(forwarding) for module in TRANSACTIONS}

"""The Responding Gateway actor: its transactions behind one address."""

from collections.abc import Mapping

from vna.documents.responding_gateway import RespondingGateway
from vna.soap.exchange import Operation
from xds import iti38, iti39, rad75
from xds.transaction import by_action

PATH = "/xds/responding-gateway"

TRANSACTIONS = (iti38, iti39, rad75)


def operations(gateway: RespondingGateway) -> Mapping[str, Operation]:
    """Every transaction by its action."""
    return by_action(TRANSACTIONS, gateway)

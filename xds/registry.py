"""The Document Registry actor: its transactions behind one address."""

from collections.abc import Mapping

from vna.documents.registry import Registry
from vna.soap.exchange import Operation
from xds import iti18, iti42, iti57, iti61, iti62, iti92
from xds.transaction import by_action

PATH = "/xds/registry"

TRANSACTIONS = (iti42, iti18, iti57, iti61, iti62, iti92)


def operations(registry: Registry) -> Mapping[str, Operation]:
    """Every transaction by its action."""
    return by_action(TRANSACTIONS, registry)

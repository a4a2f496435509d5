"""The Document Repository actor: its transactions behind one address."""

from collections.abc import Mapping

from vna.documents.repository import Repository
from vna.soap.exchange import Operation
from xds import iti41, iti43, iti86
from xds.transaction import by_action

PATH = "/xds/repository"

TRANSACTIONS = (iti41, iti43, iti86)


def operations(repository: Repository) -> Mapping[str, Operation]:
    """Every transaction by its action."""
    return by_action(TRANSACTIONS, repository)

"""The Imaging Document Source actor, as far as it is asked: its transactions behind one address."""

from collections.abc import Mapping

from vna.documents.imaging_source import ImagingSource
from vna.soap.exchange import Operation
from xds import rad69
from xds.transaction import by_action

PATH = "/xds/imaging-source"

TRANSACTIONS = (rad69,)


def operations(source: ImagingSource) -> Mapping[str, Operation]:
    """Every transaction by its action."""
    return by_action(TRANSACTIONS, source)

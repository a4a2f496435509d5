"""What waits in this node's spool, for the other nodes."""

from collections.abc import Iterator

from storage.blobs.spool_folder import Census, SpoolFolder
from vna.model.errors import NotFound
from vna.security.node_secret import NodeSecret

PATH = "/internal/blobs"


class NodeSpool:
    """Asked by nodes, each time with a proof; of this node's own spool alone, so that nobody asks in circles."""

    def __init__(self, spool: SpoolFolder | None, secret: NodeSecret | None) -> None:
        self._spool = spool
        self._secret = secret

    def admit(self, proof: str, method: str, target: str, ranges: str) -> SpoolFolder:
        """The spool, for whoever proves to be a node. NotFound where no secret was set, NotAuthorized for others."""
        if self._secret is None or self._spool is None:
            raise NotFound("there is nothing at this address")
        self._secret.check(proof, method, target, ranges)
        return self._spool

    def census(self) -> Census | None:
        """What waits; None where there is no spool. Asked by machines without a login: it says nothing about what is
        held."""
        return self._spool.count() if self._spool is not None else None


def pieces(spool: SpoolFolder, name: str, offset: int, length: int | None) -> tuple[int, Iterator[bytes]]:
    """How many bytes a range has, and these."""
    size = spool.size(name)
    length = max(size - offset, 0) if length is None else length
    return length, spool.stream(name, offset, length)

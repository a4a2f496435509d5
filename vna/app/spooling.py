"""The spool of this node: recovered at the start, told of, and emptied."""

import logging
import socket
import threading
import time
from collections.abc import Iterator

from storage.blobs.base import BlobStore
from storage.blobs.s3 import S3Blobs
from storage.blobs.uploading import Uploading
from storage.index.engine import Database
from vna.app.blobs import spool_of
from vna.archive.neighbours import Neighbours
from vna.archive.node_spool import NodeSpool
from vna.archive.nodes import Waiting, nothing_waits
from vna.security.node_secret import NodeSecret
from vna.settings import Settings

_LOOK_SECONDS = 0.5

log = logging.getLogger(__name__)


def recover(blobs: BlobStore) -> None:
    """Before anything is stored: what a killed process left torn in the spool goes."""
    spooled = spool_of(blobs)
    if spooled is not None:
        removed = spooled.spool.recover()
        if removed:
            log.warning("torn files were removed from the spool", extra={"count": removed})


def waiting(blobs: BlobStore) -> Waiting:
    """What tells how much waits in the spool."""
    spooled = spool_of(blobs)
    if spooled is None:
        return nothing_waits
    spool = spooled.spool

    def counted() -> tuple[int, int]:
        census = spool.count()
        return census.objects, census.bytes

    return counted


def uploading(blobs: BlobStore, settings: Settings) -> Uploading | None:
    """What empties the spool; None where there is none."""
    spooled = spool_of(blobs)
    if spooled is None:
        return None
    inner = spooled.inner
    ready = inner.prepare if isinstance(inner, S3Blobs) else _nothing
    return Uploading(spooled, threads=settings.storage.uploads, ready=ready)


def upload(blobs: BlobStore, settings: Settings, stop: threading.Event) -> None:
    """Empty the spool until told to stop."""
    found = uploading(blobs, settings)
    if found is not None:
        found.run(stop)


def drained(blobs: BlobStore, settings: Settings) -> Iterator[tuple[int, bool]]:
    """Until nothing waits: how much still does, and whether the object store answers.

    Uploads where no archive runs that does.
    """
    found = uploading(blobs, settings)
    left = waiting(blobs)
    while found is not None and left()[0]:
        answers = True
        with found.alone() as alone:
            if alone:
                _, answers = found.once(threading.Event())
        yield left()[0], answers
        if not alone or not answers:
            time.sleep(_LOOK_SECONDS)


def ask_neighbours(blobs: BlobStore, database: Database, settings: Settings) -> None:
    """What is neither here nor in the object store may wait in the spool of another node."""
    spooled = spool_of(blobs)
    if spooled is not None:
        spooled.others = Neighbours(database, node_name(settings), _secret(settings))


def for_nodes(blobs: BlobStore, settings: Settings) -> NodeSpool:
    """Our spool, as other nodes ask it."""
    spooled = spool_of(blobs)
    return NodeSpool(spooled.spool if spooled is not None else None, _secret(settings))


def node_name(settings: Settings) -> str:
    """Ours among the nodes of the archive."""
    return settings.node.name or socket.gethostname()[:64]


def _secret(settings: Settings) -> NodeSecret | None:
    secret = settings.node.secret.get_secret_value()
    return NodeSecret(secret) if secret else None


def _nothing() -> None:
    """The store behind the spool needs no preparation."""

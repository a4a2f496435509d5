"""The spool of this node: recovered at the start, told of, and emptied."""

import logging
import threading

from storage.blobs.base import BlobStore
from storage.blobs.s3 import S3Blobs
from storage.blobs.uploading import Uploading
from vna.app.blobs import spool_of
from vna.archive.nodes import Waiting, nothing_waits
from vna.settings import Settings

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


def _nothing() -> None:
    """The store behind the spool needs no preparation."""

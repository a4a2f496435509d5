"""Blobs that rows name: one that is gone or cut is a loss of the archive's, told as such and logged."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from storage.blobs.base import BlobStore, OnDisk, Readable
from storage.blobs.known import Checking, Known
from vna.model.errors import Damaged, NotFound
from vna.model.file_range import FileRange
from vna.model.instances import Instance

log = logging.getLogger(__name__)


class KeptBlobs:
    """Reads of a blob store; Damaged where it holds no longer what it took."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._disk = blobs if isinstance(blobs, OnDisk) else None
        self._checking = blobs if isinstance(blobs, Checking) else None
        self.spool_folder: Path = blobs.spool_folder
        self.on_disk = self._disk is not None

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of a range, all at once."""
        with _lost(name):
            return self._blobs.read(name, offset, length)

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes of a range, piece by piece; what is not there is said before the first piece."""
        with _lost(name):
            return self._blobs.stream(name, offset, length)

    def of(self, instance: Instance) -> Readable:
        """The same of an instance, its bytes compared with their digest where the blob store does that."""
        if self._checking is None:
            return self
        known = Known(instance.size, bytes.fromhex(instance.sha256))
        return _Compared(self._checking, known, self.spool_folder)

    def require_whole(self, instance: Instance) -> None:
        """Damaged where the bytes have another digest than those that came. They are read once more for that where the
        blob store does not compare them with every reading."""
        if self._checking is not None:
            return
        digest = sha256()
        for piece in self.stream(instance.blob):
            digest.update(piece)
        if digest.hexdigest() != instance.sha256:
            log.error("a stored object has other bytes: vna verify says more", extra={"blob": instance.blob})
            raise Damaged("what is kept of the instance is damaged; the archive's log says which object it is")

    def range(self, name: str, offset: int, length: int) -> FileRange:
        """Where a range lies; only `on_disk`."""
        assert self._disk is not None
        with _lost(name):
            return self._disk.range(name, offset, length)


class _Compared:
    """Reads of one object, of which the index knows what it is."""

    def __init__(self, blobs: Checking, known: Known, spool_folder: Path) -> None:
        self._blobs = blobs
        self._known = known
        self.spool_folder = spool_folder

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        with _lost(name):
            return self._blobs.read_known(name, self._known, offset, length)

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        with _lost(name):
            pieces = self._blobs.stream_known(name, self._known, offset, length)
        return _each(name, pieces)


def _each(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    with _lost(name):
        yield from pieces


@contextmanager
def _lost(name: str) -> Iterator[None]:
    try:
        yield
    except (NotFound, Damaged) as exc:
        log.error("a stored object is gone or cut: vna verify says more", extra={"blob": name})
        raise Damaged("what is kept of the instance is gone or cut; the archive's log says which object it is") from exc

"""A spool in front of an object store: what is stored is durable here at once, and goes there afterwards."""

import heapq
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from storage.blobs.base import BlobStore, Piece
from storage.blobs.spool_folder import SpoolFolder, SpoolUpload
from vna.model.errors import NotFound, OutOfResources, Unavailable, VnaError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Place(Protocol):
    """Where a blob may lie."""

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of a range, all at once."""

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes of a range, piece by piece."""

    def size(self, name: str) -> int:
        """Bytes held under the name."""


class Others(Place, Protocol):
    """The spools of other nodes. NotFound where none of them has it; Unavailable when one that may does not answer."""

    def names(self, prefix: str) -> list[str]:
        """Every name in them that begins so, in order."""

    def delete(self, name: str) -> None:
        """Forget the name, whichever has it."""


class SpooledBlobs:
    """Writes into the spool while that has room, else into the store behind it; reads from wherever a blob is.

    A blob is removed from the spool only when the store has all of it: so it is looked for here first, then there.
    """

    def __init__(self, inner: BlobStore, spool: SpoolFolder, *, most: int, others: Others | None = None) -> None:
        """`most` bytes may wait, beside what is being stored just now; 0 for none at all: then the spool runs empty."""
        self.inner = inner
        self.spool = spool
        self.spool_folder: Path = spool.spool_folder
        self.others = others
        self.most = most

    @property
    def is_full(self) -> bool:
        """Whether nothing more may wait."""
        return self.spool.held_bytes() >= self.most

    def begin(self, name: str) -> "SpooledUpload | None":
        """As `Growing` says: what comes while the spool is full is taken whole, by the store behind it."""
        return None if self.is_full else SpooledUpload(self.spool.begin(name), self._take_back)

    def put(self, name: str, pieces: Sequence[Piece]) -> None:
        """As `BlobStore` says."""
        if self._takes(sum(memoryview(piece).nbytes for piece in pieces)):
            try:
                self.spool.put(name, pieces)
            except OutOfResources:
                log.warning("the disk of the spool is full")
            else:
                return
        with self._straight():
            self.inner.put(name, pieces)

    def put_file(self, name: str, path: Path) -> None:
        """As `BlobStore` says."""
        if self._takes(path.stat().st_size):
            self.spool.put_file(name, path)
            return
        with self._straight():
            self.inner.put_file(name, path)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """As `BlobStore` says."""
        return self._found(lambda place: place.read(name, offset, length))

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """As `BlobStore` says."""
        return self._found(lambda place: place.stream(name, offset, length))

    def size(self, name: str) -> int:
        """As `BlobStore` says."""
        return self._found(lambda place: place.size(name))

    def delete(self, name: str) -> None:
        """Here first: whoever uploads it finds that it is gone, and takes it away there."""
        self.spool.delete(name)
        self.inner.delete(name)
        if self.others is not None:
            self.others.delete(name)

    def names(self, prefix: str) -> Iterator[str]:
        """What waits is listed first: what is uploaded meanwhile is in the store's list, which comes later."""
        waiting = set(self.spool.names(prefix))
        if self.others is not None:
            waiting.update(self.others.names(prefix))
        stored = (name for name in self.inner.names(prefix) if name not in waiting)
        return heapq.merge(sorted(waiting), stored)

    def free_bytes(self) -> int | None:
        """Space of the spool's disk."""
        return self.spool.free_bytes()

    def check(self) -> None:
        """The spool has to be there; a store behind it that does not answer is waited for while there is room."""
        self.spool.check()
        if self.is_full:
            with self._straight():
                self.inner.check()

    def _takes(self, size: int) -> bool:
        return self.spool.held_bytes() + size <= self.most

    def _found(self, ask: Callable[[Place], T]) -> T:
        try:
            return ask(self.spool)
        except NotFound:
            pass
        try:
            return ask(self.inner)
        except (NotFound, Unavailable) as exc:
            missing = exc
        if self.others is None:
            raise missing
        try:
            return ask(self.others)
        except NotFound:
            if isinstance(missing, Unavailable):
                raise missing from None
        return ask(self.inner)  # it may have been uploaded between the questions

    def _take_back(self, name: str) -> None:
        try:
            self.inner.delete(name)
        except VnaError as exc:
            log.warning("orphan left behind", extra={"blob": name, "reason": str(exc)})

    @contextmanager
    def _straight(self) -> Iterator[None]:
        try:
            yield
        except Unavailable as exc:
            if not self.most:
                raise
            raise OutOfResources("the spool is full, and the object store does not answer") from exc


class SpooledUpload:
    """What grows in the spool. It may be in the store behind it already when it turns out not to be wanted."""

    def __init__(self, upload: SpoolUpload, take_back: Callable[[str], None]) -> None:
        self.name = upload.name
        self.write, self.sync, self.whole, self.close = upload.write, upload.sync, upload.whole, upload.close
        self._upload = upload
        self._take_back = take_back

    def discard(self) -> None:
        """Take everything away."""
        self._upload.discard()
        if self._upload.was_moved:
            self._take_back(self.name)

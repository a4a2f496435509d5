"""A blob store whose bytes come over a network: what it gives is compared with what the index knows of it."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from storage.blobs.base import CHUNK, BlobStore, Growing, Piece, Upload
from storage.blobs.cache import ReadCache
from storage.blobs.known import Known
from vna.model.errors import Damaged, NotFound

log = logging.getLogger(__name__)

_MEMORY = 8 << 20
"""Objects up to here are compared before their first byte is given."""
_ALONG = 1 << 20
"""Bytes before those that are wanted that are read along, so that all of an object can be compared."""
_ATTEMPTS = 2

Bad = Callable[[str, Known], None]
"""Told of an object that is gone, or whose bytes are others, when it was looked at twice."""


def nobody(_name: str, _known: Known) -> None:
    """Where nobody has to be told."""


class CheckedBlobs:
    """Reads to the end are compared as they come; other ranges come from the cache, which compares what it takes in.

    Of objects that are too large for the cache ranges are read as they are, and only their length is looked at.
    """

    def __init__(self, inner: BlobStore, cache: ReadCache | None = None, bad: Bad = nobody) -> None:
        self.inner = inner
        self.spool_folder: Path = inner.spool_folder
        self._cache = cache
        self._bad = bad

    def read_known(self, name: str, known: Known, offset: int = 0, length: int | None = None) -> bytes:
        return b"".join(self.stream_known(name, known, offset, length))

    def stream_known(self, name: str, known: Known, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """As BlobStore.stream; NotFound and Damaged are told to `bad`."""
        count = known.size - offset if length is None else length
        if offset + count > known.size:
            raise Damaged(f"the blob {name} is shorter than what is asked of it")
        if not count and length is not None:
            return iter(())
        descriptor = self._cache.open(known) if self._cache is not None else None
        if descriptor is not None:
            return _of_file(descriptor, offset, count)
        try:
            return self._fetched(name, known, offset, count)
        except (NotFound, Damaged):
            self._bad(name, known)
            raise

    def _fetched(self, name: str, known: Known, offset: int, count: int) -> Iterator[bytes]:
        if offset + count == known.size and offset <= _ALONG:
            if known.size > _MEMORY:
                return self._guarded(name, known, offset, self.inner.stream(name))
            return _cut(self._whole(name, known), offset, count)
        if self._cache is not None and known.size <= self._cache.largest:
            return self._cached(self._cache, name, known, offset, count)
        return self.inner.stream(name, offset, count)

    def _whole(self, name: str, known: Known) -> bytes:
        for _ in range(_ATTEMPTS):
            found = self.inner.read(name)
            if len(found) == known.size and hashlib.sha256(found).digest() == known.sha256:
                return found
            log.error("the blob store gives other bytes than were kept", extra={"blob": name})
        raise Damaged(f"the bytes of the blob {name} are not those that were kept")

    def _cached(self, cache: ReadCache, name: str, known: Known, offset: int, count: int) -> Iterator[bytes]:
        for attempt in range(_ATTEMPTS):
            try:
                return _of_file(cache.fill(known, lambda: self.inner.stream(name)), offset, count)
            except Damaged:
                log.error("the blob store gives other bytes than were kept", extra={"blob": name})
                if attempt + 1 == _ATTEMPTS:
                    raise
            except OSError as exc:
                log.warning("nothing is kept for reading", extra={"reason": exc.strerror})
                break
        return _cut(self._whole(name, known), offset, count)

    def _guarded(self, name: str, known: Known, offset: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Everything from an offset on; the last piece is given when all of them are what they have to be."""
        digest, got, held = hashlib.sha256(), 0, b""
        for piece in pieces:
            digest.update(piece)
            if held:
                yield held
            held = piece[max(offset - got, 0) :]
            got += len(piece)
        if got != known.size or digest.digest() != known.sha256:
            log.error("the blob store gives other bytes than were kept", extra={"blob": name})
            self._bad(name, known)
            raise Damaged(f"the bytes of the blob {name} are not those that were kept")
        yield held

    def put(self, name: str, pieces: Sequence[Piece]) -> None:
        self.inner.put(name, pieces)

    def put_file(self, name: str, path: Path) -> None:
        self.inner.put_file(name, path)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        return self.inner.read(name, offset, length)

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self.inner.stream(name, offset, length)

    def size(self, name: str) -> int:
        return self.inner.size(name)

    def delete(self, name: str) -> None:
        self.inner.delete(name)

    def names(self, prefix: str) -> Iterator[str]:
        return self.inner.names(prefix)

    def free_bytes(self) -> int | None:
        return self.inner.free_bytes()

    def check(self) -> None:
        self.inner.check()


class CheckedGrowing(CheckedBlobs):
    """The same where the store takes bytes while they still come."""

    def begin(self, name: str) -> Upload | None:
        """As Growing.begin."""
        assert isinstance(self.inner, Growing)
        return self.inner.begin(name)


def checked(inner: BlobStore, cache: ReadCache | None, bad: Bad) -> CheckedBlobs:
    """In front of a store of either kind."""
    return CheckedGrowing(inner, cache, bad) if isinstance(inner, Growing) else CheckedBlobs(inner, cache, bad)


def _cut(found: bytes, offset: int, count: int) -> Iterator[bytes]:
    for at in range(offset, offset + count, CHUNK):
        yield found[at : min(at + CHUNK, offset + count)]


def _of_file(descriptor: int, offset: int, count: int) -> Iterator[bytes]:
    """A generator that has begun closes its file however it ends."""

    def pieces() -> Iterator[bytes]:
        try:
            yield b""
            at, end = offset, offset + count
            while at < end:
                piece = os.pread(descriptor, min(CHUNK, end - at), at)
                if not piece:
                    raise Damaged("a file of the cache was cut")
                at += len(piece)
                yield piece
        finally:
            os.close(descriptor)

    begun = pieces()
    next(begun)
    return begun

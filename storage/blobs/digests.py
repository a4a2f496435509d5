"""The digest of what a blob store holds under a name, as fast as the disk gives it."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from storage.blobs.base import BlobStore, OnDisk
from vna.model.errors import NotFound, Unavailable

PIECE = 1 << 20

Take = Callable[[int], None]
"""Waits until so many bytes more may be read."""


class Digesting:
    """Reads with one buffer, in one thread: threads of their own for several at once, as hashing lets others run."""

    def __init__(self, blobs: BlobStore, take: Take | None = None) -> None:
        self._blobs = blobs
        self._disk = blobs if isinstance(blobs, OnDisk) else None
        self._take = take
        self._buffer = memoryview(bytearray(PIECE)) if self._disk else memoryview(b"")

    def __call__(self, name: str) -> tuple[int, bytes]:
        """Bytes that are there, and their SHA-256; NotFound, or Unavailable when they cannot be read."""
        if self._disk is not None:
            return self._of_file(name, self._disk.range(name, 0, 0).path)
        digest, read = hashlib.sha256(), 0
        for piece in self._blobs.stream(name):
            if self._take is not None:
                self._take(len(piece))
            digest.update(piece)
            read += len(piece)
        return read, digest.digest()

    def _of_file(self, name: str, path: str | Path) -> tuple[int, bytes]:
        digest, read = hashlib.sha256(), 0
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # a Path takes as long to make as the call
                while got := file.readinto(self._buffer):
                    if self._take is not None:
                        self._take(got)
                    digest.update(self._buffer[:got])
                    read += got
        except FileNotFoundError as exc:
            raise NotFound(f"no blob {name}") from exc
        except OSError as exc:
            raise Unavailable("the blob store does not answer") from exc
        return read, digest.digest()

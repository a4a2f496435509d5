"""Reads of blobs whose size and digest the index knows: where bytes come over a network they are compared."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from storage.blobs.base import BlobStore


@dataclass(frozen=True, slots=True)
class Known:
    """What the bytes under a name have to be."""

    size: int
    sha256: bytes


@runtime_checkable
class Checking(Protocol):
    """A blob store that compares what it reads with what it is told; Damaged where that differs.

    Bytes that are given before the comparison was possible are never all there are.
    """

    def read_known(self, name: str, known: Known, offset: int = 0, length: int | None = None) -> bytes:
        """As BlobStore.read."""

    def stream_known(self, name: str, known: Known, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """As BlobStore.stream."""


def stream_known(blobs: BlobStore, name: str, known: Known) -> Iterator[bytes]:
    """All of a blob, compared where the store compares."""
    return blobs.stream_known(name, known) if isinstance(blobs, Checking) else blobs.stream(name)


class Compared:
    """One blob of a store, as that gives it when it compares."""

    def __init__(self, blobs: Checking, known: Known) -> None:
        self._blobs = blobs
        self._known = known

    def stream(self, name: str) -> Iterator[bytes]:
        """All of it; Damaged, NotFound."""
        return self._blobs.stream_known(name, self._known)

"""What a blob store is: named bytes, durable once put, read by range."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from vna.model.file_range import FileRange

Piece = bytes | bytearray | memoryview
CHUNK = 1 << 20


class Upload(Protocol):
    """Bytes on their way to a name; calls come one after the other, from any thread."""

    name: str

    def write(self, piece: Piece) -> None:
        """Take the next bytes."""

    def sync(self, sha256: bytes) -> None:
        """All bytes are there, and this is their digest: durable when it returns."""

    def close(self) -> None:
        """Nothing more will come; what is there stays."""

    def discard(self) -> None:
        """Take everything away."""

    def whole(self) -> memoryview:
        """All bytes written so far, as a map of them."""


class Readable(Protocol):
    """What is read of a blob store; as BlobStore says."""

    spool_folder: Path

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of a range, all at once."""

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes of a range, piece by piece."""


class BlobStore(Protocol):
    """A folder or an object store behind one set of words; names are paths with `/`, made by the archive alone.

    Everything raises Unavailable when the store does not answer, NotFound for a name it does not hold, and
    OutOfResources when it is full.
    """

    spool_folder: Path

    def put(self, name: str, pieces: Sequence[Piece]) -> None:
        """Keep the joined pieces under a new name; durable when it returns."""

    def put_file(self, name: str, path: Path) -> None:
        """Keep a file of the spool folder under a new name, and take the file away; durable when it returns."""

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of a range, all at once."""

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes of a range, piece by piece; what is not there is said at once, before the first piece."""

    def size(self, name: str) -> int:
        """Bytes held under the name."""

    def delete(self, name: str) -> None:
        """Forget the name; no error when it is not there."""

    def names(self, prefix: str) -> Iterator[str]:
        """Every name that begins so, in order."""

    def free_bytes(self) -> int | None:
        """Space left, None where the store does not say."""

    def check(self) -> None:
        """Answer, or raise."""


@runtime_checkable
class OnDisk(Protocol):
    """A blob store whose blobs are files of this machine."""

    def range(self, name: str, offset: int, length: int) -> FileRange:
        """Where a range of a blob lies; what is not there is said at once."""


@runtime_checkable
class Growing(Protocol):
    """A blob store that takes bytes while they still come; others take them only whole."""

    def begin(self, name: str) -> Upload | None:
        """Keep bytes under a new name, which nothing may trust before `Upload.sync`; None when it has no room for what
        is not whole yet."""

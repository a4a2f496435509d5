"""Files that live as long as they are used."""

import io
import mmap
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from storage.blobs.base import BlobStore
from vna.model.errors import Unavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MEMORY = 8 << 20


@contextmanager
def temporary_copy(folder: Path, pieces: Iterable[bytes]) -> Iterator[BinaryIO]:
    """The pieces as a file to read and seek: in memory while small, without a name on disk when large."""
    with tempfile.SpooledTemporaryFile(_MEMORY, dir=str(folder)) as file:
        for piece in pieces:
            file.write(piece)
        file.seek(0)
        yield cast(BinaryIO, file)


class Slice(io.RawIOBase):
    """Some bytes of a file that slices share, as a file of their own to read and seek; `size` may still grow."""

    def __init__(self, file: IO[bytes], start: int) -> None:
        super().__init__()
        self._file = file
        self._start = start
        self._at = 0
        self.size = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        self._file.seek(self._start + self._at)
        piece = self._file.read(min(len(view), self.size - self._at))
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


@contextmanager
def whole(blobs: BlobStore, name: str, size: int) -> Iterator[bytes | mmap.mmap]:
    """All of a blob as one buffer: in memory while small, else a map of a file without a name."""
    if size <= _MEMORY:
        yield blobs.read(name)
        return
    with tempfile.TemporaryFile(dir=blobs.spool_folder) as file:
        for piece in blobs.stream(name):
            file.write(piece)
        file.flush()
        if file.tell() < size:
            raise Unavailable(f"the blob {name} is shorter than {size} bytes")
        mapped = mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)
        try:
            yield mapped
        finally:
            with suppress(BufferError):
                mapped.close()

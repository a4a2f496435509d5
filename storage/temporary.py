"""Files that live as long as they are used."""

import mmap
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from storage.blobs.base import Readable
from vna.model.errors import Damaged

_MEMORY = 8 << 20


@contextmanager
def temporary_copy(folder: Path, pieces: Iterable[bytes]) -> Iterator[BinaryIO]:
    """The pieces as a file to read and seek: in memory while small, without a name on disk when large."""
    with tempfile.SpooledTemporaryFile(_MEMORY, dir=str(folder)) as file:
        for piece in pieces:
            file.write(piece)
        file.seek(0)
        yield cast(BinaryIO, file)


@contextmanager
def whole(blobs: Readable, name: str, size: int) -> Iterator[bytes | mmap.mmap]:
    """All of a blob as one buffer: in memory while small, else a map of a file without a name."""
    if size <= _MEMORY:
        yield blobs.read(name)
        return
    with tempfile.TemporaryFile(dir=blobs.spool_folder) as file:
        for piece in blobs.stream(name):
            file.write(piece)
        file.flush()
        if file.tell() < size:
            raise Damaged(f"the blob {name} is shorter than {size} bytes")
        mapped = mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)
        try:
            yield mapped
        finally:
            with suppress(BufferError):
                mapped.close()

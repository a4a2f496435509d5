"""Bytes on their way in: in memory while few, in a file when they grow; where they will be kept, if that is known."""

import errno
import hashlib
import mmap
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from storage.blobs.base import BlobStore, Upload
from storage.frames import Buffer
from vna.model.errors import OutOfResources, TooLarge

MEMORY_BYTES = 4 << 20
_BATCH = 1 << 20
_AHEAD_BYTES = 256 << 10

Begin = Callable[[Buffer], Upload | None]
"""Makes of the first bytes of an object the upload that takes all of them, or None; it may guess."""


class Incoming:
    """One object on its way in; its SHA-256 is computed as it comes.

    `write` then `finish` then `sync`, then `keep` or `abandon`. What `begin` makes writes an object to its place while
    it still comes, so that little is left to do after its last byte.
    """

    def __init__(self, folder: Path, *, max_bytes: int, head: bytes = b"", begin: Begin | None = None) -> None:
        self.size = 0
        self.head = head
        self._folder = folder
        self._max_bytes = max_bytes
        self._digest = hashlib.sha256()
        self._memory = bytearray()
        self._dropped = 0
        self._begin = begin
        self._upload: Upload | None = None
        self._written = 0
        self._synced = self._kept = False
        self._file = -1
        self._path: Path | None = None
        self._map: mmap.mmap | None = None
        if head:
            self.write(head)

    @property
    def name(self) -> str | None:
        """Where it is being written to, if it is: then `keep` under this name costs nothing more."""
        return self._upload.name if self._upload is not None else None

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Take the next bytes; TooLarge past the bound, OutOfResources when the spool is full."""
        self.size += len(piece)
        if self.size > self._max_bytes:
            raise TooLarge(f"larger than {self._max_bytes} bytes")
        self._digest.update(piece)
        self._memory += piece
        if self._file >= 0:
            if len(self._memory) >= _BATCH:
                self._flush()
        elif self.size - self._written >= _AHEAD_BYTES:
            self._go_ahead()

    def _go_ahead(self) -> None:
        if self._begin is not None:
            self._upload, self._begin = self._begin(self._memory), None
        if self._upload is not None:
            self._upload_rest(self._upload)
            if self.size > MEMORY_BYTES:
                self._dropped, self._memory = self.size, bytearray()
        elif self.size > MEMORY_BYTES:
            self._spill()

    def _upload_rest(self, upload: Upload) -> None:
        if self._written < self.size:
            with memoryview(self._memory) as view, view[self._written - self._dropped :] as rest:
                upload.write(rest)
            self._written = self.size

    def _spill(self) -> None:
        try:
            self._file, path = tempfile.mkstemp(prefix="incoming-", dir=self._folder)
        except OSError as exc:
            raise _space(exc) from exc
        self._path = Path(path)
        self._flush()

    def _flush(self) -> None:
        view = memoryview(self._memory)
        try:
            done = 0
            while done < len(view):
                done += os.write(self._file, view[done : done + _BATCH])
        except OSError as exc:
            raise _space(exc) from exc
        finally:
            view.release()
        self._memory = bytearray()

    def finish(self) -> memoryview:
        """All bytes as one buffer: memory, or a map of the file (then touching it costs page cache, not memory)."""
        if self._upload is not None:
            self._upload_rest(self._upload)
            return self._upload.whole() if self._dropped else memoryview(self._memory)
        if self._file < 0:
            return memoryview(self._memory)
        self._flush()
        if self._map is None:
            self._map = mmap.mmap(self._file, self.size, prot=mmap.PROT_READ)
        return memoryview(self._map)

    @property
    def sha256(self) -> bytes:
        """Digest of all bytes so far."""
        return self._digest.digest()

    def sync(self) -> None:
        """Make durable what is being written to its place; nothing to do for anything else."""
        if self._upload is not None and not self._synced:
            self._upload_rest(self._upload)
            self._upload.sync(self.sha256)
            self._synced = True

    def keep(self, blobs: BlobStore, name: str) -> None:
        """Put the bytes into the blob store under a name, durably; the spool is then empty."""
        if self._upload is not None and self._upload.name == name:
            self.sync()
            self._kept = True
        elif self._path is not None:
            blobs.put_file(name, self._path)
            self._path = None
        else:
            blobs.put(name, [self.finish()])

    def abandon(self) -> None:
        """Forget everything that was not kept; harmless when done already."""
        if self._upload is not None:
            (self._upload.close if self._kept else self._upload.discard)()
            self._upload = None
        self._memory = bytearray()
        if self._map is not None:
            with suppress(BufferError):  # a view of it is still alive: the map goes with the last one
                self._map.close()
            self._map = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    def __enter__(self) -> "Incoming":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()


def _space(exc: OSError) -> OutOfResources:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE):
        return OutOfResources("the spool has no space left")
    return OutOfResources("the spool cannot be written")


def sweep(folder: Path) -> int:
    """Remove what a killed process left in the spool folder; the number of files removed."""
    count = 0
    for path in folder.glob("incoming-*"):
        path.unlink(missing_ok=True)
        count += 1
    return count

"""Blobs in a folder: written under their final name, file and folders synced before put returns."""

import errno
import mmap
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from storage.blobs.base import CHUNK, Piece
from storage.blobs.writeback import begin_writing
from vna.model.errors import Damaged, NotFound, OutOfResources, Unavailable
from vna.model.file_range import FileRange

_KNOWN_FOLDERS = 100_000


class FilesystemBlobs:
    """Names are relative paths under `root`.

    A name is new each time it is put, so a crash leaves at worst a partial file that no row names. Folders are
    synced by each process the first time it writes into them: then whoever made them does not matter.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._root = str(self.root)
        self.spool_folder = self.root / "spool"
        _make_folder(self.spool_folder)
        self._synced: set[Path] = set()
        self._lock = threading.Lock()

    def put(self, name: str, pieces: Sequence[Piece]) -> None:
        upload = self.begin(name)
        try:
            for piece in pieces:
                upload.write(piece)
            upload.settle()
        except BaseException:
            upload.discard()
            raise
        upload.close()

    def begin(self, name: str) -> "FileUpload":
        path = self._path(name)
        with translated(name):
            self._ready(path.parent)
            return FileUpload(name, path)

    def put_file(self, name: str, path: Path) -> None:
        target = self._path(name)
        with translated(name):
            self._ready(target.parent)
            with path.open("rb") as file:
                os.fsync(file.fileno())
            os.link(path, target)
            path.unlink()
            sync_folder(target.parent)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        with translated(name):
            descriptor = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                if length is None:
                    length = os.fstat(descriptor).st_size - offset
                return pread_all(descriptor, offset, length)
            finally:
                os.close(descriptor)

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        path = self._path(name)
        with translated(name):
            held = path.stat().st_size
        remaining = held - offset if length is None else length
        if offset + remaining > held:
            raise Damaged(f"the blob {name} is shorter than the index says")
        return _pieces(path, name, offset, remaining)

    def range(self, name: str, offset: int, length: int) -> FileRange:
        place = self._place(name)
        with translated(name):
            held = os.stat(place).st_size  # noqa: PTH116  # a Path takes as long to make as the call
        if offset + length > held:
            raise Damaged(f"the blob {name} is shorter than the index says")
        return FileRange(place, offset, length)

    def size(self, name: str) -> int:
        with translated(name):
            return self._path(name).stat().st_size

    def delete(self, name: str) -> None:
        with translated(name):
            self._path(name).unlink(missing_ok=True)

    def names(self, prefix: str) -> Iterator[str]:
        """Walks folders in order; a prefix names a folder and what is below it."""
        for folder, folders, files in os.walk(self._path(prefix)):
            folders.sort()
            for file in sorted(files):
                yield (Path(folder) / file).relative_to(self.root).as_posix()

    def free_bytes(self) -> int | None:
        usage = os.statvfs(self.root)
        return usage.f_bavail * usage.f_frsize

    def check(self) -> None:
        if not self.spool_folder.is_dir():
            raise Unavailable("the blob folder is not there")

    def _path(self, name: str) -> Path:
        return Path(self._place(name))

    def _place(self, name: str) -> str:
        if name.startswith("/") or ".." in name.split("/"):
            raise NotFound("no such blob")
        return f"{self._root}/{name}"

    def _ready(self, folder: Path) -> None:
        if folder in self._synced:
            return
        folder.mkdir(parents=True, exist_ok=True)
        current = folder
        while current != self.root:
            current = current.parent
            sync_folder(current)
        with self._lock:
            if len(self._synced) >= _KNOWN_FOLDERS:
                self._synced.clear()
            self._synced.add(folder)


class FileUpload:
    """A file under its final name; the disk is told to begin as soon as bytes are there, so that the sync at the end
    is short."""

    def __init__(self, name: str, path: Path, *, mode: int = 0o640) -> None:
        self.name = name
        self._path = path
        self._size = 0
        self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, mode)

    def write(self, piece: Piece) -> None:
        with translated(self.name):
            view = memoryview(piece).cast("B")
            done = 0
            while done < len(view):
                done += os.write(self._file, view[done:])
        begin_writing(self._file, self._size, done)
        self._size += done

    def sync(self, sha256: bytes) -> None:  # noqa: ARG002  # whoever verifies has it of the index
        self.settle()

    def settle(self) -> None:
        """Durable when it returns, with its name."""
        with translated(self.name):
            os.fsync(self._file)
            sync_folder(self._path.parent)

    def whole(self) -> memoryview:
        return memoryview(mmap.mmap(self._file, self._size, prot=mmap.PROT_READ) if self._size else b"")

    def close(self) -> None:
        os.close(self._file)

    def discard(self) -> None:
        os.close(self._file)
        self._path.unlink(missing_ok=True)


def _pieces(path: Path, name: str, offset: int, remaining: int) -> Iterator[bytes]:
    with translated(name), path.open("rb", buffering=0) as file:
        file.seek(offset)
        while remaining > 0:
            piece = file.read(min(CHUNK, remaining))
            if not piece:
                raise Damaged(f"the blob {name} is shorter than the index says")
            remaining -= len(piece)
            yield piece


def pread_all(descriptor: int, offset: int, length: int) -> bytes:
    """A range of an open file; Damaged where it ends before."""
    first = os.pread(descriptor, length, offset)
    if len(first) == length:
        return first
    pieces, got = [first], len(first)
    while got < length:
        piece = os.pread(descriptor, length - got, offset + got)
        if not piece:
            raise Damaged("a blob is shorter than the index says")
        pieces.append(piece)
        got += len(piece)
    return b"".join(pieces)


def _make_folder(folder: Path) -> None:
    """With those above it, each durably."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """The names in it are durable when it returns."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Errors of the operating system as ours."""
    try:
        yield
    except FileNotFoundError as exc:
        raise NotFound(f"no blob {name}") from exc
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OutOfResources("the blob store has no space left") from exc
        raise Unavailable("the blob store does not answer") from exc

"""The spool of a node: blobs that are durable here and wait for the object store. The folder itself is the queue."""

import heapq
import os
import stat
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from storage.blobs.base import CHUNK, Piece
from storage.blobs.filesystem import FileUpload, pread_all, sync_folder, translated
from vna.board import SharedBoard
from vna.model.errors import Damaged, NotFound, OutOfResources, Unavailable

_FOOTER = struct.Struct(">8sQ32s")
"""Behind the bytes of a blob: a sign, their number and their SHA-256. Without it a file is torn."""
_SIGN = b"vna-spl1"
_COMING, _WAITING = 0o600, 0o640
"""The mode of a file says the same for as long as the machine runs, so that nobody has to open it."""
_FOLDERS = 256
_LONGEST_NAME = 255
_ABANDONED_SECONDS = 6 * 3600.0
"""What grows stops growing for a minute at most; what did not for so long is of a process that was killed."""

Change = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A blob that waits; `since` in seconds of the system's clock."""

    name: str
    size: int
    since: float


@dataclass(frozen=True, slots=True)
class Census:
    """What waits: objects, bytes of them, and for how many seconds the oldest has."""

    objects: int = 0
    bytes: int = 0
    oldest_seconds: float = 0.0


class SpoolFolder:
    """Blobs as files, spread over folders that are made once and stay.

    A file is complete when it ends with a footer that fits it: it is written last, and synced with the rest. After a
    power cut a file may have a footer and not all of its bytes; then it was not acknowledged, and `Uploading` finds
    that its digest differs. So no second sync is needed, as it would be for renaming what was synced.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.spool_folder = self.root / "spool"
        self._objects = self.root / "objects"
        self._aside = self.root / "aside"
        if not self.spool_folder.is_dir():
            self._make()
        self._ready: set[Path] = set()
        self._board = SharedBoard(self.root, "bytes that wait")

    def _make(self) -> None:
        for folder in (self.spool_folder, self._objects, self._aside):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.root, self.root.parent):
            sync_folder(folder)

    def held_bytes(self) -> int:
        """How many wait, as all processes of this node count them; `count` puts right what a crash left wrong."""
        with self._board.held() as numbers:
            return int(numbers[0])

    def count(self) -> Census:
        """What waits by looking at all of it."""
        before = self.held_bytes()
        found = list(self._files())
        self._change(sum(size for _, _, size, _ in found) - before)
        complete = [(size, since) for _, _, size, since in found if since]
        oldest = min((since for _, since in complete), default=0.0)
        seconds = max(time.time() - oldest, 0.0) if complete else 0.0
        return Census(len(complete), sum(size for size, _ in complete), seconds)

    def begin(self, name: str) -> "SpoolUpload":
        """As `Growing` says."""
        path = self._path(name)
        with translated(name):
            self._made_ready(path.parent)
            return SpoolUpload(name, path, self._change)

    def put(self, name: str, pieces: Sequence[Piece]) -> None:
        """As `BlobStore` says."""
        upload, digest = self.begin(name), sha256()
        try:
            for piece in pieces:
                digest.update(piece)
                upload.write(piece)
            upload.sync(digest.digest())
        except BaseException:
            upload.discard()
            raise
        upload.close()

    def put_file(self, name: str, path: Path) -> None:
        """As `BlobStore` says; a hard link, as the file is in `spool_folder`."""
        target = self._path(name)
        with translated(name), path.open("r+b", buffering=0) as file:
            self._made_ready(target.parent)
            digest = _digest(file)
            size = file.seek(0, os.SEEK_END)
            _complete(file.fileno(), size, digest)
            os.fsync(file.fileno())
            os.link(path, target)
            path.unlink()
            sync_folder(target.parent)
        self._change(size)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of a range, all at once."""
        with self._opened(name) as file:
            length = _held(file) - offset if length is None else length
            if offset + length > _held(file):
                raise Damaged(f"the blob {name} is shorter than the index says")
            return pread_all(file.fileno(), offset, length)

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The file is opened at once: it may go to the object store while it is read."""
        file = self._opened(name)
        try:
            length = _held(file) - offset if length is None else length
            if offset + length > _held(file):
                raise Damaged(f"the blob {name} is shorter than the index says")
        except BaseException:
            file.close()
            raise
        return _pieces(file, offset, length)

    def size(self, name: str) -> int:
        """Bytes held under the name."""
        with self._opened(name) as file:
            return _held(file)

    def delete(self, name: str, only: BinaryIO | None = None) -> bool:
        """Forget the name; False when it is not there. With an open file `only` that one, and none that came since."""
        path = self._path(name)
        with translated(name):
            try:
                found = path.stat()
                if only is not None and not os.path.samestat(found, os.fstat(only.fileno())):
                    return True
                path.unlink()
            except FileNotFoundError:
                return False
        self._change(-_size_of(found.st_size))
        return True

    def names(self, prefix: str) -> list[str]:
        """Every name that begins so, in order."""
        begin = prefix.rstrip("/") + "/"
        return sorted(name for name, _, _, since in self._files() if since and name.startswith(begin))

    def oldest(self, most: int) -> list[Waiting]:
        """Those that wait longest, at most so many, oldest first."""
        complete = (Waiting(name, size, since) for name, _, size, since in self._files() if since)
        return heapq.nsmallest(most, complete, key=lambda one: one.since)

    def whole(self, name: str) -> tuple[BinaryIO, int, bytes]:
        """An open file with the number and SHA-256 of the bytes that it should begin with; Damaged when it is torn."""
        file = self._opened(name)
        try:
            return file, *_said(file)
        except BaseException:
            file.close()
            raise

    def set_aside(self, name: str) -> None:
        """What is damaged is neither uploaded nor thrown away."""
        path = self._path(name)
        with translated(name):
            size = _size_of(path.stat().st_size)
            path.rename(self._aside / path.name)
        self._change(-size)

    def recover(self) -> int:
        """Before anything is stored: remove what is torn, and count what waits; how many files were removed."""
        removed = 0
        for _, path, _, since in list(self._files()):
            with path.open("rb", buffering=0) as file:
                try:
                    _said(file)
                except Damaged:
                    path.unlink()
                    removed += 1
                    continue
                if not since:
                    os.fchmod(file.fileno(), _WAITING)
        self.count()
        return removed

    def remove_abandoned(self) -> None:
        """What a killed process began to write, while the others go on."""
        for name, path, _, since in self._files():
            with suppress(FileNotFoundError):
                if not since and time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    self.delete(name)

    def free_bytes(self) -> int:
        """Space left."""
        usage = os.statvfs(self.root)
        return usage.f_bavail * usage.f_frsize

    def check(self) -> None:
        """Answer, or raise."""
        if not self.spool_folder.is_dir():
            raise Unavailable("the spool folder is not there")

    def _change(self, size: int) -> None:
        with self._board.held() as numbers:
            numbers[0] = max(numbers[0] + size, 0.0)

    def _files(self) -> Iterator[tuple[str, Path, int, float]]:
        """Name, path, size and time of completion of every file; 0 for one that is not complete."""
        for folder in sorted(self._objects.iterdir()):
            with os.scandir(folder) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):  # it is in the object store now
                        found = entry.stat()
                        since = found.st_mtime if stat.S_IMODE(found.st_mode) & stat.S_IRGRP else 0.0
                        yield entry.name.replace("+", "/"), Path(entry.path), _size_of(found.st_size), since

    def _opened(self, name: str) -> BinaryIO:
        with translated(name):
            file = self._path(name).open("rb", buffering=0)
        if not stat.S_IMODE(os.fstat(file.fileno()).st_mode) & stat.S_IRGRP:
            file.close()
            raise NotFound(f"no blob {name}")
        return file

    def _path(self, name: str) -> Path:
        """Objects of a series lie in one folder, as syncing one makes the disk write what others create in it."""
        file = name.replace("/", "+")
        if name.startswith("/") or "+" in name or "\0" in name or not 0 < len(file) <= _LONGEST_NAME:
            raise NotFound("no such blob")
        spread = crc32(name.rpartition("/")[0].encode()) % _FOLDERS
        return self._objects / f"{spread:02x}" / file

    def _made_ready(self, folder: Path) -> None:
        """Made, and synced, by each process that writes into it."""
        if folder not in self._ready:
            folder.mkdir(exist_ok=True)
            sync_folder(self._objects)
            self._ready.add(folder)


class SpoolUpload(FileUpload):
    """A file of the spool while it grows."""

    def __init__(self, name: str, path: Path, change: Change) -> None:
        super().__init__(name, path, mode=_COMING)
        self._change = change
        self._is_complete = False
        self.was_moved = False

    def sync(self, sha256: bytes) -> None:
        """The footer goes with the bytes, into the one sync."""
        with translated(self.name):
            _complete(self._file, self._size, sha256)
        self.settle()
        if os.fstat(self._file).st_nlink == 0:
            raise Unavailable("the spool was emptied while it was written to")
        self._is_complete = True
        self._change(self._size)

    def discard(self) -> None:
        """Take it away; `was_moved` when it was not here any more."""
        os.close(self._file)
        try:
            self._path.unlink()
        except FileNotFoundError:
            self.was_moved = self._is_complete
            return
        if self._is_complete:
            self._change(-self._size)


def _complete(descriptor: int, size: int, digest: bytes) -> None:
    footer = _FOOTER.pack(_SIGN, size, digest)
    if os.pwrite(descriptor, footer, size) != len(footer):
        raise OutOfResources("the spool has no space left")
    os.fchmod(descriptor, _WAITING)


def _size_of(file_size: int) -> int:
    return max(file_size - _FOOTER.size, 0)


def _held(file: BinaryIO) -> int:
    return _size_of(os.fstat(file.fileno()).st_size)


def _said(file: BinaryIO) -> tuple[int, bytes]:
    """What the footer says: number and digest; Damaged when there is none that fits."""
    size = _held(file)
    footer = os.pread(file.fileno(), _FOOTER.size, size)
    if len(footer) == _FOOTER.size:
        sign, said, digest = _FOOTER.unpack(footer)
        if sign == _SIGN and said == size:
            return size, digest
    raise Damaged("a file of the spool is torn")


def _digest(file: BinaryIO) -> bytes:
    digest = sha256()
    while piece := file.read(CHUNK):
        digest.update(piece)
    return digest.digest()


def _pieces(file: BinaryIO, offset: int, length: int) -> Iterator[bytes]:
    with file:
        end = offset + length
        for at in range(offset, end, CHUNK):
            yield pread_all(file.fileno(), at, min(CHUNK, end - at))

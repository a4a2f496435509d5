"""Objects of a blob store elsewhere, kept for reading: whole, compared, bounded, shared by the processes of a node."""

import fcntl
import hashlib
import logging
import os
import shutil
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.blobs.known import Known
from vna.model.errors import Damaged

log = logging.getLogger(__name__)

_LARGEST = 64 << 20
_TENTH = 10
_TOUCHED_SECONDS = 60.0
_LEFT_SECONDS = 3600.0
_LOCKS = 256
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class ReadCache:
    """Files by digest, `most` bytes of them: whoever was read longest ago goes first.

    Nothing of it is synced, and so what the machine had before it started last is never read: it goes at the start.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._most = most
        self.largest = min(_LARGEST, most // _TENTH)
        """The largest object that is kept."""
        boot = _BOOT.read_text().strip() if _BOOT.exists() else "0"
        self._folder = folder / boot
        self._locks = self._folder / "locks"
        self._locks.mkdir(parents=True, exist_ok=True)
        for other in folder.iterdir():
            if other.name != boot:
                shutil.rmtree(other, ignore_errors=True)

    def open(self, known: Known) -> int | None:
        """A descriptor of the object's bytes, None when they are not here. It stays good when the file goes."""
        path = self._path(known)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        found = os.fstat(descriptor)
        if found.st_size != known.size:
            os.close(descriptor)
            return None
        if time.time() - found.st_mtime > _TOUCHED_SECONDS:
            with suppress(OSError):
                os.utime(path)
        return descriptor

    def fill(self, known: Known, pieces: Callable[[], Iterator[bytes]]) -> int:
        """The same, fetched when it is not here: by one process, while others wait for it.

        Damaged when the bytes are others; what the pieces raise; OSError where there is no room.
        """
        with self._alone(known):
            descriptor = self.open(known)
            return descriptor if descriptor is not None else self._fetch(known, pieces)

    def _fetch(self, known: Known, pieces: Callable[[], Iterator[bytes]]) -> int:
        path = self._path(known)
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
        descriptor = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            _write(descriptor, known, pieces())
            self._make_room(known.size)
            os.replace(part, path)  # noqa: PTH105  # as the other calls
        except BaseException:
            os.close(descriptor)
            part.unlink(missing_ok=True)
            raise
        return descriptor

    def forget(self, known: Known) -> None:
        """Take an object away."""
        self._path(known).unlink(missing_ok=True)

    def _make_room(self, size: int) -> None:
        with _locked(self._folder / "total") as total:
            told = os.pread(total, 8, 0)
            held = (struct.unpack("<q", told)[0] if len(told) == 8 else 0) + size
            if held > self._most:
                held = self._evict(self._most - max(size, self._most // _TENTH)) + size
            os.pwrite(total, struct.pack("<q", held), 0)

    def _evict(self, most: int) -> int:
        """Down to so many bytes; how many are left."""
        found = []
        for path in self._folder.glob("??/*"):
            with suppress(FileNotFoundError):
                status = path.stat()
                if path.suffix != ".part":
                    found.append((status.st_mtime, status.st_size, path))
                elif time.time() - status.st_mtime > _LEFT_SECONDS:
                    path.unlink()
        held = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if held <= most:
                break
            path.unlink(missing_ok=True)
            held -= size
        return held

    def _path(self, known: Known) -> Path:
        name = known.sha256.hex()
        return self._folder / name[:2] / name

    @contextmanager
    def _alone(self, known: Known) -> Iterator[None]:
        with _locked(self._locks / f"{known.sha256[-1] % _LOCKS:02x}"):
            yield


def _write(descriptor: int, known: Known, pieces: Iterator[bytes]) -> None:
    digest, written = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        written += len(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]
    if written != known.size or digest.digest() != known.sha256:
        raise Damaged("the blob store gives other bytes than were kept")


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)

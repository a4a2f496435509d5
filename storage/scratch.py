"""Bytes that are needed for as long as a message is: in memory while few, else in a file without a name."""

import errno
import io
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from vna.model.errors import OutOfResources

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MEMORY = 1 << 20
_STEP = 16 << 20


def unbounded() -> None:
    """No other bound than the disk."""


class Scratch:
    """One writer appends; any number read what is written, each a stretch of it, until it is closed.

    `room` raises when too little is free; it is asked when the file begins and every few megabytes. The file has no
    name, so nothing of it is left however the process ends.
    """

    def __init__(self, folder: Path, room: Callable[[], None] = unbounded) -> None:
        self.size = 0
        self._folder = folder
        self._room = room
        self._asked_at = 0
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._others: list[Scratch] = []

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Append; OutOfResources when there is no space."""
        self.size += len(piece)
        if self.size > _MEMORY and self.size >= self._asked_at:
            self._room()
            self._asked_at = self.size + _STEP
        try:
            if self._file is None and self.size > _MEMORY:
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115  # until `close`
                self._append(self._file, self._memory)
                self._memory = bytearray()
            if self._file is not None:
                self._append(self._file, piece)
            else:
                self._memory += piece
        except OSError as exc:
            raise OutOfResources(_sentence(exc)) from exc

    @staticmethod
    def _append(file: IO[bytes], piece: bytes | bytearray | memoryview) -> None:
        with memoryview(piece) as view:
            done = 0
            while done < len(view):
                done += file.write(view[done:])

    def read(self, start: int, size: int) -> bytes:
        """Bytes of it; fewer at its end."""
        with self._lock:
            if self._closed:
                raise ValueError("the message has been closed")
            if self._file is None:
                return bytes(self._memory[start : start + size])
            return os.pread(self._file.fileno(), size, start)

    def open(self, start: int, size: int) -> BinaryIO:
        """A stretch of it as a file to read and seek, with a place of its own."""
        return cast("BinaryIO", _Stretch(self, start, size))

    def keep(self, other: "Scratch") -> None:
        """Have another one closed with this one: what is read of both is one answer."""
        with self._lock:
            if not self._closed:
                self._others.append(other)
                return
        other.close()

    def close(self) -> None:
        """Let go of the bytes; harmless when done already."""
        with self._lock:
            self._closed = True
            self._memory = bytearray()
            if self._file is not None:
                self._file.close()
                self._file = None
            others, self._others = self._others, []
        for other in others:
            other.close()

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Stretch(io.RawIOBase):
    def __init__(self, scratch: Scratch, start: int, size: int) -> None:
        self._scratch = scratch
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        with memoryview(buffer) as view:
            piece = self._take(len(view))
            view[: len(piece)] = piece
        return len(piece)

    def readall(self) -> bytes:
        return self._take(self._size)

    def _take(self, wanted: int) -> bytes:
        piece = self._scratch.read(self._start + self._at, max(0, min(wanted, self._size - self._at)))
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at


def _sentence(exc: OSError) -> str:
    full = exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
    return "the spool has no space left" if full else "the spool cannot be written"

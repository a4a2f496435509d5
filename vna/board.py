"""What the processes of one node have in common: a few numbers that they change in turn, and places that they take.

It lies in a folder of the node's data folder. What a process had taken is free when that has ended, however it ended:
a place is a lock on a file, which the kernel takes back.
"""

import fcntl
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol, TypeAlias

COUNT: Final = 15
"""How many numbers there are."""
_DOUBLE: Final = 8
_BOOT = Path("/proc/sys/kernel/random/boot_id")

Numbers: TypeAlias = "memoryview[float]"
Free = Callable[[], None]
"""Gives a place back, once."""


class Board(Protocol):
    """Numbers, all 0 at first, and places that are numbered from 0."""

    def held(self) -> AbstractContextManager[Numbers]:
        """The numbers, as long as nobody else has them."""

    def take(self, place: int) -> Free | None:
        """Take a place; None when somebody has it."""


class OwnBoard:
    """For the threads of one process."""

    def __init__(self) -> None:
        self._numbers: Numbers = memoryview(bytearray(COUNT * _DOUBLE)).cast("d")
        self._lock = threading.Lock()
        self._taken: set[int] = set()

    @contextmanager
    def held(self) -> Iterator[Numbers]:
        """The numbers, as long as nobody else has them."""
        with self._lock:
            yield self._numbers

    def take(self, place: int) -> Free | None:
        """Take a place; None when somebody has it."""
        with self._lock:
            if place in self._taken:
                return None
            self._taken.add(place)
        return lambda: self._taken.discard(place)


class SharedBoard:
    """For all processes of this machine that name the same folder and subject; files are made when they are needed."""

    def __init__(self, folder: Path, subject: str) -> None:
        self._path = folder / sha256(subject.encode()).hexdigest()[:16]
        self._lock = threading.Lock()
        self._descriptor = -1
        self._numbers: Numbers | None = None
        self._taken: set[int] = set()

    @contextmanager
    def held(self) -> Iterator[Numbers]:
        """The numbers, as long as nobody else has them."""
        with self._lock:
            if self._descriptor < 0:
                self._descriptor = self._opened(self._path)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                if self._numbers is None:
                    self._numbers = _mapped(self._descriptor)
                yield self._numbers
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def take(self, place: int) -> Free | None:
        """Take a place; None when somebody has it."""
        if place in self._taken:  # by this process: no need to ask
            return None
        descriptor = self._opened(self._path.with_suffix(f".{place}"))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        self._taken.add(place)

        def free() -> None:
            self._taken.discard(place)
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a helper that was forked meanwhile has the descriptor too
            os.close(descriptor)

        return free

    def __del__(self) -> None:
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)

    def _opened(self, path: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, flags, 0o600)


def _mapped(descriptor: int) -> Numbers:
    """Those of a file: 0 again after each start of the machine, since times count from there."""
    size = (COUNT + 1) * _DOUBLE
    os.ftruncate(descriptor, size)
    numbers = memoryview(mmap.mmap(descriptor, size)).cast("d")
    boot = float(int(_BOOT.read_text("ascii").replace("-", "")[:12], 16))
    if numbers[COUNT] != boot:
        for place in range(COUNT):
            numbers[place] = 0.0
        numbers[COUNT] = boot
    return numbers

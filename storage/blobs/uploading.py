"""From the spool into the object store: oldest first, several at once, again until it is there."""

import fcntl
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from storage.blobs.base import CHUNK
from storage.blobs.spool_folder import Waiting
from storage.blobs.spooled import SpooledBlobs
from vna import events as signals
from vna.model.errors import Damaged, NotFound, Unavailable, VnaError

log = logging.getLogger(__name__)

_BATCH = 2000
_MEMORY = 8 << 20
_IDLE_SECONDS = 0.5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
_NICENESS = 10
"""Whoever reads comes first where processor and disk are short."""
_QUIET_SECONDS, _BURST_SECONDS = 0.3, 20.0
"""A burst comes first, so long: it is over when nothing came for that while."""


class Uploading:
    """Puts what waits into the store behind the spool, reads it back, and only then removes it from the spool.

    One process of a node does it at a time: of two that upload the same blob the second would take what the first
    removed for deleted.
    """

    def __init__(self, blobs: SpooledBlobs, *, threads: int = 4, ready: Callable[[], None] = lambda: None) -> None:
        """`ready` makes the bucket where there is none; called until it was done once."""
        self._blobs = blobs
        self._spool = blobs.spool
        self._threads = threads
        self._ready = ready
        self._is_ready = False
        self._failed: dict[str, tuple[float, float]] = {}
        self._held, self._grew_at, self._burst_at = 0, 0.0, 0.0

    def run(self, stop: threading.Event) -> None:
        """Upload until told to stop, when nobody else of this node does."""
        pause = _FIRST_PAUSE
        while not stop.is_set():
            with self.alone() as alone:
                while alone and not stop.is_set():
                    if self._is_burst():
                        stop.wait(_QUIET_SECONDS / 3)
                        continue
                    try:
                        uploaded, went_well = self.once(stop)
                    except Exception:
                        log.exception("uploading failed")
                        uploaded, went_well = 0, False
                    if went_well:
                        pause = _FIRST_PAUSE
                        stop.wait(0 if uploaded else _IDLE_SECONDS)
                    else:
                        stop.wait(pause)
                        pause = min(pause * 2, _LONGEST_PAUSE)
            stop.wait(_IDLE_SECONDS)

    def _is_burst(self) -> bool:
        """Whether more comes in than goes out, for some seconds now, and there is room for it."""
        now, held = time.monotonic(), self._spool.held_bytes()
        if held > self._held:
            self._grew_at = now
        self._held = held
        if now - self._grew_at > _QUIET_SECONDS:
            self._burst_at = now
        return self._burst_at < now < self._burst_at + _BURST_SECONDS and held < self._blobs.most / 2

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether nobody else of this node uploads, and nobody will in the meantime."""
        descriptor = os.open(self._spool.root / "uploading", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(descriptor)

    def once(self, stop: threading.Event) -> tuple[int, bool]:
        """What waits now, or some thousands of it: how many were uploaded, and whether the store answers.

        The first goes alone: a store that does not answer is asked once in a while, and not by everybody.
        """
        self._spool.count()
        self._spool.remove_abandoned()
        oldest = self._spool.oldest(_BATCH + len(self._failed))
        names = {one.name for one in oldest}
        self._failed = {name: known for name, known in self._failed.items() if name in names}
        waiting = [one for one in oldest if self._is_due(one)]
        if not self._get_ready():
            return 0, False
        if not waiting:
            return 0, True
        if not self._try(waiting[0]):
            return 0, False
        ended = threading.Event()
        with ThreadPoolExecutor(self._threads, "upload", initializer=_nice) as threads:
            done = list(threads.map(lambda one: self._unless(one, stop, ended), waiting[1:]))
        return 1 + sum(done), not ended.is_set()

    def _get_ready(self) -> bool:
        if not self._is_ready:
            try:
                self._ready()
            except VnaError as exc:
                log.warning("the object store is waited for", extra={"reason": str(exc)})
                signals.emit("spool.failed", reason=type(exc).__name__)
                return False
            self._is_ready = True
        return True

    def _is_due(self, one: Waiting) -> bool:
        return time.monotonic() >= self._failed.get(one.name, (0.0, 0.0))[0]

    def _unless(self, one: Waiting, stop: threading.Event, ended: threading.Event) -> bool:
        if stop.is_set() or ended.is_set() or self._is_burst():
            return False
        if self._try(one):
            return True
        with suppress(VnaError):
            self._blobs.inner.check()
            return False  # it answers: this one alone fails
        ended.set()
        return False

    def _try(self, one: Waiting) -> bool:
        started = time.perf_counter()
        try:
            self._upload(one)
        except NotFound:
            return True  # deleted meanwhile
        except Damaged:
            log.error("a blob of the spool is damaged and was set aside", extra={"blob": one.name})
            signals.emit("spool.failed", reason="Damaged")
            return True
        except VnaError as exc:
            _, pause = self._failed.get(one.name, (0.0, _FIRST_PAUSE / 2))
            pause = min(pause * 2, _LONGEST_PAUSE)
            self._failed[one.name] = time.monotonic() + pause, pause
            log.warning("blob waits in the spool", extra={"blob": one.name, "reason": str(exc)})
            signals.emit("spool.failed", reason=type(exc).__name__)
            return False
        self._failed.pop(one.name, None)
        signals.emit("spool.uploaded", bytes=one.size, seconds=time.perf_counter() - started)
        return True

    def _upload(self, one: Waiting) -> None:
        try:
            file, size, digest = self._spool.whole(one.name)
        except Damaged:
            self._spool.set_aside(one.name)
            raise
        with file:
            if size <= _MEMORY:
                self._put(one.name, file, size, digest)
            else:
                self._put_file(one.name, file, size, digest)
            self._verify(one.name, size, digest)
            if not self._spool.delete(one.name, only=file):
                self._blobs.inner.delete(one.name)  # it was deleted while it was uploaded

    def _put(self, name: str, file: BinaryIO, size: int, digest: bytes) -> None:
        data = b"".join(_read(file, size))
        self._check(name, sha256(data).digest() == digest)
        self._blobs.inner.put(name, [data])

    def _put_file(self, name: str, file: BinaryIO, size: int, digest: bytes) -> None:
        descriptor, copy = tempfile.mkstemp(prefix="incoming-", dir=self._spool.spool_folder)
        found = sha256()
        try:
            with os.fdopen(descriptor, "wb") as target:
                for piece in _read(file, size):
                    found.update(piece)
                    target.write(piece)
            self._check(name, found.digest() == digest)
            self._blobs.inner.put_file(name, Path(copy))
        finally:
            Path(copy).unlink(missing_ok=True)

    def _check(self, name: str, is_whole: bool) -> None:
        if not is_whole:
            self._spool.set_aside(name)
            raise Damaged(f"the blob {name} is torn")

    def _verify(self, name: str, size: int, digest: bytes) -> None:
        found, read = sha256(), 0
        try:
            for piece in self._blobs.inner.stream(name):
                found.update(piece)
                read += len(piece)
        except NotFound as exc:
            raise Unavailable("the object store does not have what it took") from exc
        if read != size or found.digest() != digest:
            raise Unavailable("the object store gives other bytes than it took")


def _read(file: BinaryIO, size: int) -> Iterator[bytes]:
    file.seek(0)
    while size > 0:
        piece = file.read(min(size, CHUNK))
        if not piece:
            raise Damaged("a file of the spool was cut")
        size -= len(piece)
        yield piece


def _nice() -> None:
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)

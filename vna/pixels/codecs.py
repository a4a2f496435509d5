"""Codecs in processes of their own: what a damaged frame does to a codec, it does not do to the archive."""

import atexit
import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vna.model.errors import Damaged, NotAcceptable, Unavailable
from vna.pixels.codec_wire import ANSWER, Outcome, request_head
from vna.pixels.image import Image

SECONDS_PER_FRAME: Final = 60.0
SECONDS_WAITING: Final = 600.0
_ROOT: Final = Path(__file__).parents[2]
_PIECE: Final = 1 << 20


class Codec:
    """One codec process, used by one thread at a time."""

    def __init__(self) -> None:
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vna.pixels.codec_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # codecs say there what they think of damaged frames
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)  # a process that reads no more keeps nobody waiting

    @property
    def usable(self) -> bool:
        """Whether it can take another frame."""
        return self._process.poll() is None

    def decode(self, frame: bytes, image: Image, syntax_uid: str) -> bytes:
        """As `vna.pixels.decode.decode`; also Damaged when the process does not survive, or takes too long."""
        return self.recode(frame, image, syntax_uid, "")

    def recode(self, frame: bytes, image: Image, syntax_uid: str, target_uid: str) -> bytes:
        """Decoded and then, unless `target_uid` is empty, encoded anew; `image` describes what comes in.

        A native frame is little endian. NotAcceptable when the compression cannot hold its pixels.
        """
        try:
            return self._recode(frame, image, syntax_uid, target_uid)
        except OSError as error:
            self.end()
            raise Damaged("a frame is damaged in a way that its codec does not survive") from error

    def _recode(self, frame: bytes, image: Image, syntax_uid: str, target_uid: str) -> bytes:
        deadline = time.monotonic() + SECONDS_PER_FRAME
        self._write(request_head(image, syntax_uid, target_uid, len(frame)), deadline)
        self._write(frame, deadline)
        outcome, length = ANSWER.unpack(self._read(ANSWER.size, deadline))
        content = self._read(length, deadline)
        if outcome == Outcome.NOT_ACCEPTABLE:
            raise NotAcceptable(content.decode())
        if outcome != Outcome.DONE:
            raise Damaged(content.decode())
        return content

    def _write(self, content: bytes, deadline: float) -> None:
        requests = self._process.stdin
        assert requests is not None
        left = memoryview(content)
        while left:
            self._wait(requests.fileno(), select.POLLOUT, deadline)
            left = left[os.write(requests.fileno(), left[:_PIECE]) :]

    def _read(self, count: int, deadline: float) -> bytes:
        answers = self._process.stdout
        assert answers is not None
        pieces = bytearray()
        while len(pieces) < count:
            self._wait(answers.fileno(), select.POLLIN, deadline)
            piece = os.read(answers.fileno(), min(count - len(pieces), _PIECE))
            if not piece:
                self._process.wait()
                raise BrokenPipeError
            pieces += piece
        return bytes(pieces)

    def _wait(self, descriptor: int, ready: int, deadline: float) -> None:
        poll = select.poll()  # select() takes no descriptor beyond 1023
        poll.register(descriptor, ready)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            self.end()
            raise Damaged("a frame takes too long to decode")

    def end(self) -> None:
        """Kill the process: it keeps nothing."""
        self._process.kill()
        self._close_pipes()
        self._process.wait()

    def forget(self) -> None:
        """Leave a process to the parent that we were forked from."""
        self._close_pipes()
        self._process.returncode = 0  # not ours to wait for

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Codecs:
    """Codec processes, started when needed and kept for the next; as many at once as there are processors."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._places: threading.BoundedSemaphore | None = None
        self._idle: list[Codec] = []
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @contextmanager
    def one(self) -> Iterator[Codec]:
        """A codec process to decode with; Unavailable when too many wait for one, or it takes too long to get it."""
        places = self._places
        if places is not None and not places.acquire(blocking=False):
            raise Unavailable("too many frames are waiting to be decoded; ask again in a while")
        try:
            with self._turn():
                codec = self._take()
                try:
                    yield codec
                finally:
                    self._give_back(codec)
        finally:
            if places is not None:
                places.release()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._free.acquire(timeout=SECONDS_WAITING):
            raise Unavailable("all decoders are busy")
        try:
            yield
        finally:
            self._free.release()

    def bound(self, most: int) -> None:
        """Let no more threads than this decode or wait to: a door needs others for whoever asks for no decoding."""
        self._places = threading.BoundedSemaphore(most)

    def _take(self) -> Codec:
        with self._lock:
            if self._pid != os.getpid():  # forked since: the processes belong to the parent
                self._pid = os.getpid()
                while self._idle:
                    self._idle.pop().forget()
            while self._idle:
                codec = self._idle.pop()
                if codec.usable:
                    return codec
                codec.end()
        return Codec()

    def _give_back(self, codec: Codec) -> None:
        if not codec.usable:
            codec.end()
            return
        with self._lock:
            self._idle.append(codec)

    def close(self) -> None:
        """End all that are idle."""
        with self._lock:
            while self._pid == os.getpid() and self._idle:
                self._idle.pop().end()


CODECS: Final = Codecs(os.cpu_count() or 2)
"""One set for the whole process: its processes cost half a second each to start, and are the same for everybody."""

atexit.register(CODECS.close)

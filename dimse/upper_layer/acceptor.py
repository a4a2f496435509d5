"""Listening sockets, one or two, for all workers: connections go to the worker with the fewest, or are refused
politely.

The supervisor owns the loop: it calls poll(), and adds and removes workers as it forks and reaps them.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dimse.upper_layer.refusal import Refusal
from vna import events as signals

log = logging.getLogger(__name__)

ACCEPTED_AT_ONCE: Final = 64
"""Connections taken before the other descriptors get their turn."""

OUT_OF_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

PAUSE_WITHOUT_DESCRIPTORS: Final = 0.05
"""When not even one connection can be turned away: seconds before the next look."""

ENDED: Final = b"E"
"""A worker's report that one association has ended."""

CONNECTION: Final = b"C"


@dataclass(slots=True)
class Counters:
    """What became of the connections since the start."""

    handed_over: int = 0
    refused: int = 0
    dropped: int = 0


def listen(host: str, port: int, backlog: int = 4096) -> socket.socket:
    """A listening socket. Receive buffers are left to the kernel, which sizes them better than a fixed SO_RCVBUF."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """The supervisor's and the worker's end of a channel."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Acceptor:
    """Spreads connections over workers; at most `limit` associations at once, and `refusals` on their way out."""

    def __init__(
        self,
        listen_sock: socket.socket,
        limit: int = 400,
        *,
        also: Sequence[socket.socket] = (),
        refusals: int = 256,
        refusal_seconds: float = 5.0,
    ) -> None:
        """`also` are more sockets that listen: whoever serves a connection sees by its own port whence it came."""
        self.limit = limit
        self.counters = Counters()
        self._listeners = (listen_sock, *also)
        self._refusal_limit = refusals
        self._refusal_seconds = refusal_seconds
        self._workers: dict[socket.socket, int] = {}
        self._refusals: dict[socket.socket, Refusal] = {}
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._selector = selectors.DefaultSelector()
        for listener in self._listeners:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ)

    def fileno(self) -> int:
        """Readable when poll() has work, for a loop of the supervisor's own; refusals time out in poll() only."""
        assert isinstance(self._selector, selectors.EpollSelector)
        return self._selector.fileno()

    @property
    def active(self) -> int:
        """Associations in all workers."""
        return sum(self._workers.values())

    @property
    def load(self) -> list[int]:
        """Associations by worker, in the order in which they were added."""
        return list(self._workers.values())

    def add_worker(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self._workers[channel] = 0
        self._selector.register(channel, selectors.EVENT_READ)

    def remove_worker(self, channel: socket.socket) -> None:
        """Give it nothing more; its associations no longer count. Closing the channel tells the worker to stop."""
        if self._workers.pop(channel, None) is None:
            return
        self._selector.unregister(channel)
        channel.close()

    def poll(self, timeout: float) -> None:
        """Wait at most so long for something to do, and do it."""
        for key, _ in self._selector.select(timeout):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if sock in self._listeners:
                self._accept(sock)
            elif sock in self._workers:
                self._hear(sock)
            elif sock in self._refusals and self._refusals[sock].advance():
                self._end_refusal(sock)
        self._expire_refusals()

    def close(self) -> None:
        """Stop listening and let go of all workers."""
        for channel in list(self._workers):
            self.remove_worker(channel)
        for sock in list(self._refusals):
            self._end_refusal(sock)
        self._selector.close()
        for listener in self._listeners:
            listener.close()
        self._give_up_spare()

    def forget(self) -> None:
        """In a process forked from the supervisor: let go of every descriptor, and change nothing that is shared."""
        self._selector.close()
        for sock in (*self._listeners, *self._workers, *self._refusals):
            sock.close()
        self._give_up_spare()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue
            except OSError as error:
                if error.errno not in OUT_OF_DESCRIPTORS:
                    raise
                self._shed(listener)
                return
            if self.active >= self.limit or not self._hand_over(sock):
                self._refuse(sock)

    def _hand_over(self, sock: socket.socket) -> bool:
        """To the worker with the fewest associations that takes it."""
        for channel in sorted(self._workers, key=self._workers.__getitem__):
            try:
                socket.send_fds(channel, [CONNECTION], [sock.fileno()])
            except OSError:  # it is full, or dying; the supervisor will notice
                continue
            self._workers[channel] += 1
            self.counters.handed_over += 1
            sock.close()
            return True
        return False

    def _hear(self, channel: socket.socket) -> None:
        """Take a worker's reports; a closed channel is a dead worker."""
        while True:
            try:
                report = channel.recv(4096)
            except BlockingIOError:
                return
            except OSError:
                report = b""
            if not report:
                self.remove_worker(channel)
                return
            self._workers[channel] = max(0, self._workers[channel] - report.count(ENDED))

    def _refuse(self, sock: socket.socket) -> None:
        if len(self._refusals) >= self._refusal_limit:
            self.counters.dropped += 1
            sock.close()
            return
        if not self._refusals:
            log.warning("connections refused", extra={"associations": self.active, "limit": self.limit})
        self.counters.refused += 1
        signals.emit("association.refused", reason="local limit")
        sock.setblocking(False)
        self._refusals[sock] = Refusal(sock, time.monotonic() + self._refusal_seconds)
        self._selector.register(sock, selectors.EVENT_READ)

    def _end_refusal(self, sock: socket.socket) -> None:
        del self._refusals[sock]
        self._selector.unregister(sock)
        sock.close()

    def _expire_refusals(self) -> None:
        now = time.monotonic()
        for sock in [sock for sock, refusal in self._refusals.items() if refusal.deadline < now]:
            self._end_refusal(sock)

    def _shed(self, listener: socket.socket) -> None:
        """Out of descriptors: use the spare one to turn a waiting connection away, or it would be reported for ever."""
        log.error("out of file descriptors")
        self._give_up_spare()
        try:
            listener.accept()[0].close()
            self.counters.dropped += 1
        except OSError:
            time.sleep(PAUSE_WITHOUT_DESCRIPTORS)
        with contextlib.suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _give_up_spare(self) -> None:
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1

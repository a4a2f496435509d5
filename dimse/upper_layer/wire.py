"""Sockets as the lean path uses them: whole sends under a lock, receives into a buffer, and a wake-up to wait with."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Sequence
from typing import Final, Protocol

TICK: Final = 0.25
"""How long a receive in the middle of a message blocks before the receiving thread looks around."""

MAX_BUFFERS: Final = 512
"""Buffers given to one sendmsg(); the kernel takes 1024."""

TLS_RECORD_BATCH: Final = 1 << 16

type_timeval: Final = "ll"


class Stalled(Exception):
    """Nothing came within a tick."""


class SendTimeout(OSError):
    """The peer took no byte for the length of the send time-out."""


class Wire(Protocol):
    """A connected byte stream; one thread receives, any thread sends."""

    def fileno(self) -> int: ...

    def pending(self) -> bool:
        """Whether bytes wait in this process, where poll() does not see them."""

    def receive_into(self, space: memoryview) -> int:
        """Receive at least one byte; 0 when the peer has closed, Stalled after a tick."""

    def send(self, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        """Send all of it, not mixed with what other threads send."""

    def half_close(self) -> None:
        """Tell the peer that nothing more will come."""

    def shut_down(self) -> None:
        """Cut the connection under threads that use it; never blocks."""

    def close(self) -> None: ...


class PlainWire:
    """TCP without TLS. The socket blocks; the kernel's own time-outs spare a poll() before every call."""

    def __init__(self, sock: socket.socket, send_timeout: float) -> None:
        self._socket = sock
        self._send_lock = threading.Lock()
        self._send_timeout = send_timeout
        sock.settimeout(None)
        tick = struct.pack(type_timeval, 0, int(TICK * 1_000_000))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, tick)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack(type_timeval, 1, 0))
        send_immediately(sock)
        acknowledge_immediately(sock)

    def fileno(self) -> int:
        return self._socket.fileno()

    def pending(self) -> bool:
        return False

    def receive_into(self, space: memoryview) -> int:
        try:
            count = self._socket.recv_into(space)
        except BlockingIOError:
            raise Stalled from None
        if count:
            acknowledge_immediately(self._socket)
        return count

    def send(self, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        with self._send_lock:
            pending = list(buffers)
            total = sum(len(piece) for piece in pending)
            deadline = time.monotonic() + self._send_timeout
            while True:
                try:
                    sent = self._socket.sendmsg(pending[:MAX_BUFFERS])
                except BlockingIOError:
                    sent = 0
                total -= sent
                if total <= 0:
                    return
                if sent:
                    deadline = time.monotonic() + self._send_timeout
                    pending = remainder(pending, sent)
                elif time.monotonic() > deadline:
                    raise SendTimeout("the peer takes no data")

    def half_close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def shut_down(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.shut_down()
        # Not under a thread that sends: its descriptor number could be another connection's by then.
        held = self._send_lock.acquire(timeout=2 * TICK)
        self._socket.close()
        if held:
            self._send_lock.release()


class TlsWire:
    """TCP under TLS. OpenSSL takes one call at a time on a connection, so calls do not block and are locked."""

    def __init__(self, sock: ssl.SSLSocket, send_timeout: float) -> None:
        self._socket = sock
        self._send_lock = threading.Lock()
        self._tls_lock = threading.Lock()
        self._send_timeout = send_timeout
        sock.settimeout(0)
        send_immediately(sock)
        acknowledge_immediately(sock)

    def fileno(self) -> int:
        return self._socket.fileno()

    def pending(self) -> bool:
        with self._tls_lock:
            return self._socket.fileno() >= 0 and self._socket.pending() > 0

    def receive_into(self, space: memoryview) -> int:
        deadline = time.monotonic() + TICK
        while True:
            try:
                with self._tls_lock:
                    count = self._socket.recv_into(space)
                if count:
                    acknowledge_immediately(self._socket)
                return count
            except ssl.SSLWantReadError:
                wait_for(self._socket, select.POLLIN, deadline)
            except ssl.SSLWantWriteError:
                wait_for(self._socket, select.POLLOUT, deadline)
            except ssl.SSLEOFError:
                return 0

    def send(self, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        with self._send_lock:
            for batch in batches(buffers, TLS_RECORD_BATCH):
                self._send_batch(batch)

    def _send_batch(self, batch: memoryview) -> None:
        deadline = time.monotonic() + self._send_timeout
        while batch:
            try:
                with self._tls_lock:
                    sent = self._socket.send(batch)
                batch = batch[sent:]
                continue
            except ssl.SSLWantWriteError:
                event = select.POLLOUT
            except ssl.SSLWantReadError:
                event = select.POLLIN
            try:
                wait_for(self._socket, event, deadline)
            except Stalled:
                raise SendTimeout("the peer takes no data") from None

    def half_close(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._tls_lock:
            self._socket.unwrap()  # sends the closing alert, and does not wait for the peer's
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_WR)

    def shut_down(self) -> None:
        # The plain method: SSLSocket.shutdown() would drop the TLS object under another thread's call.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        self.shut_down()
        held = self._send_lock.acquire(timeout=2 * TICK)
        with self._tls_lock:
            self._socket.close()
        if held:
            self._send_lock.release()


def make_wire(sock: socket.socket, send_timeout: float) -> Wire:
    if isinstance(sock, ssl.SSLSocket):
        return TlsWire(sock, send_timeout)
    return PlainWire(sock, send_timeout)


def send_immediately(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def acknowledge_immediately(sock: socket.socket) -> None:
    """Spare senders that use Nagle's algorithm the wait for our delayed acknowledgement; the kernel forgets this."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def remainder(buffers: Sequence[bytes | bytearray | memoryview], sent: int) -> list[bytes | bytearray | memoryview]:
    """What is left of the buffers after their first `sent` bytes."""
    for index, piece in enumerate(buffers):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *buffers[index + 1 :]]
        sent -= len(piece)
    return []


def batches(buffers: Sequence[bytes | bytearray | memoryview], size: int) -> list[memoryview]:
    """The same bytes in pieces of about `size`, so that small buffers share a TLS record."""
    joined: list[memoryview] = []
    small = bytearray()
    for piece in buffers:
        if len(piece) < size // 4:
            small += piece
            continue
        if small:
            joined.append(memoryview(bytes(small)))
            small.clear()
        view = memoryview(piece)
        joined.extend(view[start : start + size] for start in range(0, len(view), size))
    if small:
        joined.append(memoryview(bytes(small)))
    return joined


def wait_for(sock: socket.socket, event: int, deadline: float) -> None:
    """Wait until the socket is ready; Stalled at the deadline."""
    descriptor = sock.fileno()
    if descriptor < 0:
        raise OSError("the connection is closed")
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise Stalled


class WakeUp:
    """Ends another thread's wait() on a wire; wake() may be called at any time, before open() and after close() too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._descriptor = -1
        self._woken_early = False

    def open(self) -> None:
        """Take the descriptor that wait() needs."""
        with self._lock:
            self._descriptor = os.eventfd(int(self._woken_early), os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def wake(self) -> None:
        with self._lock:
            if self._descriptor >= 0:
                os.eventfd_write(self._descriptor, 1)
            else:
                self._woken_early = True

    def wait(self, wire: Wire | None, timeout: float) -> bool:
        """Wait for bytes on the wire, a wake-up or the time-out; whether it was the wire."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        descriptor = wire.fileno() if wire else -1
        if descriptor >= 0:
            poll.register(descriptor, select.POLLIN)
        ready = poll.poll(timeout * 1000)
        for number, _ in ready:
            if number == self._descriptor:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(number)
        return any(number == descriptor for number, _ in ready)

    def close(self) -> None:
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

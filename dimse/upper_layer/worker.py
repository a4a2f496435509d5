"""The worker's side of the Acceptor: connections come in over a channel, ends are reported back."""

from __future__ import annotations

import contextlib
import logging
import resource
import select
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

from dimse.upper_layer.acceptor import ENDED
from dimse.upper_layer.server import Server

log = logging.getLogger(__name__)

Caller = Callable[[socket.socket, Any], Any]

LONGEST_WAIT: Final = 0.5
"""How soon a stop event is noticed."""


class ConnectionChannel:
    """A worker's end of a channel_pair()."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._lock = threading.Lock()

    def receive(self, timeout: float) -> socket.socket | None:
        """The next connection, None if there is none within the time-out; EOFError when the supervisor has gone."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if not poll.poll(timeout * 1000):
            return None
        message, descriptors, _, _ = socket.recv_fds(self._socket, 1, 1)
        if not message:
            raise EOFError
        if not descriptors:  # none were left for it
            self.report_end()
            return None
        return socket.socket(fileno=descriptors[0])

    def report_end(self) -> None:
        """Tell the supervisor that one association has ended."""
        with self._lock, contextlib.suppress(OSError):
            self._socket.send(ENDED)

    def close(self) -> None:
        with self._lock:
            self._socket.close()


def run_worker(
    server: Server,
    channel: ConnectionChannel,
    stop_event: threading.Event,
    *,
    grace_seconds: float = 30.0,
    caller: Caller | None = None,
) -> None:
    """Serve what the channel brings until the event is set or the supervisor has gone; then let associations finish."""
    allow_many_descriptors()
    while not stop_event.is_set():
        try:
            sock = channel.receive(LONGEST_WAIT)
        except (EOFError, OSError):
            break
        if sock is not None:
            start(server, sock, channel, caller)
    server.shutdown(grace_seconds)


def start(server: Server, sock: socket.socket, channel: ConnectionChannel, caller: Caller | None = None) -> None:
    """Serve one connection; `caller` says of a balancer's who is behind it."""
    try:
        address = sock.getpeername()
        if caller is not None:
            address = caller(sock, address)
    except OSError as exc:  # gone already, or nobody can say who it is
        log.warning("connection not served", extra={"reason": str(exc)})
        sock.close()
        channel.report_end()
        return
    try:
        server.serve_connection(sock, address, channel.report_end)
    except Exception:
        log.exception("connection not served")


def allow_many_descriptors() -> None:
    """An association takes two descriptors and its store more; the usual soft limit of 1024 is soon reached."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

"""The TLS handshake of a connection, whole within its time, and what went wrong with it in words (PS3.15 B.12)."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dimse.upper_layer.profile import NO_REASON_GIVEN
from dimse.upper_layer.stream import PDU_HEADER
from dimse.upper_layer.wire import Stalled, wait_for
from vna.security.tls import HANDSHAKE

_A_ASSOCIATE_RQ: Final = 0x01
_LONGEST_REQUEST: Final = 1 << 16
_REJECTION: Final = PDU_HEADER.pack(0x03, 4) + bytes(
    (0, NO_REASON_GIVEN.result, NO_REASON_GIVEN.source, NO_REASON_GIVEN.reason)
)


class NotSecured(OSError):
    """The other side does not speak TLS, or is not whom we mean to speak to."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How we call: `host` is the name that the certificate has to be for, where the context checks it; `accepts`
    judges the certificate (DER)."""

    context: ssl.SSLContext
    host: str
    accepts: Callable[[bytes], bool] = lambda _certificate: True


def secured(sock: socket.socket, context: ssl.SSLContext, seconds: float) -> ssl.SSLSocket:
    """As the listening side; a connection that begins with something else than TLS is told so, as far as that can
    be."""
    deadline = time.monotonic() + seconds
    sock.settimeout(0)
    try:
        wait_for(sock, select.POLLIN, deadline)
    except Stalled:
        raise NotSecured("nothing came") from None
    first = sock.recv(1, socket.MSG_PEEK)
    if first and first != HANDSHAKE:
        _turn_away(sock, first[0])
        raise NotSecured("plain text came to a port that speaks TLS")
    wrapped = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    try:
        _shake_hands(wrapped, deadline)
    except BaseException:
        wrapped.close()
        raise
    return wrapped


def calling(sock: socket.socket, tls: Tls, seconds: float) -> ssl.SSLSocket:
    """As the side that called."""
    deadline = time.monotonic() + seconds
    try:
        sock.settimeout(0)
        wrapped = tls.context.wrap_socket(sock, server_hostname=tls.host, do_handshake_on_connect=False)
    except BaseException:
        sock.close()
        raise
    try:
        _shake_hands(wrapped, deadline)
        if not tls.accepts(wrapped.getpeercert(binary_form=True) or b""):
            raise NotSecured("the peer shows another certificate than it is bound to")
    except BaseException:
        wrapped.close()
        raise
    return wrapped


def is_of_tls(error: OSError) -> bool:
    """Whether there was a connection, and TLS is what failed on it."""
    return isinstance(error, ssl.SSLError | NotSecured)


def _shake_hands(sock: ssl.SSLSocket, deadline: float) -> None:
    while True:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            event = select.POLLIN
        except ssl.SSLWantWriteError:
            event = select.POLLOUT
        else:
            return
        try:
            wait_for(sock, event, deadline)
        except Stalled:
            raise NotSecured("the handshake takes too long") from None


def _turn_away(sock: socket.socket, first: int) -> None:
    """A-ASSOCIATE-RJ to who asks for an association; what was read of the request does not take the answer along."""
    with contextlib.suppress(OSError):
        sock.recv(_LONGEST_REQUEST)
        if first == _A_ASSOCIATE_RQ:
            sock.send(_REJECTION)
            sock.shutdown(socket.SHUT_WR)

"""Syslog to an audit record repository (ITI TF-2 3.20; RFC 5424 over TLS, RFC 5425, or UDP, RFC 5426)."""

import fcntl
import re
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from vna.model.errors import Unavailable

PRIORITY: Final = 10 * 8 + 5
"""Facility security/authorization, severity notice (PS3.15 A.6)."""
MESSAGE_ID: Final = "IHE+RFC-3881"
TLS_PORT: Final = 6514
UDP_PORT: Final = 514
LONGEST_DATAGRAM: Final = 65_507

_BOM = b"\xef\xbb\xbf"
_CONNECT_SECONDS = 10.0
_SECONDS = 30.0
_REFUSAL_SECONDS = 0.2
_PATIENCE_SECONDS = 2.0
_ESTABLISHED, _CLOSE_WAIT = 1, 8  # Linux, tcp_states.h: nobody has ended the connection; the other side has
_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]")


def syslog_message(xml: bytes, at: datetime, *, host: str, process: str) -> bytes:
    """SYSLOG-MSG (RFC 5424 6): no structured data, the message in UTF-8 behind its mark."""
    stamp = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    header = f"<{PRIORITY}>1 {stamp} {_name(host, 255)} vna {_name(process, 128)} {MESSAGE_ID} - "
    return header.encode("ascii") + _BOM + xml


def _name(text: str, longest: int) -> str:
    return _NOT_PRINTABLE.sub("", text)[:longest] or "-"


class Repository(Protocol):
    """Where messages go; `longest` is that of a message, 0 for any."""

    @property
    def longest(self) -> int: ...

    def send(self, messages: Sequence[bytes]) -> None:
        """Give it messages in order; returns when all arrived, as far as the transport lets one know. Else
        Unavailable: then some of them may have arrived."""


@dataclass(frozen=True, slots=True)
class TlsRepository:
    """Over TLS (RFC 5425): a connection for each call.

    Syslog has no acknowledgment. So we end the connection after the last message, and messages have arrived when the
    other side then ends it too: it does so when it has read everything. A reset is what comes where it has not.
    """

    host: str
    port: int
    context: Callable[[], ssl.SSLContext]
    longest: int = 0

    def send(self, messages: Sequence[bytes]) -> None:
        """As many as there are, each with its length before it (RFC 5425 4.3)."""
        where = f"{self.host}:{self.port}"
        try:
            with (
                socket.create_connection((self.host, self.port), timeout=_CONNECT_SECONDS) as plain,
                self.context().wrap_socket(plain, server_hostname=self.host) as secured,
            ):
                secured.settimeout(_SECONDS)
                for message in messages:
                    secured.sendall(b"%d %b" % (len(message), message))
                _end(secured)
        except OSError as exc:
            reason = getattr(exc, "verify_message", "") or getattr(exc, "reason", "") or exc.strerror or exc
            raise Unavailable(f"the audit record repository at {where} does not take messages: {reason}") from exc


def _end(secured: ssl.SSLSocket) -> None:
    """close_notify, and wait until the other side ends too: by its own and TCP's end, or as many do by that alone."""
    is_answered = True
    try:
        secured.unwrap()
    except ssl.SSLEOFError:
        is_answered = False
    begun = time.monotonic()
    while not _is_read(secured, is_open=is_answered and time.monotonic() - begun > _PATIENCE_SECONDS):
        if time.monotonic() - begun > _SECONDS:
            raise TimeoutError("not everything was acknowledged")
        time.sleep(0.01)


def _is_read(sock: socket.socket, *, is_open: bool) -> bool:
    """Whether everything was read: acknowledged by the other machine, whose end came then, and no reset.

    `is_open` is for those that answer close_notify and wait for us to end the connection.
    """
    waits, state = _unacknowledged(sock), _state(sock)
    if state not in {_ESTABLISHED, _CLOSE_WAIT}:
        raise ConnectionResetError("the connection was reset before everything was read")
    return not waits and (state == _CLOSE_WAIT or is_open)


def _unacknowledged(sock: socket.socket) -> int:
    """Bytes that the other machine has not acknowledged (tcp(7), SIOCOUTQ)."""
    found = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    return int(struct.unpack("i", found)[0])


def _state(sock: socket.socket) -> int:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


@dataclass(frozen=True, slots=True)
class UdpRepository:
    """Over UDP (RFC 5426): a datagram a message, and nobody knows what arrived. A refusal of the port is seen."""

    host: str
    port: int
    longest: int = LONGEST_DATAGRAM

    def send(self, messages: Sequence[bytes]) -> None:
        """As datagrams; a moment for the refusal to come."""
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind, protocol) as sock:
                sock.connect(address)
                for message in messages:
                    sock.send(message)
                sock.settimeout(_REFUSAL_SECONDS)
                _hear(sock)
        except OSError as exc:
            reason = exc.strerror or exc
            raise Unavailable(
                f"the audit record repository at {self.host}:{self.port} does not take messages: {reason}"
            ) from exc


def _hear(sock: socket.socket) -> None:
    try:
        sock.recv(1)
    except TimeoutError:
        return

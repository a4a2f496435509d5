"""Is our clock right? SNTP (RFC 4330) as IHE's Consistent Time asks it (ITI TF-1 7, ITI TF-2 3.1)."""

import secrets
import socket
import struct
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from vna.model.errors import Unavailable

_PORT = 123
_SECONDS = 3.0
_TRIES = 4
_EPOCH = 2_208_988_800
"""Seconds from 1900, when NTP begins, to 1970."""
_ERA = 1 << 32
_CLIENT = 0x23
"""Version 4, mode client (RFC 4330 4)."""
_SERVER_MODE = 4
_LEAP_UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """By how many seconds we are behind the server (negative: ahead), and how long the answer took."""

    offset: float
    delay: float


def measure(server: str) -> Measured:
    """Ask a few times and believe the quickest answer; Unavailable where none comes that is to be believed."""
    host, port = _place(server)
    answers: list[Measured] = []
    reason = ""
    for _ in range(_TRIES):
        try:
            answers.append(_ask(host, port))
        except (OSError, ValueError) as exc:
            reason = str(exc) or type(exc).__name__
            if not answers and isinstance(exc, socket.gaierror):
                break
    if not answers:
        raise Unavailable(f"the time server {server} does not answer: {reason}")
    return min(answers, key=lambda one: one.delay)


def _place(server: str) -> tuple[str, int]:
    """Of `name`, `name:port`, an address, `[IPv6]:port`."""
    if server.count(":") > 1 and not server.startswith("["):
        return server, _PORT
    parts = urlsplit(f"//{server}")
    return parts.hostname or server, parts.port or _PORT


def _ask(host: str, port: int) -> Measured:
    place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(place[0], socket.SOCK_DGRAM) as sock:
        sock.settimeout(_SECONDS)
        sock.connect(place[4])
        mark = secrets.token_bytes(8)  # comes back as Originate Timestamp: nobody can guess it
        sent, began = time.time(), time.monotonic()
        sock.send(struct.pack("!B39x8s", _CLIENT, mark))
        answer = sock.recv(512)
        took = time.monotonic() - began
    return read(answer, mark, sent, sent + took)


def read(answer: bytes, mark: bytes, sent: float, came: float) -> Measured:
    """What an answer says (RFC 4330 5); ValueError where it is none to our question, or its server has no time."""
    if len(answer) < 48:
        raise ValueError("the answer is too short")
    first, stratum = answer[0], answer[1]
    if first & 7 != _SERVER_MODE or answer[24:32] != mark:
        raise ValueError("that is no answer to our question")
    if first >> 6 == _LEAP_UNKNOWN or not 1 <= stratum <= 15:
        raise ValueError("the server has no time itself")
    received, transmitted = _time(answer[32:40], sent), _time(answer[40:48], sent)
    offset = ((received - sent) + (transmitted - came)) / 2
    return Measured(offset, max((came - sent) - (transmitted - received), 0.0))


def _time(stamp: bytes, near: float) -> float:
    """Seconds since 1970: of the era that is nearest to our clock (RFC 4330 3)."""
    seconds, fraction = struct.unpack("!II", stamp)
    if not seconds:
        raise ValueError("the server says no time")
    at = seconds - _EPOCH + fraction / _ERA
    return float(at + round((near - at) / _ERA) * _ERA)

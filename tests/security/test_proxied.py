"""The PROXY protocol: who calls through a balancer, and what is refused."""

from __future__ import annotations

import socket
import struct

import pytest

from vna.proxied import Proxies

ADDRESS = ("127.0.0.1", 4000)
V2 = b"\r\n\r\n\x00\r\nQUIT\n"
FOUR = socket.inet_aton("10.0.0.7") + socket.inet_aton("10.0.0.1") + struct.pack("!HH", 50123, 104)
SIX = socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2 + struct.pack("!HH", 50123, 104)


def _asked(said: bytes, *networks: str) -> tuple[object, bytes]:
    """Who calls, and what is left to be read."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(said + b"A-ASSOCIATE")
        theirs.shutdown(socket.SHUT_WR)
        place = Proxies(networks or ("127.0.0.0/8",)).caller(ours, ADDRESS)
        return tuple(place), ours.recv(1000)


@pytest.mark.parametrize(
    ("said", "place"),
    [
        (b"PROXY TCP4 10.0.0.7 10.0.0.1 50123 104\r\n", ("10.0.0.7", 50123)),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 50123 104\r\n", ("2001:db8::7", 50123)),
        (b"PROXY UNKNOWN\r\n", ADDRESS),
        (V2 + struct.pack("!BBH", 0x21, 0x11, 12) + FOUR, ("10.0.0.7", 50123)),
        (V2 + struct.pack("!BBH", 0x21, 0x11, 15) + FOUR + b"tlv", ("10.0.0.7", 50123)),
        (V2 + struct.pack("!BBH", 0x21, 0x21, 36) + SIX, ("2001:db8::7", 50123)),
        (V2 + struct.pack("!BBH", 0x20, 0x00, 0), ADDRESS),
    ],
)
def test_a_balancer_says_who_calls_and_the_rest_is_the_callers(said: bytes, place: object) -> None:
    assert _asked(said) == (place, b"A-ASSOCIATE")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"PROXY TCP4 10.0.0.7\r\n",
        b"PROXY TCP4 nowhere 10.0.0.1 50123 104\r\n",
        b"PROXY TCP4 10.0.0.7 10.0.0.1 x 104\r\n",
        b"PROXY " + b"x" * 200,
        V2 + struct.pack("!BBH", 0x31, 0x11, 12) + FOUR,
        V2 + struct.pack("!BBH", 0x21, 0x11, 60000),
        V2 + struct.pack("!BBH", 0x21, 0x11, 4) + FOUR,
    ],
)
def test_a_balancer_that_does_not_say_who_calls_is_refused(said: bytes) -> None:
    with pytest.raises(ConnectionError, match="PROXY header"):
        _asked(said)


def test_whoever_is_no_balancer_is_not_believed() -> None:
    said = b"PROXY TCP4 10.0.0.7 10.0.0.1 50123 104\r\n"
    assert _asked(said, "10.0.0.0/8") == (ADDRESS, said + b"A-ASSOCIATE")

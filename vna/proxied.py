"""Who calls through a balancer: the PROXY protocol, versions 1 and 2, in front of what the caller says.

https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt, sections 2.1 and 2.2.
"""

import ipaddress
import select
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any, Final

_SECONDS: Final = 2.0
"""A balancer sends the header with the connection; whoever has not by then is none."""
_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_LONGEST_LINE: Final = 107
_FIXED: Final = 16
_LONGEST: Final = 1024
_FAMILIES: Final = {0x11: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}


class Proxies:
    """Balancers by their networks: a connection of theirs has to begin with a header, one of others must not."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(text, strict=False) for text in networks]

    def caller(self, sock: socket.socket, place: Any) -> Any:
        """Address and port of who calls; of a balancer's own look at the port its own. ConnectionError when it does not
        say. Waits for at most two seconds."""
        if not self._networks or not self._is_proxy(str(place[0])):
            return place
        sock.setblocking(True)
        head = _peeked(sock, len(_SIGNATURE))
        found = _second(sock) if head == _SIGNATURE else _first(sock)
        return found or place

    def _is_proxy(self, address: str) -> bool:
        at: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(at, ipaddress.IPv6Address) and at.ipv4_mapped is not None:
            at = at.ipv4_mapped
        return any(at in network for network in self._networks)


def _first(sock: socket.socket) -> tuple[str, int] | None:
    """`PROXY TCP4 10.0.0.7 10.0.0.1 50123 104` and CR LF."""
    deadline = time.monotonic() + _SECONDS
    while b"\r\n" not in (seen := _peeked(sock, 1, deadline, _LONGEST_LINE)):
        if not b"PROXY ".startswith(seen[:6]) or len(seen) >= _LONGEST_LINE:
            raise ConnectionError("a balancer's connection begins with no PROXY header")
        _peeked(sock, len(seen) + 1, deadline)
    line = seen.partition(b"\r\n")[0]
    sock.recv(len(line) + 2)
    words = line.decode("ascii", "replace").split(" ")
    if words[:2] == ["PROXY", "UNKNOWN"]:
        return None
    if len(words) != 6 or words[0] != "PROXY":
        raise ConnectionError("a balancer's PROXY header is malformed")
    try:
        return str(ipaddress.ip_address(words[2])), int(words[4])
    except ValueError as exc:
        raise ConnectionError("a balancer's PROXY header is malformed") from exc


def _second(sock: socket.socket) -> tuple[str, int] | None:
    """Signature, version and command, family, length, addresses and ports."""
    command, family, length = struct.unpack("!BBH", _peeked(sock, _FIXED)[12:])
    if command >> 4 != 2 or length > _LONGEST:
        raise ConnectionError("a balancer's PROXY header is malformed")
    header = _peeked(sock, _FIXED + length)
    sock.recv(len(header))
    if command & 0x0F == 0 or family not in _FAMILIES:  # LOCAL: the balancer speaks for itself
        return None
    kind, size = _FAMILIES[family]
    if length < 2 * size + 4:
        raise ConnectionError("a balancer's PROXY header is malformed")
    port = struct.unpack_from("!H", header, _FIXED + 2 * size)[0]
    return socket.inet_ntop(kind, header[_FIXED : _FIXED + size]), int(port)


def _peeked(sock: socket.socket, least: int, deadline: float | None = None, most: int = 0) -> bytes:
    """At least so many bytes, which stay to be read."""
    deadline = deadline or time.monotonic() + _SECONDS
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        if not poll.poll(left * 1000):
            break
        seen = sock.recv(most or least, socket.MSG_PEEK)
        if not seen:
            break
        if len(seen) >= least:
            return seen
        time.sleep(0.002)
    raise ConnectionError("a balancer's connection begins with no PROXY header")

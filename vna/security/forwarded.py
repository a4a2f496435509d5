"""What a configured proxy says of the request that it passes on: X-Forwarded-*, or Forwarded (RFC 7239)."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

FORWARDED_HOST = "vna.forwarded_host"
"""Key of a scope whose Host field is what a configured proxy was called by."""

_SCHEMES = frozenset({"http", "https"})
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_OLDER = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?P<port>:[0-9]{1,5})?")
_PAIR = re.compile(r'\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))\s*(;|,|$)')


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What was said: the addresses that the request came by, the nearest last; empty text for what was not said."""

    came_by: tuple[str, ...] = ()
    scheme: str = ""
    host: str = ""
    port: str = ""


class ForwardedFields:
    """Puts what a configured proxy says in the place of what the connection says; of others it means nothing.

    Of several entries the last counts, which is the proxy's own. Forwarded counts where none of the older fields is
    there: a proxy sets one kind, and what it passes on of the other is its caller's.
    """

    def __init__(self, app: ASGIApp, trusted_proxies: Iterable[str]) -> None:
        self._app = app
        self._networks = [ipaddress.ip_network(text, strict=False) for text in trusted_proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._networks and self._is_proxy((scope.get("client") or ("",))[0]):
            scope = self._as_forwarded(scope)
        await self._app(scope, receive, send)

    def _as_forwarded(self, scope: Scope) -> Scope:
        headers = MutableHeaders(raw=list(scope["headers"]))
        is_older = any(name in headers for name in _OLDER)
        said = _older(headers) if is_older else _rfc_7239(headers)
        scope = {**scope, "headers": headers.raw}
        if said.scheme in _SCHEMES:
            scope["scheme"] = said.scheme
        if _HOST.fullmatch(said.host):
            headers["host"] = said.host
            scope[FORWARDED_HOST] = True
        elif is_older and not said.host and _HOST.fullmatch(headers.get("host", "")):
            scope[FORWARDED_HOST] = True  # it kept the Host field that it was called by
        _add_port(headers, said.port, scope.get("scheme", "http"))
        outside = [address for address in said.came_by if not self._is_proxy(address)]
        if outside:
            scope["client"] = (outside[-1], 0)
        return scope

    def _is_proxy(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


def _add_port(headers: MutableHeaders, port: str, scheme: str) -> None:
    """The port that the proxy was called at, to a name that says none."""
    named = _HOST.fullmatch(headers.get("host", ""))
    if named and not named["port"] and port.isdecimal() and port != _DEFAULT_PORTS.get(scheme):
        headers["host"] += f":{port}"


def _older(headers: Headers) -> Forwarded:
    addresses, *rest = (_entries(headers, name) for name in _OLDER)
    scheme, host, port = (entries[-1].lower() if entries else "" for entries in rest)
    return Forwarded(tuple(addresses), scheme, host, port)


def _entries(headers: Headers, name: str) -> list[str]:
    return [entry.strip() for entry in ",".join(headers.getlist(name)).split(",") if entry.strip()]


def _rfc_7239(headers: Headers) -> Forwarded:
    """RFC 7239 4; a field that is malformed says nothing."""
    elements: list[dict[str, str]] = [{}]
    text, at = ",".join(headers.getlist("forwarded")), 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None:
            return Forwarded()
        elements[-1][found[1].lower()] = re.sub(r"\\(.)", r"\1", found[2]) if found[2] is not None else found[3]
        at = found.end()
        if found[4] == ",":
            elements.append({})
    came_by = tuple(_address(element["for"]) for element in elements if "for" in element)
    nearest = elements[-1]
    return Forwarded(came_by, nearest.get("proto", "").lower(), nearest.get("host", "").lower())


def _address(node: str) -> str:
    """Without port, and without the brackets of IPv6 (RFC 7239 6)."""
    if node.startswith("["):
        return node[1:].partition("]")[0]
    return node.partition(":")[0]

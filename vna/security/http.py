"""Who asks over HTTP, and from where: middleware around every HTTP door.

`local` believes whoever reaches it, and makes sure that only this machine does: a web page elsewhere that makes a
browser ask (DNS rebinding, cross-site requests) is refused by Host and Origin. `enforced` wants a login every time.
"""

import base64
import binascii
import ipaddress
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit

import anyio
from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vna.model.access import Action, Actor, ActorKind
from vna.model.errors import BadRequest, NotAuthorized, TooLarge, VnaError
from vna.security.accounts import Accounts
from vna.security.break_glass import FIELD, in_emergency
from vna.security.browsers import SESSION, cookie, is_forged, is_navigation
from vna.security.certified import Certified
from vna.security.forwarded import FORWARDED_HOST, ForwardedFields
from vna.security.links import Links
from vna.security.peers import Peers
from vna.security.sessions import Sessions

log = logging.getLogger(__name__)

_DEFAULT_PORTS = {"http": 80, "https": 443}
CHALLENGES = ('Basic realm="vna", charset="UTF-8"', 'Bearer realm="vna"')
"""What a 401 asks for: a WWW-Authenticate field each."""

_NOT_IN_HOSTS = frozenset("/?#@\\")
"""What ends or splits the authority of an address: links are made of the Host field as it stands."""

VISIT_COOKIE = "vna-visit"
"""Set when an access link is opened."""
_LOGINS_AT_ONCE = 4
"""Argon2 takes 64 MiB for each password that it checks."""

Origin = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class HttpRules:
    """Whom to believe and how much to take; `origins` are those of other sites whose pages may ask.

    `names` are hosts that the archive is called by, beside that of `public_url`, loopback and the address that the
    caller reached; `any_host` are paths that answer under every name. `own_logins` are open paths whose doors hear of
    logins that fail, and answer 401 themselves. `login_paths` are where a login is made of what the request holds:
    their Authorization field is read by whoever answers there. `login_page` is where people log in with a browser.
    """

    public_url: str = ""
    names: tuple[str, ...] = ()
    any_host: frozenset[str] = frozenset({"/healthz"})
    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    open_paths: frozenset[str] = frozenset({"/healthz"})
    login_paths: frozenset[str] = frozenset()
    open_folders: tuple[str, ...] = ()
    own_logins: frozenset[str] = frozenset()
    login_page: str = ""
    max_body: int = 16 << 30
    body_idle_seconds: float = 60.0


def local(app: ASGIApp, rules: HttpRules, links: Links | None = None) -> ASGIApp:
    """The application for this machine only: everyone who gets through is the local actor, or came by a link."""
    guarded = SameOrigin(_with_links(app, LocalActor(app), links), rules, loopback_only=True)
    return ForwardedFields(BodyBounds(guarded, rules), rules.trusted_proxies)


BearerLogin = Callable[[str, str], Actor]
"""Who shows this token, from this address; or NotAuthorized."""


def enforced(
    app: ASGIApp,
    rules: HttpRules,
    accounts: Accounts,
    links: Links | None = None,
    peers: Peers | None = None,
    sessions: Sessions | None = None,
    bearer: BearerLogin | None = None,
) -> ASGIApp:
    """The application for those who log in, by Basic (RFC 7617), Bearer (RFC 6750) or with a browser, or came by a
    link, or show the certificate of one of `peers`."""
    login: ASGIApp = Login(app, rules, accounts, sessions, bearer)
    if peers is not None:
        login = Certified(app, login, peers)
    guarded = SameOrigin(_with_links(app, login, links), rules, loopback_only=False)
    return ForwardedFields(BodyBounds(guarded, rules), rules.trusted_proxies)


class BodyBounds:
    """A body that is too long, or stops arriving, ends as an error in whoever reads it, and the connection closes."""

    def __init__(self, app: ASGIApp, rules: HttpRules) -> None:
        self._app = app
        self._max = rules.max_body
        self._idle = rules.body_idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > self._max:
            await _refuse(scope, send, 413, self._too_large(), close=True)
            return
        body = _Body(receive, send, self._max, self._idle)
        await self._app(scope, body.receive, body.send)

    def _too_large(self) -> str:
        return f"the body is larger than {self._max} bytes"


class _Body:
    """The body of one request."""

    def __init__(self, receive: Receive, send: Send, most: int, idle: float) -> None:
        self._receive = receive
        self._send = send
        self._most = most
        self._idle = idle
        self._taken = 0
        self._more = True
        self._broken = False

    async def receive(self) -> Message:
        if not self._more:
            return await self._receive()
        message: Message | None = None
        with anyio.move_on_after(self._idle):
            message = await self._receive()
        if message is None:
            self._broken = True
            raise BadRequest(f"nothing of the body arrived for {self._idle:g} seconds")
        self._taken += len(message.get("body", b""))
        self._more = bool(message.get("more_body", False))
        if self._taken > self._most:
            self._broken = True
            raise TooLarge(f"the body is larger than {self._most} bytes")
        return message

    async def send(self, message: Message) -> None:
        if self._broken and message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await self._send(message)


class SameOrigin:
    """Refuses what a page of another origin made a browser send, and all other names than ours.

    Answers hold absolute addresses, made of the public URL, or of the Host field where there is none: so in `enforced`
    mode without a public URL that field has to be one of our names too, or what a configured proxy was called by.
    """

    def __init__(self, app: ASGIApp, rules: HttpRules, *, loopback_only: bool) -> None:
        self._app = app
        self._loopback_only = loopback_only
        named = (rules.public_url, *rules.origins)
        self._origins = {origin for origin in map(_origin, named) if origin is not None}
        public = _origin(rules.public_url)
        self._public_host = public[1] if public is not None else ""
        self._names = {"localhost", self._public_host, *(name.lower() for name in rules.names)} - {""}
        self._any_host = rules.any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif _is_disguised(scope):
            await _refuse(
                scope, send, 404, "there is nothing at this address: its first part is written in another way"
            )
        elif sentence := self._objection(scope):
            await _refuse(scope, send, 403, sentence)
        else:
            await self._app(scope, receive, send)

    def _objection(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        called = headers.get("host", "")
        own = None if _NOT_IN_HOSTS & set(called) else _origin(f"{scope.get('scheme', 'http')}://{called}")
        if sentence := self._wrong_name(scope, own[1] if own is not None else ""):
            return sentence
        asked_from = headers.get("origin")
        if asked_from is not None:
            origin = _origin(asked_from)
            if origin is None or origin not in {own, *self._origins}:
                return "a page of another origin may not ask here: the Origin field says another than the archive's"
        elif headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            return "a page of another site may not ask here"
        return ""

    def _wrong_name(self, scope: Scope, host: str) -> str:
        if self._loopback_only:
            if host and (host in ("localhost", self._public_host) or _is_loopback(host)):
                return ""
            return (
                "in local mode the archive answers only to localhost, 127.0.0.1 and [::1]: the Host field says another"
            )
        if self._public_host or scope["path"] in self._any_host or (host and scope.get(FORWARDED_HOST)):
            return ""
        if host in self._names or _is_loopback(host) or _same_host(host, (scope.get("server") or ("", 0))[0]):
            return ""
        return "the Host field is no name of this archive: VNA_HTTP__PUBLIC_URL says how it is called"


def _is_disguised(scope: Scope) -> bool:
    """Whether the first part of the path is escaped: cookies and rules of proxies that go by it would not see it."""
    raw = scope.get("raw_path", b"").partition(b"?")[0]
    return b"%" in raw.split(b"/", 2)[1 if raw.startswith(b"/") else 0]


class Visitors:
    """Lets in whoever opened an access link, narrowed to its study whatever else they could show; `others` go on.

    A visit that is over is refused, and not taken for no visit: in `local` mode that would be everything.
    """

    def __init__(self, app: ASGIApp, others: ASGIApp, links: Links) -> None:
        self._app = app
        self._others = others
        self._links = links

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cookies = Headers(scope=scope).get("cookie")
        secret = cookie_parser(cookies).get(VISIT_COOKIE) if cookies else None
        if secret is None:
            await self._others(scope, receive, send)
            return
        try:
            actor = await run_sync(self._links.visitor, secret, _address(scope))
        except NotAuthorized as error:
            await _refuse(scope, send, 403, str(error))
            return
        except VnaError:
            await _refuse(scope, send, 503, "nobody can be let in at the moment")
            return
        _let_in(scope, actor)
        await self._app(scope, receive, send)


def _with_links(app: ASGIApp, others: ASGIApp, links: Links | None) -> ASGIApp:
    return others if links is None else Visitors(app, others, links)


@lru_cache(maxsize=256)
def _local_actor(address: str) -> Actor:
    return Actor(ActorKind.LOCAL, "local", frozenset(Action), address=address)


class LocalActor:
    """Puts the local actor, who may do everything, into the state of each request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _let_in(scope, _local_actor(_address(scope)))
        await self._app(scope, receive, send)


class Login:
    """Puts the actor that the Authorization field, or the cookie of a browser, proves into the state of each request,
    or answers 401; people who follow a link are led to the login instead."""

    def __init__(
        self,
        app: ASGIApp,
        rules: HttpRules,
        accounts: Accounts,
        sessions: Sessions | None = None,
        bearer: BearerLogin | None = None,
    ) -> None:
        self._app = app
        self._rules = rules
        self._accounts = accounts
        self._sessions = sessions
        self._by_token = bearer
        self._limiter = anyio.CapacityLimiter(_LOGINS_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                actor = in_emergency(await self._actor(scope), Headers(scope=scope).get(FIELD, ""))
            except BadRequest as error:
                await _refuse(scope, send, 400, str(error))
                return
            except NotAuthorized as error:
                if scope["path"] not in self._rules.own_logins:
                    await self._turn_away(scope, send, error)
                    return
                actor = Actor(ActorKind.ANONYMOUS, "", address=_address(scope))
            except VnaError:
                await _refuse(scope, send, 503, "nobody can be logged in at the moment")
                return
            _let_in(scope, actor)
        await self._app(scope, receive, send)

    async def _turn_away(self, scope: Scope, send: Send, error: NotAuthorized) -> None:
        if self._rules.login_page and is_navigation(scope) and "authorization" not in Headers(scope=scope):
            query = scope.get("query_string", b"").decode("latin-1")
            wanted = quote(scope["path"] + (f"?{query}" if query else ""), safe="/")
            location = f"{self._rules.login_page}?next={wanted}".encode()
            fields = [(b"location", location), (b"cache-control", b"no-store"), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 303, "headers": fields})
            await send({"type": "http.response.body", "body": b""})
            return
        await _refuse(scope, send, 403 if error.authenticated else 401, str(error))

    async def _actor(self, scope: Scope) -> Actor:
        address = _address(scope)
        if scope["path"] in self._rules.login_paths:
            return Actor(ActorKind.ANONYMOUS, "", address=address)
        scheme, _, credentials = Headers(scope=scope).get("authorization", "").partition(" ")
        match scheme.lower():
            case "basic":
                name, password = basic(credentials.strip())
                log_in = self._accounts.authenticate_basic
                return await run_sync(log_in, name, password, address, limiter=self._limiter)
            case "bearer":
                by_token = self._by_token or self._accounts.authenticate_token
                return await run_sync(by_token, credentials.strip(), address)
            case _:
                return await self._of_browser(scope, address)

    async def _of_browser(self, scope: Scope, address: str) -> Actor:
        secret = cookie(scope, SESSION, self._rules.public_url)
        if secret and self._sessions is not None:
            try:
                actor = await run_sync(self._sessions.actor, secret, address)
            except NotAuthorized:
                if not self._is_open(scope["path"]):
                    raise
            else:
                if is_forged(scope):
                    raise NotAuthorized("a browser has to say that a page of the archive sent this")
                return actor
        if self._is_open(scope["path"]):
            return Actor(ActorKind.ANONYMOUS, "", address=address)
        raise NotAuthorized("this needs a login", authenticated=False)

    def _is_open(self, path: str) -> bool:
        return path in self._rules.open_paths or f"{path}/".startswith(self._rules.open_folders)


@lru_cache(maxsize=256)
def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _same_host(one: str, other: str) -> bool:
    return bool(one) and _plain(one) == _plain(other)


@lru_cache(maxsize=256)
def _plain(host: str) -> str:
    """An address in its shortest form, IPv4 also where IPv6 wraps it; a name as it is."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower()
    return str(getattr(address, "ipv4_mapped", None) or address)


def basic(credentials: str) -> tuple[str, str]:
    """User name and password (RFC 7617 2); they are in UTF-8, as the challenge says."""
    try:
        name, colon, password = base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        colon = name = password = ""
    if not colon:
        raise NotAuthorized("the Authorization field cannot be read", authenticated=False)
    return name, password


def _let_in(scope: Scope, actor: Actor) -> None:
    scope["state"] = {**scope.get("state", {}), "actor": actor}


@lru_cache(maxsize=256)
def _origin(url: str) -> Origin | None:
    """Scheme, host and port (RFC 6454 4), or None."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _shown(path: str) -> str:
    """For the log: what comes after `/l/` is a secret."""
    return "/l/" if path.startswith("/l/") else path


async def _refuse(scope: Scope, send: Send, status: int, sentence: str, *, close: bool = False) -> None:
    log.warning(
        "request refused",
        extra={"status": status, "reason": sentence, "address": _address(scope), "path": _shown(scope.get("path", ""))},
    )
    body = json.dumps({"status": status, "message": sentence}).encode()
    fields: Iterable[tuple[bytes, bytes]] = (
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *((b"www-authenticate", challenge.encode()) for challenge in CHALLENGES if status == 401),
        *(((b"connection", b"close"),) if close else ()),
    )
    await send({"type": "http.response.start", "status": status, "headers": list(fields)})
    await send({"type": "http.response.body", "body": body})

"""People log in with a browser: `/login`, `/login/password`, `/logout`."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from vna.model.access import ActorKind
from vna.model.errors import BadRequest, NotAuthorized, NotFound, PasswordExpired, TooLarge, VnaError
from vna.security.accounts import Accounts
from vna.security.browsers import LOGIN, PROVIDER, SESSION, cookie, drop_cookie, local_path, set_cookie
from vna.security.claims import PREFIX
from vna.security.oidc_login import OidcLogin, UnderWay
from vna.security.requests import actor_of, origin_of, peer_address
from vna.security.sessions import Session, Sessions, form_token, require_form_token
from vna.web.errors import refusal
from vna.web.page import headers_of, template

PATH = "/login"
PASSWORD = PATH + "/password"
LOGOUT = "/logout"
ELSEWHERE = PATH + "/provider"
CALLBACK = PATH + "/callback"
_FORM = "application/x-www-form-urlencoded"
_LONGEST = 16 << 10
_UNDER_WAY = 600.0
"""Seconds in which a login that was begun has to be done."""
_LOGINS_AT_ONCE = 4
"""Argon2 takes 64 MiB for each password that it checks."""
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class LoginDoor:
    """What people log in with; `is_local` says that nobody has to."""

    accounts: Accounts
    sessions: Sessions
    elsewhere: OidcLogin | None = None
    public_url: str = ""
    is_local: bool = False
    limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(_LOGINS_AT_ONCE))


async def shown(request: Request, door: LoginDoor) -> Response:
    """The form of a login."""
    wanted = local_path(request.query_params.get("next", "/"))
    if door.is_local:
        return RedirectResponse(wanted, 303, _NO_STORE)
    return _form(request, door, wanted)


async def logged_in(request: Request, door: LoginDoor) -> Response:
    """A session for a name and a password."""
    form = await _read(request)
    wanted = local_path(form.get("next", "/"))
    try:
        _require_own_form(request, door, form)
        log_in = partial(door.accounts.log_in, form.get("name", ""), form.get("password", ""), peer_address(request))
        actor = await run_sync(log_in, limiter=door.limiter)
    except PasswordExpired:
        return _password_form(request, door, form.get("name", ""), "Your password has expired: choose another one.")
    except NotAuthorized as error:
        return _form(request, door, wanted, str(error), 401 if not error.authenticated else 403)
    return await _begun(request, door, wanted, partial(door.sessions.begin, actor, "form"))


async def sent_elsewhere(request: Request, door: LoginDoor) -> Response:
    """To the provider, with what has to come back from there in a cookie."""
    elsewhere = _elsewhere(door)
    wanted, callback = local_path(request.query_params.get("next", "/")), _callback(request, door)
    url, under_way = await run_sync(elsewhere.begin, callback, wanted)
    answer = RedirectResponse(url, 303, {**_NO_STORE, "Referrer-Policy": "no-referrer"})
    set_cookie(answer, request.scope, PROVIDER, under_way.written(), _UNDER_WAY, door.public_url)
    return answer


async def came_back(request: Request, door: LoginDoor) -> Response:
    """From the provider, with a code: a session for whom it names."""
    elsewhere, said = _elsewhere(door), dict(request.query_params)
    try:
        under_way = UnderWay.read(cookie(request.scope, PROVIDER, door.public_url))
        finish = partial(elsewhere.finish, under_way, said, _callback(request, door), peer_address(request))
        actor = await run_sync(finish)
    except NotAuthorized as error:
        answer = _form(request, door, "/", str(error), 401 if not error.authenticated else 403)
    else:
        begin = partial(door.sessions.begin_elsewhere, actor, "OpenID Connect")
        answer = await _begun(request, door, local_path(under_way.wanted), begin)
    drop_cookie(answer, request.scope, PROVIDER, door.public_url)
    return answer


async def _begun(request: Request, door: LoginDoor, wanted: str, begin: Callable[[], Session]) -> Response:
    """A session of its own for whoever has just logged in, another one than before."""
    await _ended(request, door)
    session = await run_sync(begin)
    answer = RedirectResponse(wanted, 303, _NO_STORE)
    seconds = session.lifetime.total_seconds()
    set_cookie(answer, request.scope, SESSION, session.secret, seconds, door.public_url)
    drop_cookie(answer, request.scope, LOGIN, door.public_url)
    return answer


async def password_shown(request: Request, door: LoginDoor) -> Response:
    """The form in which people change their password."""
    return _password_form(request, door, actor_of(request).name)


async def password_changed(request: Request, door: LoginDoor) -> Response:
    """Another password, and a session for it."""
    form = await _read(request)
    name, new = form.get("name", ""), form.get("new", "")
    try:
        _require_own_form(request, door, form)
        if new != form.get("again", ""):
            raise BadRequest("the new password is not the same twice")
        change = partial(door.accounts.change_password, name, form.get("password", ""), new, peer_address(request))
        actor = await run_sync(change, limiter=door.limiter)
    except NotAuthorized as error:
        return _password_form(request, door, name, str(error), 401 if not error.authenticated else 403)
    except BadRequest as error:
        return _password_form(request, door, name, str(error), 400)
    return await _begun(request, door, "/", partial(door.sessions.begin, actor, "new password"))


async def logout_shown(request: Request, door: LoginDoor) -> Response:
    """A button: whoever only follows an address is not logged out."""
    secret, actor = cookie(request.scope, SESSION, door.public_url), actor_of(request)
    if not secret or actor.kind is ActorKind.ANONYMOUS:
        return RedirectResponse("/", 303, _NO_STORE)
    text = template("logout.html").render(name=actor.name, token=form_token(secret))
    provider = await run_sync(_leaving, request, door, actor.name)
    parts = urlsplit(provider)
    places = f"'self' {parts.scheme}://{parts.netloc}" if provider else "'self'"
    return HTMLResponse(text, headers=headers_of(text, places))


async def logged_out(request: Request, door: LoginDoor) -> Response:
    """The session is over, here and now; somebody whom a provider logged in is led there to log out too."""
    form, secret = await _read(request), cookie(request.scope, SESSION, door.public_url)
    require_form_token(secret, form.get("token", ""))
    name = actor_of(request).name
    await _ended(request, door)
    leaving = await run_sync(_leaving, request, door, name)
    answer = RedirectResponse(leaving or "/", 303, {**_NO_STORE, "Clear-Site-Data": '"cache"'})
    drop_cookie(answer, request.scope, SESSION, door.public_url)
    return answer


def _leaving(request: Request, door: LoginDoor, name: str) -> str:
    """Where somebody logs out whom a provider logged in; "" for accounts."""
    if door.elsewhere is None or not name.startswith(PREFIX):
        return ""
    return door.elsewhere.leave(origin_of(request, door.public_url) + "/")


def _elsewhere(door: LoginDoor) -> OidcLogin:
    if door.elsewhere is None:
        raise NotFound("there is no identity provider to log in at")
    return door.elsewhere


def _callback(request: Request, door: LoginDoor) -> str:
    return origin_of(request, door.public_url) + CALLBACK


def _offered(door: LoginDoor, wanted: str) -> dict[str, str]:
    if door.elsewhere is None:
        return {"elsewhere": "", "provider": ""}
    return {"elsewhere": f"{ELSEWHERE}?{urlencode({'next': wanted})}", "provider": door.elsewhere.called}


async def _ended(request: Request, door: LoginDoor) -> None:
    secret = cookie(request.scope, SESSION, door.public_url)
    if secret:
        await run_sync(door.sessions.end, secret, actor_of(request))


def _form(request: Request, door: LoginDoor, wanted: str, sentence: str = "", status: int = 200) -> Response:
    said = {"wanted": wanted, "sentence": sentence, "password": PASSWORD, **_offered(door, wanted)}
    return _with_token(request, door, "login.html", status, **said)


def _password_form(request: Request, door: LoginDoor, name: str, sentence: str = "", status: int = 200) -> Response:
    return _with_token(request, door, "password.html", status, name=name, sentence=sentence)


def _with_token(request: Request, door: LoginDoor, page: str, status: int, **said: str) -> Response:
    """A form of somebody who is not logged in yet: it carries what is made of a cookie that comes with it."""
    secret = cookie(request.scope, LOGIN, door.public_url) or secrets.token_urlsafe(32)
    text = template(page).render(token=form_token(secret), **said)
    answer = HTMLResponse(text, status, headers_of(text, "'self'"))
    set_cookie(answer, request.scope, LOGIN, secret, _UNDER_WAY, door.public_url)
    return answer


def _require_own_form(request: Request, door: LoginDoor, form: Mapping[str, str]) -> None:
    require_form_token(cookie(request.scope, LOGIN, door.public_url), form.get("token", ""))


async def _read(request: Request) -> Mapping[str, str]:
    """The fields of a form."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise BadRequest(f"the body is {_FORM}")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST:
            raise TooLarge(f"a form is at most {_LONGEST} bytes")
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20))
    except ValueError as error:
        raise BadRequest("the form cannot be read") from error


LoginAnswer = Callable[[Request, LoginDoor], Awaitable[Response]]
ADDRESSES: tuple[tuple[str, str, LoginAnswer], ...] = (
    ("GET", PATH, shown),
    ("POST", PATH, logged_in),
    ("GET", ELSEWHERE, sent_elsewhere),
    ("GET", CALLBACK, came_back),
    ("GET", PASSWORD, password_shown),
    ("POST", PASSWORD, password_changed),
    ("GET", LOGOUT, logout_shown),
    ("POST", LOGOUT, logged_out),
)
OPEN_PATHS = frozenset(path for _, path, _ in ADDRESSES)
"""What answers without a login, which is made there."""


def routes(door: LoginDoor) -> list[Route]:
    """The addresses, bound to one archive."""
    return [_route(method, path, answer, door) for method, path, answer in ADDRESSES]


def _route(method: str, path: str, answer: LoginAnswer, door: LoginDoor) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request, door)
        except VnaError as error:
            return refusal(error)
        except ClientDisconnect:
            return Response(status_code=400)

    return Route(path, endpoint, methods=[method])

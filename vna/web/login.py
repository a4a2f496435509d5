"""People log in with a browser: `/login`, `/login/password`, `/logout`."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qsl

import anyio
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from vna.model.access import Actor, ActorKind
from vna.model.errors import BadRequest, NotAuthorized, PasswordExpired, TooLarge, VnaError
from vna.security.accounts import Accounts
from vna.security.browsers import LOGIN, SESSION, cookie, drop_cookie, local_path, set_cookie
from vna.security.requests import actor_of, peer_address
from vna.security.sessions import Sessions, form_token, require_form_token
from vna.web.errors import refusal
from vna.web.page import headers_of, template

PATH = "/login"
PASSWORD = PATH + "/password"
LOGOUT = "/logout"
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
    return await begun(request, door, actor, wanted, "form")


async def begun(request: Request, door: LoginDoor, actor: Actor, wanted: str, how: str) -> Response:
    """A session of its own for whoever has just logged in, another one than before."""
    await _ended(request, door)
    session = await run_sync(door.sessions.begin, actor, how)
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
    return await begun(request, door, actor, "/", "new password")


async def logout_shown(request: Request, door: LoginDoor) -> Response:
    """A button: whoever only follows an address is not logged out."""
    secret, actor = cookie(request.scope, SESSION, door.public_url), actor_of(request)
    if not secret or actor.kind is ActorKind.ANONYMOUS:
        return RedirectResponse("/", 303, _NO_STORE)
    text = template("logout.html").render(name=actor.name, token=form_token(secret))
    return HTMLResponse(text, headers=headers_of(text, "'self'"))


async def logged_out(request: Request, door: LoginDoor) -> Response:
    """The session is over, here and now."""
    form, secret = await _read(request), cookie(request.scope, SESSION, door.public_url)
    require_form_token(secret, form.get("token", ""))
    await _ended(request, door)
    answer = RedirectResponse("/", 303, {**_NO_STORE, "Clear-Site-Data": '"cache"'})
    drop_cookie(answer, request.scope, SESSION, door.public_url)
    return answer


async def _ended(request: Request, door: LoginDoor) -> None:
    secret = cookie(request.scope, SESSION, door.public_url)
    if secret:
        await run_sync(door.sessions.end, secret, actor_of(request))


def _form(request: Request, door: LoginDoor, wanted: str, sentence: str = "", status: int = 200) -> Response:
    return _with_token(
        request,
        door,
        "login.html",
        status,
        wanted=wanted,
        sentence=sentence,
        password=PASSWORD,
        elsewhere="",
        provider="",
    )


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

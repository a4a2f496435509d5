"""Cookies of people who are logged in with a browser, and what else a browser says of a request."""

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

SESSION = "vna-session"
LOGIN = "vna-login"
"""What the form of a login has to come back with."""
PROVIDER = "vna-provider"
"""What a login at a provider has to come back with."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def cookie(scope: Scope, name: str, public_url: str) -> str:
    """The value of one of our cookies, or ""."""
    field = Headers(scope=scope).get("cookie")
    return cookie_parser(field).get(_named(name, is_secure(scope, public_url)), "") if field else ""


def is_secure(scope: Scope, public_url: str) -> bool:
    """Whether the browser speaks TLS, with us or with a proxy before us."""
    return scope.get("scheme") == "https" or public_url.startswith("https:")


def set_cookie(answer: Response, scope: Scope, name: str, value: str, seconds: float, public_url: str) -> None:
    """For all of our addresses, and for no script. Over TLS under a name that only this host can set (RFC 6265bis
    4.1.3.2). A page elsewhere may lead here with it, as a provider does after a login, but sends no form with it."""
    secure = is_secure(scope, public_url)
    answer.set_cookie(
        _named(name, secure), value, max_age=int(seconds), path="/", secure=secure, httponly=True, samesite="lax"
    )


def drop_cookie(answer: Response, scope: Scope, name: str, public_url: str) -> None:
    """The browser forgets it."""
    set_cookie(answer, scope, name, "", 0, public_url)


def is_forged(scope: Scope) -> bool:
    """Whether a request that changes something comes with a cookie and without a word of a browser that a page of ours
    sent it. Who says that another page did is refused before (`SameOrigin`)."""
    if scope["method"] in _SAFE:
        return False
    headers = Headers(scope=scope)
    return "origin" not in headers and headers.get("sec-fetch-site") != "same-origin"


def is_navigation(scope: Scope) -> bool:
    """Whether somebody follows a link, rather than a script or a program asking."""
    headers = Headers(scope=scope)
    return scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"


def local_path(text: str) -> str:
    """Where to go after a login: an address of ours, without host, else the page."""
    is_ours = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    return text if is_ours and len(text) <= 2000 else "/"


def _named(name: str, secure: bool) -> str:
    return f"__Host-{name}" if secure else name

"""`/connect/token`: a bearer token for a password (RFC 6749 4.3), for clients that log in so and no other way.

A client is a user of the archive as whoever logs in is: its id and secret are a name and a password (`vna user add`).
"""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar
from urllib.parse import parse_qsl, unquote_plus

import anyio
import orjson
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from vna.model.errors import NotAuthorized, TooLarge, VnaError
from vna.security.accounts import Accounts
from vna.security.http import basic
from vna.security.requests import peer_address
from vna.web.errors import HEADERS
from vna.web.national.operations import FORM, read_body

log = logging.getLogger(__name__)

T = TypeVar("T")

PATH = "/connect/token"
LIFETIME = timedelta(hours=1)
SCOPES = frozenset(
    {
        "openid",
        "profile",
        "custom.profile",
        "AuthorizationWebApi",
        "Common.WebApi",
        "GYM.Authentication.WebApiCore",
    }
)
"""Names that clients of the national service send; they change nothing: rights are those of the user."""
_LOGINS_AT_ONCE = 4
_FIELDS = ("grant_type", "username", "password", "scope", "client_id", "client_secret")
_FRESH = {**HEADERS, "Pragma": "no-cache"}


class Refused(Exception):
    """An error of RFC 6749 5.2, by its code."""

    def __init__(self, code: str, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.code = code
        self.status = status


class TokenEndpoint:
    """Gives tokens for passwords. Neither secrets nor what was sent is logged."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._limiter = anyio.CapacityLimiter(_LOGINS_AT_ONCE)

    async def __call__(self, request: Request) -> Response:
        """A token, or an error of RFC 6749 5.2."""
        try:
            return await self._granted(request)
        except Refused as refused:
            fields = {"code": refused.code, "address": peer_address(request)}
            log.warning("token refused", extra=fields)
            body = {"error": refused.code, "error_description": str(refused)}
            answer = Response(orjson.dumps(body), refused.status, _FRESH, "application/json")
            if refused.status == 401:
                answer.headers["WWW-Authenticate"] = 'Basic realm="vna", charset="UTF-8"'
            return answer
        except VnaError:
            body = {"error": "temporarily_unavailable", "error_description": "nobody can be logged in at the moment"}
            return Response(orjson.dumps(body), 503, _FRESH, "application/json")

    async def _granted(self, request: Request) -> Response:
        form = await _form(request)
        await self._client(request, form)
        if form.get("grant_type") != "password":
            raise _grant_type(form)
        scopes = _scopes(form.get("scope", ""))
        if not form.get("username") or not form.get("password"):
            raise Refused("invalid_request", "username and password are needed")
        try:
            secret = await self._slowly(
                self._accounts.grant, form["username"], form["password"], peer_address(request), LIFETIME
            )
        except NotAuthorized as error:
            raise Refused("invalid_grant", "wrong name or password") from error
        body = {"access_token": secret, "token_type": "Bearer", "expires_in": int(LIFETIME.total_seconds())}
        return Response(orjson.dumps({**body, "scope": scopes} if scopes else body), 200, _FRESH, "application/json")

    async def _client(self, request: Request, form: Mapping[str, str]) -> None:
        """Who the client is, by Basic or in the body (RFC 6749 2.3.1)."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        try:
            if scheme.lower() == "basic":
                name, secret = basic(credentials.strip())
            else:
                name, secret = form.get("client_id", ""), form.get("client_secret", "")
            await self._authenticated(name, secret, peer_address(request))
        except NotAuthorized as error:
            raise Refused("invalid_client", "wrong client id or secret", 401) from error

    async def _authenticated(self, name: str, secret: str, address: str) -> None:
        """As it stands, or where that is no login with the escapes of RFC 6749 2.3.1, which few clients write."""
        plain = unquote_plus(name), unquote_plus(secret)
        try:
            await self._slowly(self._accounts.authenticate_basic, name, secret, address)
        except NotAuthorized:
            if plain == (name, secret):
                raise
            await self._slowly(self._accounts.authenticate_basic, *plain, address)

    async def _slowly(self, function: Callable[..., T], *arguments: object) -> T:
        return await run_sync(function, *arguments, limiter=self._limiter)


def _grant_type(form: Mapping[str, str]) -> Refused:
    if not form.get("grant_type"):
        return Refused("invalid_request", "grant_type is missing")
    return Refused("unsupported_grant_type", "the grant type is password")


def _scopes(text: str) -> str:
    words = text.split()
    for word in words:
        if word not in SCOPES:
            raise Refused("invalid_scope", f"scopes are {', '.join(sorted(SCOPES))}")
    return " ".join(words)


async def _form(request: Request) -> Mapping[str, str]:
    """Form fields, each once (RFC 6749 3.2); their names count in any case, as some clients write them in capitals."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Refused("invalid_request", f"the body is {FORM}")
    try:
        text = (await read_body(request)).decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=50)
    except (TooLarge, ValueError) as error:
        raise Refused("invalid_request", "the body cannot be read") from error
    form: dict[str, str] = {}
    for name, value in pairs:
        if name.lower() in form and name.lower() in _FIELDS:
            raise Refused("invalid_request", f"{name.lower()} is there more than once")
        form[name.lower()] = value
    return form

"""Errors by meaning to HTTP status codes (PS3.18 8.5), with a body of one sentence."""

import logging
from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from vna.model.errors import (
    BadRequest,
    CannotUnderstand,
    Conflict,
    Damaged,
    NotAcceptable,
    NotAuthorized,
    NotFound,
    OutOfResources,
    Rejected,
    TooLarge,
    Unavailable,
    VnaError,
)
from vna.security.http import CHALLENGES

log = logging.getLogger(__name__)

HTTP_STATUS: dict[type[VnaError], int] = {
    BadRequest: 400,
    CannotUnderstand: 400,
    Damaged: 500,
    NotAuthorized: 403,
    NotFound: 404,
    NotAcceptable: 406,
    Conflict: 409,
    Rejected: 409,
    TooLarge: 413,
    Unavailable: 503,
    OutOfResources: 507,
}

Endpoint = Callable[[Request], Awaitable[Response]]


def status_of(error: VnaError) -> int:
    """The code of the nearest meaning in the table; 401 where a login may help."""
    if isinstance(error, NotAuthorized) and not error.authenticated:
        return 401
    return next((HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in HTTP_STATUS), 500)


def refusal(request: Request, status: int, sentence: str) -> Response:
    """A Status Report of one sentence: text for those who ask for text, else JSON."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if status == 503:
        headers["Retry-After"] = "5"
    if request.headers.get("accept", "").startswith("text/plain"):
        answer = Response(f"{sentence}\n", status, headers, "text/plain")
    else:
        body = orjson.dumps({"status": status, "message": sentence})
        answer = Response(body, status, headers, "application/json")
    for challenge in CHALLENGES if status == 401 else ():
        answer.headers.append("WWW-Authenticate", challenge)
    return answer


def guarded(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with what it raises turned into an answer; the unexpected is logged once and becomes 500."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except VnaError as error:
            return refusal(request, status_of(error), str(error))
        except ClientDisconnect:
            log.info("client went away", extra={"method": request.method, "path": request.url.path})
            return Response(status_code=400)
        except Exception:
            log.exception("request failed", extra={"method": request.method, "path": request.url.path})
            return refusal(request, 500, "the archive could not process the request; its log says why")

    return answer

"""Errors by meaning to HTTP status codes (RFC 9110 15), with a body of one sentence."""

import logging
from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from vna.model.errors import (
    BadRequest,
    Conflict,
    NotAuthorized,
    NotFound,
    OutOfResources,
    Rejected,
    RuleBroken,
    TooLarge,
    Unavailable,
    VnaError,
)
from vna.security.http import CHALLENGES
from vna.web.site import Site

log = logging.getLogger(__name__)

HTTP_STATUS: dict[type[VnaError], int] = {
    BadRequest: 400,
    NotAuthorized: 403,
    NotFound: 404,
    Conflict: 409,
    Rejected: 409,
    TooLarge: 413,
    Unavailable: 503,
    OutOfResources: 507,
}
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Answer = Callable[[Request, Site], Awaitable[Response]]


def told(answer: Answer) -> Answer:
    """The answer, with what it raises told in words; the unexpected is logged once and becomes 500."""

    async def guarded(request: Request, site: Site) -> Response:
        try:
            return await answer(request, site)
        except VnaError as error:
            return refusal(error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            log.exception("request failed", extra={"method": request.method, "path": request.url.path})
            return unexpected()

    return guarded


def refusal(error: VnaError) -> Response:
    """401 where a login may help; else the code of the nearest meaning in the table."""
    if isinstance(error, NotAuthorized) and not error.authenticated:
        answer = _refusal(401, str(error))
        for challenge in CHALLENGES:
            answer.headers.append("WWW-Authenticate", challenge)
        return answer
    rule = {"rule": error.rule} if isinstance(error, RuleBroken) else {}
    status = next((HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in HTTP_STATUS), 500)
    return _refusal(status, str(error), **rule)


def unexpected() -> Response:
    """The answer to what could not be answered."""
    return _refusal(500, "the archive could not process the request; its log says why")


def _refusal(status: int, sentence: str, **more: str) -> Response:
    body = orjson.dumps({"status": status, "message": sentence, **more})
    return Response(body, status, HEADERS, "application/json")

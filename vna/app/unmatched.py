"""What no route takes, told in the shape of every other refusal; its links are relative, as the Host field may lie."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from dicomweb.errors import refusal


async def unmatched(request: Request, error: Exception) -> Response:
    """404, 405 with every method that the address takes, or 307 to the same address with or without a last slash."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        methods = sorted(_methods(request, request.scope))
        sentence = f"this address does not take {request.method[:16]}, it takes {', '.join(methods)}"
        answer = refusal(request, status, sentence)
        answer.headers["Allow"] = ", ".join(methods)
        return answer
    if status == 404 and (better := _other_slash(request)):
        return RedirectResponse(better)
    sentences = {404: "there is nothing at this address", 500: "the request failed; the archive's log says why"}
    return refusal(request, status, sentences.get(status, "the request is refused"))


def _methods(request: Request, scope: Scope) -> set[str]:
    """Of all routes of an address: each of them knows its own alone."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    return {method for route in routes if route.matches(scope)[0] is not Match.NONE for method in route.methods or ()}


def _other_slash(request: Request) -> str:
    """The address with a slash at its end, or without it, whichever exists; an escaped slash is none."""
    path: str = request.scope["path"]
    raw: bytes = request.scope["raw_path"]
    if path.endswith("/") != raw.endswith(b"/"):
        return ""
    other, raw = (path[:-1], raw.removesuffix(b"/")) if path.endswith("/") else (f"{path}/", raw + b"/")
    if not _methods(request, {**request.scope, "path": other}):
        return ""
    query: bytes = request.scope["query_string"]
    return (raw + (b"?" + query if query else b"")).decode("latin-1")

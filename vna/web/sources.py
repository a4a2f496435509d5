"""Sources over HTTP: what `vna source` does, for programs that administer the archive."""

from collections.abc import Mapping
from typing import Any

import orjson
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from vna.model.errors import BadRequest, TooLarge
from vna.model.source_json import as_json, from_json, gives_login
from vna.security.requests import actor_of
from vna.web.errors import HEADERS, Answer, told
from vna.web.site import Site

PATH = "/api/sources"
_NAMED = PATH + "/{name}"
_MOST_BYTES = 64 << 10
_TRIAL_SECONDS = 20.0


async def listed(request: Request, site: Site) -> Response:
    """All of them, by name."""
    known = await run_sync(site.sources.listed, actor_of(request))
    return _json([as_json(source) for source in known])


async def given(request: Request, site: Site) -> Response:
    """One of them."""
    return _json(as_json(await run_sync(site.sources.get, actor_of(request), _name(request))))


async def put(request: Request, site: Site) -> Response:
    """Add one (201), or put this in the place of what is known of it (200)."""
    actor, name = actor_of(request), _name(request)
    said = await _said(request)
    source = from_json(name, said)
    is_new = await run_sync(lambda: site.sources.put(actor, source, with_login=gives_login(said)))
    shown = as_json(await run_sync(site.sources.get, actor, name))
    return _json(shown, 201 if is_new else 200)


async def removed(request: Request, site: Site) -> Response:
    """Forget one."""
    await run_sync(site.sources.remove, actor_of(request), _name(request))
    return Response(status_code=204, headers=HEADERS)


async def tried(request: Request, site: Site) -> Response:
    """Each door of its archive, and why it does not work."""
    actor, name = actor_of(request), _name(request)
    found = await run_sync(site.trial.at_once, actor, name, _TRIAL_SECONDS)
    return _json([{"door": one.door, "works": one.works, "reason": one.reason} for one in found])


ADDRESSES: tuple[tuple[str, str, Answer], ...] = tuple(
    (method, path, told(answer))
    for method, path, answer in (
        ("GET", PATH, listed),
        ("GET", _NAMED, given),
        ("PUT", _NAMED, put),
        ("DELETE", _NAMED, removed),
        ("POST", _NAMED + "/test", tried),
    )
)
"""Method, path, and what answers."""


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    return name


async def _said(request: Request) -> Mapping[str, Any]:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            raise TooLarge(f"what is said of a source is longer than {_MOST_BYTES} bytes")
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadRequest("the body is no JSON") from exc
    if not isinstance(said, dict):
        raise BadRequest("the body is one JSON object")
    return said


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, HEADERS, "application/json")

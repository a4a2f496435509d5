"""What waits in this node's spool, for the other nodes of the archive: they prove themselves by the nodes' secret."""

import re
from collections.abc import Iterator

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from storage.blobs.spool_folder import SpoolFolder
from vna.archive.node_spool import PATH, pieces
from vna.model.errors import NotFound
from vna.security.node_secret import FIELD
from vna.web.errors import HEADERS, Answer, told
from vna.web.site import Site

_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")
_OURS = {**HEADERS, FIELD: "spool"}
"""Says that it is the spool that answers, and no proxy before it."""


async def give(request: Request, site: Site) -> Response:
    """A blob that waits, or a range of it; how long it is where only the head is asked for."""
    spool = _admitted(request, site)
    name = request.path_params["name"]
    try:
        if request.method == "HEAD":
            size = await run_sync(spool.size, name)
            return Response(headers={**_OURS, "Content-Length": str(size)})
        offset, length = _range(request)
        size, body = await run_sync(pieces, spool, name, offset, length)
    except NotFound:
        return _absent()
    return _stream(body, size, 206 if "range" in request.headers else 200)


async def names(request: Request, site: Site) -> Response:
    """Names of what waits, a line each."""
    spool = _admitted(request, site)
    found = await run_sync(spool.names, request.query_params.get("prefix", ""))
    return PlainTextResponse("".join(f"{name}\n" for name in found), headers=_OURS)


async def remove(request: Request, site: Site) -> Response:
    """Forget a blob that waits."""
    spool = _admitted(request, site)
    try:
        was_there = await run_sync(spool.delete, request.path_params["name"])
    except NotFound:
        was_there = False
    return Response(status_code=204, headers=_OURS) if was_there else _absent()


ADDRESSES: tuple[tuple[str, str, Answer], ...] = (
    ("GET", PATH, told(names)),
    ("GET", PATH + "/{name:path}", told(give)),
    ("DELETE", PATH + "/{name:path}", told(remove)),
)


def _admitted(request: Request, site: Site) -> SpoolFolder:
    query = request.scope["query_string"].decode("latin-1")
    target = request.scope["path"] + (f"?{query}" if query else "")
    fields = request.headers
    return site.spool.admit(fields.get(FIELD, ""), request.method, target, fields.get("range", ""))


def _range(request: Request) -> tuple[int, int | None]:
    found = _RANGE.fullmatch(request.headers.get("range", "bytes=0-"))
    if found is None:
        return 0, None
    start = int(found[1])
    return start, max(int(found[2]) - start + 1, 0) if found[2] else None


def _stream(body: Iterator[bytes], size: int, status: int) -> Response:
    headers = {**_OURS, "Content-Length": str(size)}
    return StreamingResponse(body, status, headers, "application/octet-stream")


def _absent() -> Response:
    return PlainTextResponse("not in this spool\n", 404, _OURS)

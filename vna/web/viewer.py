"""The viewer at `/viewer/`: the files that `make viewer` fetched, or one page that says how to get them, and one that
shows pictures of a study without it."""

import re
from pathlib import Path

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response

from vna.web.site import Site

PREFIX = "/viewer"
INDEX = "index.html"
CONFIG = Path(__file__).with_name("viewer-config.js")
THUMBNAILS = Path(__file__).with_name("templates") / "thumbnails.html"
"""Shows a study where no viewer is installed: pictures of `/wado`, by a script that lists them."""

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jsonc": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webapp": "application/manifest+json",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
"""Of our own: what the machine's tables say of .js and .wasm differs, and a browser refuses the wrong one."""

_HASHED = re.compile(r"(^|\.)[0-9a-f]{16}\.")
_CONTENT_SECURITY = "; ".join(
    (
        "default-src 'self' blob: data:",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Isolated from other origins (its decoders share memory between threads), and it can ask nothing of them."""

_MISSING = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>vna: no viewer yet</title></head>
<body>
<h1>The viewer is not installed</h1>
<p>It is fetched once, with npm: run <code>make viewer</code> in the folder of the archive, and load this page again.
<p>Elsewhere put a built OHIF where <code>VNA_HTTP__VIEWER</code> says.
<p>Everything else works without it. <a href="/">Back to the archive</a>
</body>
</html>
"""


def installed(folder: Path) -> bool:
    """Whether the viewer is there; it may come while the archive runs."""
    return (folder / INDEX).is_file()


def study_path(study_instance_uid: str) -> str:
    """Where the viewer shows one study."""
    return f"{PREFIX}/viewer?StudyInstanceUIDs={study_instance_uid}"


async def viewer(request: Request, site: Site) -> Response:
    """A file of the viewer; its pages are all one file, which reads the address itself."""
    return await run_sync(_answer, request, site.viewer)


def _answer(request: Request, folder: Path) -> Response:
    name = request.path_params["path"]
    if not installed(folder) and name == "viewer" and request.query_params.get("StudyInstanceUIDs"):
        return HTMLResponse(THUMBNAILS.read_bytes(), headers={**HEADERS, "Cache-Control": "no-store"})
    if not installed(folder):
        return HTMLResponse(_MISSING, headers={**HEADERS, "Cache-Control": "no-store"})
    if name == "app-config.js":
        return _file(request, CONFIG)
    if "." not in name.rpartition("/")[2]:
        name = INDEX
    found = _inside(folder, name)
    if found is None:
        return PlainTextResponse("the viewer has no such file\n", 404, {**HEADERS, "Cache-Control": "no-store"})
    return _file(request, found)


def _inside(folder: Path, name: str) -> Path | None:
    if "\0" in name:
        return None
    root = folder.resolve()
    path = (root / name).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


def _file(request: Request, path: Path) -> Response:
    headers = {**HEADERS, "Vary": "Accept-Encoding"}
    hashed = _HASHED.search(path.name) is not None
    headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
    media_type = MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    packed = path.with_name(f"{path.name}.gz")
    if "gzip" in request.headers.get("accept-encoding", "") and packed.is_file():
        path = packed
        headers["Content-Encoding"] = "gzip"
    response = FileResponse(path, headers=headers, media_type=media_type, stat_result=path.stat())
    if request.headers.get("if-none-match") == response.headers["etag"]:
        headers["ETag"] = response.headers["etag"]
        return Response(status_code=304, headers=headers)
    return response

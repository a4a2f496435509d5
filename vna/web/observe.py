"""Around every HTTP door: each request counted, timed and logged, by its route and never by its query."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vna import events
from vna.sending import ZERO_COPY

log = logging.getLogger(__name__)

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines: in the log only when they fail."""


_SEEN = "vna.seen"


class Observed:
    """The outermost layer of the application; `Routed` is its other half."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and say what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen: dict[str, str] = {"route": "refused", "actor": ""}
        status, size = 500, 0

        async def watched(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            elif message["type"] == ZERO_COPY:
                size += message["count"]
            await send(message)

        started = time.perf_counter()
        try:
            await self._app({**scope, _SEEN: seen}, receive, watched)
        finally:
            _tell(scope["method"], seen, status, size, time.perf_counter() - started)


class Routed:
    """The innermost layer, around the routes: layers between may hand on a copy of the scope, so it is told here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and tell `Observed` which route it took and who asked."""
        try:
            await self._app(scope, receive, send)
        finally:
            seen = scope.get(_SEEN)
            if seen is not None:
                seen["route"] = route_of(scope)
                seen["actor"] = getattr(scope.get("state", {}).get("actor"), "name", "")


def _tell(method: str, seen: dict[str, str], status: int, size: int, seconds: float) -> None:
    method = method if method in METHODS else "other"
    route = seen["route"]
    events.emit("http.answered", method=method, route=route, status=status, seconds=seconds)
    if log.isEnabledFor(logging.INFO) and (route not in QUIET or status >= 500):
        fields = {**seen, "method": method, "status": status, "bytes": size, "ms": round(seconds * 1000, 1)}
        log.info("request answered", extra=fields)


def route_of(scope: Scope) -> str:
    """The template of the address, such as `/dicom-web/studies/{study}`; `unmatched` where none fits."""
    path = getattr(scope.get("route"), "path", None)
    return f"{scope.get('root_path', '')}{path}" if isinstance(path, str) else "unmatched"

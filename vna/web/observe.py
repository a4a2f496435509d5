"""Around every HTTP door: each request counted, timed and logged, by its route and never by its query."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vna import events

log = logging.getLogger(__name__)

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines: in the log only when they fail."""


class Observed:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and say what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, size = 500, 0

        async def watched(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, watched)
        finally:
            _tell(scope, status, size, time.perf_counter() - started)


def _tell(scope: Scope, status: int, size: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in METHODS else "other"
    route = route_of(scope)
    events.emit("http.answered", method=method, route=route, status=status, seconds=seconds)
    if log.isEnabledFor(logging.INFO) and (route not in QUIET or status >= 500):
        actor = scope.get("state", {}).get("actor")
        log.info(
            "request answered",
            extra={
                "method": method,
                "route": route,
                "status": status,
                "bytes": size,
                "ms": round(seconds * 1000, 1),
                "actor": getattr(actor, "name", ""),
            },
        )


def route_of(scope: Scope) -> str:
    """The template of the address, such as `/dicom-web/studies/{study}`; `unmatched` where none fits."""
    path = getattr(scope.get("route"), "path", None)
    return f"{scope.get('root_path', '')}{path}" if isinstance(path, str) else "unmatched"

"""Systems that are known over HTTP by the certificate that they show, as they are by the same one over DICOM."""

from typing import Final

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from vna.model.access import Actor
from vna.model.errors import BadRequest, NotAuthorized, Unavailable
from vna.security.certificates import shown
from vna.security.peers import Peers

CLIENT_CERTIFICATE: Final = "client_cert"
"""In the extension `tls` of a request's scope: what TLS took for good (DER). A field of a proxy never gets there."""


class Certified:
    """Lets in the AE title whose certificate was shown, with its rights; `others` log in.

    Whoever logs in all the same is judged by that: a person at a system is that person.
    """

    def __init__(self, app: ASGIApp, others: ASGIApp, peers: Peers) -> None:
        self._app = app
        self._others = others
        self._peers = peers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        actor = await self._actor(scope) if scope["type"] == "http" else None
        if actor is None:
            await self._others(scope, receive, send)
            return
        scope.setdefault("state", {})["actor"] = actor
        await self._app(scope, receive, send)

    async def _actor(self, scope: Scope) -> Actor | None:
        """None for everybody who is not known so, and while the index does not answer: then a login fails in words."""
        certificate = scope.get("extensions", {}).get("tls", {}).get(CLIENT_CERTIFICATE, b"")
        if not certificate or "authorization" in Headers(scope=scope):
            return None
        client = scope.get("client")
        try:
            return await run_sync(self._peers.certified, shown(certificate), client[0] if client else "")
        except (NotAuthorized, BadRequest, Unavailable):
            return None

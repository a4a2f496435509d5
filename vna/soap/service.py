"""One address that takes SOAP messages by POST and shows its WSDL by GET."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from storage.scratch import Scratch, unbounded
from vna.mime.media_type import MediaType, parse_media_type
from vna.model.access import ActorKind
from vna.model.errors import BadRequest, Unavailable
from vna.model.priority import Priority
from vna.security.requests import actor_of, origin_of
from vna.security.turns import in_turn
from vna.sending import send_pieces
from vna.soap.arrival import Arrival
from vna.soap.exchange import Answered, Exchange, Rules
from vna.soap.limits import Limits
from vna.soap.package import Unpacking
from vna.soap.versions import BY_MEDIA_TYPE, Version
from vna.soap.wsdl import Wsdl
from vna.turns import Turns

_BATCH = 1 << 20
_OF_ANYBODY = 4 << 20
"""Bytes of a message of whom HTTP does not know: it has to say in its header who asks."""
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Service:
    """`spool_folder` is where what does not fit into memory waits, and `room` raises when too little is free there.

    `public_url` is the origin in the WSDL, where the request may say another. `priority` is the class of its messages,
    unless they or their actors are of a lower one, and `turns` says how many of those that can wait are served at once.
    """

    path: str
    rules: Rules
    spool_folder: Path
    wsdl: Wsdl | None = None
    public_url: str = ""
    limits: Limits = field(default_factory=Limits)
    room: Callable[[], None] = unbounded
    turns: Turns = field(default_factory=Turns)
    priority: Priority = Priority.INTERACTIVE

    def routes(self) -> list[Route]:
        """POST for messages; GET for `?wsdl` and `?xsd=...`."""
        return [Route(self.path, self._post, methods=["POST"]), Route(self.path, self._get, methods=["GET"])]

    async def _get(self, request: Request) -> Response:
        url = origin_of(request, self.public_url) + self.path
        document = self.wsdl.document(request.query_params, url) if self.wsdl is not None else None
        if document is not None:
            return Response(document, media_type="text/xml", headers={"X-Content-Type-Options": "nosniff"})
        described = "; ?wsdl describes them" if self.wsdl is not None else ""
        sentence = f"this address takes SOAP messages by POST{described}"
        return JSONResponse({"status": 405, "message": sentence}, 405, {**_HEADERS, "Allow": "POST"})

    async def _post(self, request: Request) -> Response:
        scratch = Scratch(self.spool_folder, self.room)
        try:
            return await in_turn(request, self.turns, self.priority, partial(self._answer, request, scratch))
        except Unavailable as error:
            scratch.close()
            return JSONResponse({"status": 503, "message": str(error)}, 503, {**_HEADERS, "Connection": "close"})
        except ClientDisconnect:
            scratch.close()
            return Response(status_code=400)
        except BaseException:
            scratch.close()
            raise

    async def _answer(self, request: Request, scratch: Scratch) -> Response:
        is_anybody = self.rules.identify is not None and actor_of(request).kind is ActorKind.ANONYMOUS
        limits = self.limits.at_most(_OF_ANYBODY) if is_anybody else self.limits
        arrival = Arrival(request, limits)
        version, http_action = _said_by_http(request)
        exchange = Exchange(self.rules, self.limits.envelope, actor_of(request), http_action, version)
        try:
            unpacking, rest = await self._receive(request, arrival, scratch, limits)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001  # told in a fault, and logged there
            scratch.close()
            await arrival.linger()
            return Answer(exchange.refused(error), scratch, close=True)
        return Answer(await run_in_threadpool(exchange.answer, unpacking, rest, scratch), scratch)

    async def _receive(
        self, request: Request, arrival: Arrival, scratch: Scratch, limits: Limits
    ) -> tuple[Unpacking, bytes]:
        """The body in the scratch file, and what is left for the thread that judges it."""
        arrival.check()
        unpacking = Unpacking(request.headers.get("content-type", ""), scratch, limits)
        waiting = bytearray()
        async for piece in arrival.pieces():
            waiting += piece
            if len(waiting) >= _BATCH:
                await run_in_threadpool(unpacking.feed, bytes(waiting))
                waiting = bytearray()
        return unpacking, bytes(waiting)


class Answer(Response):
    """A message on its way out; the scratch file of what it answers is closed with it."""

    def __init__(self, answered: Answered, scratch: Scratch, *, close: bool = False) -> None:
        self.status_code = answered.status
        self.media_type = None
        self.background = None
        self._body = answered.body
        self._scratch = scratch
        connection = {"Connection": "close"} if close else {}
        self.init_headers({**_HEADERS, **connection, "Content-Type": answered.content_type})
        if answered.size is not None:
            self.headers["Content-Length"] = str(answered.size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        with self._scratch:
            if isinstance(self._body, bytes):
                await send(start)
                await send({"type": "http.response.body", "body": self._body})
            else:
                await send_pieces(scope, receive, send, start, self._body)


def _said_by_http(request: Request) -> tuple[Version, str]:
    """The version and the action as the header fields say them (SOAP 1.1 6.1.1, RFC 3902 3).

    The version is that of faults of what cannot be read.
    """
    try:
        media = parse_media_type(request.headers.get("content-type", ""))
    except BadRequest:
        media = MediaType("")
    named = (media.name, media.parameters.get("start-info", "").partition(";")[0], media.parameters.get("type", ""))
    version = next((BY_MEDIA_TYPE[name] for name in map(str.lower, named) if name in BY_MEDIA_TYPE), Version.SOAP12)
    action = request.headers.get("soapaction", "").strip().strip('"') or media.parameters.get("action", "")
    return version, action

"""One address that takes SOAP messages by POST and shows its WSDL by GET."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from storage.scratch import Scratch
from vna.mime.media_type import parse_media_type
from vna.model.errors import BadRequest, TooLarge, VnaError
from vna.security.requests import actor_of, origin_of
from vna.sending import gather, send_pieces
from vna.soap.exchange import Exchange, Rules
from vna.soap.faults import sender
from vna.soap.limits import Limits
from vna.soap.outgoing import Outgoing
from vna.soap.package import Unpacking
from vna.soap.versions import BY_MEDIA_TYPE, Version
from vna.soap.wsdl import Wsdl

_BATCH = 1 << 20
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Service:
    """`spool_folder` is where what does not fit into memory waits; `public_url` is the origin in the WSDL."""

    path: str
    rules: Rules
    spool_folder: Path
    wsdl: Wsdl | None = None
    public_url: str = ""
    limits: Limits = field(default_factory=Limits)

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
        scratch = Scratch(self.spool_folder)
        exchange = Exchange(self.rules, self.limits.envelope, actor_of(request), _http_action(request))
        exchange.version = _version_of(request)
        try:
            unpacking = await self._receive(request, scratch)
            status, body = await run_in_threadpool(exchange.answer, unpacking, scratch)
            return Answer(status, body, scratch)
        except ClientDisconnect:
            scratch.close()
            return Response(status_code=400)
        except VnaError as error:
            scratch.close()
            status, body = exchange.refused(error)
            return Answer(status, body, scratch, close=True)
        except BaseException:
            scratch.close()
            raise

    async def _receive(self, request: Request, scratch: Scratch) -> Unpacking:
        coding = request.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            raise sender(f"the body is in {coding[:40]!r}, and has to come as it is", status=415)
        if int(request.headers.get("content-length", "0")) > self.limits.message_bytes:
            raise TooLarge(f"the message is larger than {self.limits.message_bytes} bytes")
        unpacking = Unpacking(request.headers.get("content-type", ""), scratch, self.limits)
        waiting = bytearray()
        async for chunk in self._chunks(request):
            waiting += chunk
            if len(waiting) >= _BATCH:
                await run_in_threadpool(unpacking.feed, bytes(waiting))
                waiting = bytearray()
        if waiting:
            unpacking.feed(bytes(waiting))  # at most one piece goes to the disk, and mostly none
        return unpacking

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        """The body as it comes; BadRequest when it stops coming or comes too slowly, TooLarge past the bound."""
        limits, taken, begun = self.limits, 0, time.monotonic()
        chunks = aiter(request.stream())
        while True:
            chunk: bytes | None = None
            with anyio.move_on_after(limits.idle_seconds):
                chunk = await anext(chunks, b"")
                if not chunk:
                    return
            if chunk is None:
                raise sender(f"nothing of the message arrived for {limits.idle_seconds:g} seconds", status=408)
            taken += len(chunk)
            if taken > limits.message_bytes:
                raise TooLarge(f"the message is larger than {limits.message_bytes} bytes")
            seconds = time.monotonic() - begun
            if seconds > limits.grace_seconds and taken < limits.bytes_per_second * seconds:
                sentence = f"the message arrives with less than {limits.bytes_per_second} bytes a second"
                raise sender(sentence, status=408)
            yield chunk


class Answer(Response):
    """A message on its way out; the scratch file of what it answers is closed after it."""

    def __init__(self, status: int, body: Outgoing, scratch: Scratch, *, close: bool = False) -> None:
        self.status_code = status
        self.media_type = None
        self.background = None
        self._pieces = body.pieces
        self._scratch = scratch
        connection = {"Connection": "close"} if close else {}
        self.init_headers({**_HEADERS, **connection, "Content-Type": body.content_type})
        if body.size is not None:
            self.headers["Content-Length"] = str(body.size)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        try:
            await send_pieces(receive, send, start, gather(self._pieces))
        finally:
            self._scratch.close()


def _version_of(request: Request) -> Version:
    """By the Content-Type: for faults of what cannot be read."""
    text = request.headers.get("content-type", "")
    try:
        media = parse_media_type(text)
    except BadRequest:
        return Version.SOAP12
    named = (media.name, media.parameters.get("start-info", "").partition(";")[0], media.parameters.get("type", ""))
    return next((BY_MEDIA_TYPE[name] for name in map(str.lower, named) if name in BY_MEDIA_TYPE), Version.SOAP12)


def _http_action(request: Request) -> str:
    """What the transport says that the message is for (SOAP 1.1 6.1.1, RFC 3902 3)."""
    named = request.headers.get("soapaction", "").strip().strip('"')
    if named:
        return named
    try:
        return parse_media_type(request.headers.get("content-type", "")).parameters.get("action", "")
    except BadRequest:
        return ""

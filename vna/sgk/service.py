"""The address of the look-ups: one message in, one answer out, within the bounds of what a look-up can say.

SOAP 1.1 alone, and no attachments; SOAPAction says nothing here, as known clients leave it empty: the element in the
Body is the operation. Who shows no credentials in the HTTP header may show them in the message.
"""

import logging
from dataclasses import dataclass, replace
from functools import partial

import anyio
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vna.model.access import Actor, ActorKind
from vna.model.errors import NotAuthorized, Unavailable, VnaError
from vna.model.lookups import Answer, Asked, Result
from vna.model.priority import Priority
from vna.security.accounts import Accounts
from vna.security.http import CHALLENGES
from vna.security.requests import actor_of, origin_of
from vna.security.turns import in_turn
from vna.sgk.contract import Contract
from vna.sgk.login import SECURITY, UsernameToken, username_token
from vna.sgk.reading import Form, Reader
from vna.sgk.writing import Writer
from vna.soap import addressing, envelope
from vna.soap.addressing import Addressing
from vna.soap.arrival import Arrival
from vna.soap.faults import FaultCode, SoapFault, as_fault, receiver, sender, version_mismatch
from vna.soap.limits import Limits
from vna.soap.message import Packaging
from vna.soap.package import Package
from vna.soap.versions import Version
from vna.teleradiology.lookups import Lookups
from vna.turns import Turns
from vna.xml.namespaces import SOAP11
from vna.xml.parser import Bounds

log = logging.getLogger(__name__)

_VERSION = Version.SOAP11
_LIMITS = Limits(envelope=Bounds(64 << 10, 2000), message_bytes=64 << 10, idle_seconds=20, grace_seconds=20)
_TYPES = frozenset({"text/xml", "application/xml", "application/soap+xml"})
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_CONTENT_TYPE = "text/xml; charset=UTF-8"
_BEFORE = f'<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope xmlns:soap="{SOAP11}"><soap:Body>'.encode()
_AFTER = b"</soap:Body></soap:Envelope>"
_MOST_WAITING = 16
"""Of those whose look-ups fail, in one process."""
_LOGINS_AT_ONCE = 4
"""Argon2 takes 64 MiB for each password that it checks."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message that could be read: `asked` is what it asks, `token` who says so."""

    form: Form
    asked: Asked
    token: UsernameToken | None
    addressing: Addressing


class LookupService:
    """`link_path` is where access links are opened, `public_url` the origin in addresses."""

    def __init__(
        self,
        lookups: Lookups,
        accounts: Accounts,
        contract: Contract,
        *,
        link_path: str,
        public_url: str = "",
        turns: Turns | None = None,
    ) -> None:
        self.path = contract.path
        self._lookups = lookups
        self._accounts = accounts
        self._reader, self._writer = Reader(contract), Writer(contract)
        self._wsdl = contract.described()
        self._link_path = link_path
        self._public_url = public_url
        self._turns = turns if turns is not None else Turns()
        self._waiting = 0
        self._logins = anyio.CapacityLimiter(_LOGINS_AT_ONCE)

    def routes(self) -> list[Route]:
        """POST for messages; GET for `?wsdl` and `?xsd=...`."""
        return [Route(self.path, self._post, methods=["POST"]), Route(self.path, self._get, methods=["GET"])]

    async def _get(self, request: Request) -> Response:
        url = origin_of(request, self._public_url) + self.path
        document = self._wsdl.document(request.query_params, url)
        if document is not None:
            return Response(document, media_type="text/xml", headers={"X-Content-Type-Options": "nosniff"})
        sentence = "this address takes SOAP messages by POST; ?wsdl describes them"
        return JSONResponse({"status": 405, "message": sentence}, 405, {**_HEADERS, "Allow": "POST"})

    async def _post(self, request: Request) -> Response:
        try:
            return await in_turn(request, self._turns, Priority.INTERACTIVE, partial(self._answer, request))
        except Unavailable as error:
            return JSONResponse({"status": 503, "message": str(error)}, 503, {**_HEADERS, "Connection": "close"})
        except ClientDisconnect:
            return Response(status_code=400)

    async def _answer(self, request: Request) -> Response:
        actor = actor_of(request)
        try:
            said = await self._read(request)
        except ClientDisconnect:
            raise
        except VnaError as error:
            if actor.kind is ActorKind.ANONYMOUS:
                return await self._unknown(actor, None, NotAuthorized("this needs a login", authenticated=False))
            return await self._faulted(actor, as_fault(error))
        try:
            actor = await self._caller(actor, said.token)
        except NotAuthorized as error:
            return await self._unknown(actor, said.asked, error)
        await self._slowed(actor)
        answer = await run_sync(self._looked_up, actor, said.asked)
        link = partial(self._link, request)
        return _response(self._writer.written(said.form.operation, answer, link), said.addressing)

    async def _read(self, request: Request) -> Said:
        arrival = Arrival(request, _LIMITS)
        try:
            media, charset = _media(request.headers.get("content-type", ""))
            if media not in _TYPES:
                raise sender("the Content-Type is none of a SOAP 1.1 message, which is text/xml", status=415)
            arrival.check()
            body = b"".join([piece async for piece in arrival.pieces()])
        except VnaError:
            await arrival.linger()
            raise
        return self._said(Package(body, charset, Packaging.PLAIN, {}))

    def _said(self, package: Package) -> Said:
        found = envelope.read(package, _LIMITS.envelope)
        if found.version is not _VERSION:
            raise version_mismatch("this address takes SOAP 1.1 alone", _VERSION)
        foreign = found.not_understood(frozenset({SECURITY}))
        if foreign:
            sentence = f"header blocks that must be understood are not: {', '.join(foreign)[:300]}"
            raise SoapFault(FaultCode.MUST_UNDERSTAND, sentence, blocks=tuple(foreign))
        body = found.body()
        form = self._reader.form(body)
        token, said = username_token(found.blocks), addressing.read(found.blocks)
        return Said(form, self._reader.asked(form, body), token, replace(said, action=form.names.request))

    async def _caller(self, actor: Actor, token: UsernameToken | None) -> Actor:
        """Who asks: whom the HTTP header showed, else whom the message shows; where both do, both have to be right."""
        if actor.kind is ActorKind.LOCAL:
            return actor
        if token is None:
            if actor.kind is ActorKind.ANONYMOUS:
                raise NotAuthorized("this needs a login", authenticated=False)
            return actor
        if not token.is_text:
            raise NotAuthorized("the password of the UsernameToken has to come as PasswordText", authenticated=False)
        log_in = self._accounts.authenticate_basic
        shown = await run_sync(log_in, token.name, token.password, actor.address, limiter=self._logins)
        if actor.kind is ActorKind.ANONYMOUS:
            return shown
        if actor.kind is ActorKind.USER and actor.name != shown.name:
            raise NotAuthorized("the HTTP header and the UsernameToken name two users", authenticated=False)
        return actor

    def _looked_up(self, actor: Actor, asked: Asked) -> Answer:
        try:
            return self._lookups.answer(actor, asked)
        except Exception:
            log.exception("a look-up could not be audited", extra={"operation": asked.operation.value})
            return Answer(Result.FAILED)

    async def _slowed(self, actor: Actor) -> None:
        """Wait, where many look-ups of the caller failed; Unavailable when as many wait as may."""
        pause = self._lookups.pause(actor)
        if not pause:
            return
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("too many of the look-ups fail: ask again in a minute")
        self._waiting += 1
        try:
            await anyio.sleep(pause)
        finally:
            self._waiting -= 1

    async def _faulted(self, actor: Actor, fault: SoapFault) -> Response:
        log.warning("message refused", extra={"reason": fault.reason, "address": actor.address})
        await self._slowed(actor)
        try:
            await run_sync(self._lookups.note, actor, None, fault.code.local_name(_VERSION))
        except VnaError:
            fault = receiver("the archive could not process the message; its log says why")
            log.exception("a refused message could not be audited")
        written = envelope.write_fault(_VERSION, fault)
        return Response(written, fault.status_in(_VERSION), _HEADERS, _CONTENT_TYPE)

    async def _unknown(self, actor: Actor, asked: Asked | None, error: NotAuthorized) -> Response:
        log.warning("look-up without a login", extra={"reason": str(error), "address": actor.address})
        await self._slowed(actor)
        await run_sync(self._lookups.note, actor, asked, "401")
        answer = JSONResponse({"status": 401, "message": str(error)}, 401, _HEADERS)
        for challenge in CHALLENGES:
            answer.headers.append("WWW-Authenticate", challenge)
        return answer

    def _link(self, request: Request, secret: str) -> str:
        return f"{origin_of(request, self._public_url)}{self._link_path}/{secret}"


def _response(body: bytes, said: Addressing) -> Response:
    headers = addressing.answer_headers(_VERSION, f"{said.action}Response", said) if said.message_id else []
    content = envelope.write(_VERSION, body, headers) if headers else b"".join((_BEFORE, body, _AFTER))
    return Response(content, 200, _HEADERS, _CONTENT_TYPE)


def _media(content_type: str) -> tuple[str, str]:
    """The media type, and the charset that is said with it."""
    media, *parameters = content_type.split(";")
    named = (parameter.partition("=") for parameter in parameters)
    charset = next((value.strip().strip("\"'") for name, _, value in named if name.strip().lower() == "charset"), "")
    return media.strip().lower(), charset

"""The body of a request as it arrives, bounded in size, in time and in pace."""

from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
from starlette.requests import ClientDisconnect, Request

from vna.model.errors import TooLarge, Unavailable, VnaError
from vna.soap.faults import FaultCode, SoapFault, sender
from vna.soap.limits import Limits, Meter


class Arrival:
    """One body; `pieces` takes it, `linger` takes what is left of it when it is refused."""

    def __init__(self, request: Request, limits: Limits) -> None:
        self._request = request
        self._limits = limits
        self._more = True
        self._given_up = False

    def check(self) -> None:
        """SoapFault or TooLarge for what its header fields say already."""
        coding = self._request.headers.get("content-encoding", "").strip().lower()
        if coding not in ("", "identity"):
            raise sender(f"the body is in {coding[:40]!r}, and has to come as it is", status=415)
        declared = self._request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._limits.message_bytes:
            raise TooLarge(f"the message is larger than {self._limits.message_bytes} bytes")

    async def pieces(self) -> AsyncIterator[bytes]:
        """The bytes; SoapFault when they stop coming or come too slowly, TooLarge past the bound."""
        meter = Meter(self._limits)
        while self._more:
            piece = await self._next()
            try:
                meter.count(len(piece))
            except Unavailable as error:
                raise self._too_slow(str(error)) from error
            if piece:
                yield piece

    async def linger(self) -> None:
        """Read on for a while, unless it was given up as too slow; harmless at the end of the body."""
        with anyio.move_on_after(self._limits.linger_seconds), suppress(VnaError, ClientDisconnect):
            while self._more and not self._given_up:
                await self._next()

    async def _next(self) -> bytes:
        idle = self._limits.idle_seconds
        with anyio.move_on_after(idle):
            message = await self._request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            self._more = bool(message.get("more_body", False))
            return bytes(message.get("body", b""))
        raise self._too_slow(f"nothing of the message arrived for {idle:g} seconds")

    def _too_slow(self, sentence: str) -> SoapFault:
        self._given_up = True
        return SoapFault(FaultCode.SENDER, sentence, status=408)

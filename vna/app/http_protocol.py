"""The first lines of a request, bounded in length and time: what is beyond is told in words (RFC 9110 15.5, RFC 6585).

uvicorn's own protocol takes any number of fields for any time, and answers a long address with bare words.
"""

import asyncio
from typing import Any, Final

import httptools
import orjson
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from vna.app.answering import answering
from vna.security.certified import CLIENT_CERTIFICATE

MOST_ADDRESS: Final = 65_535
"""Bytes of path and query together: what the parser can take apart."""
MOST_FIELDS: Final = 64 << 10
"""Bytes of header fields."""
_LINGER_BYTES: Final = 16 << 20
_LINGER_SECONDS: Final = 5.0
_TOO_LONG: Final = (414, f"the address is longer than {MOST_ADDRESS} bytes")
_TOO_MANY: Final = (431, f"the header fields are longer than {MOST_FIELDS} bytes")
_MALFORMED: Final = (400, "this is no HTTP request")


class BoundedProtocol(HttpToolsProtocol):
    """One connection; `seconds` is how long the first lines of a request may take to come."""

    seconds: float = 60.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fields = 0
        self._certificate = b""
        self._refusal = _MALFORMED
        self._left = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._certificate = _certificate(transport)
        self._expect()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        answered = answering(app, cycle)  # type: ignore[arg-type]  # the same in other words
        super()._start_asgi_task(cycle, answered)  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
            if self._left <= 0:
                self.transport.abort()
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._certificate:
            self.scope["extensions"] = {"tls": {CLIENT_CERTIFICATE: self._certificate}}
        self._fields = 0
        self._expect()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MOST_ADDRESS:
            self._refuse(_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += len(name) + len(value)
        if self._fields > MOST_FIELDS:
            self._refuse(_TOO_MANY)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._expect_nothing()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What the parser could not take, told as every other refusal is.

        The rest of the request is read and passed over for a while: bytes left unread would take the answer with them.
        """
        del msg
        self._expect_nothing()
        if self._is_answering():
            self.transport.close()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True  # whoever was reading the body has nothing more to say
            self.cycle.message_event.set()
        status, sentence = self._refusal
        body = orjson.dumps({"status": status, "message": sentence})
        length = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + length.encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._left = _LINGER_BYTES
        self._timer = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    def _refuse(self, refusal: tuple[int, str]) -> None:
        self._refusal = refusal
        raise httptools.HttpParserError(refusal[1])

    def _expect(self) -> None:
        self._expect_nothing()
        self._timer = self.loop.call_later(self.seconds, self._give_up)

    def _give_up(self) -> None:
        if self._is_answering():  # to the request before this one
            self._expect()
        else:
            self.transport.abort()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and cycle.response_started and not cycle.response_complete

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _certificate(transport: asyncio.Transport) -> bytes:
    """That of the client (DER), where it showed one."""
    secured = transport.get_extra_info("ssl_object")
    return (secured.getpeercert(binary_form=True) or b"") if secured is not None else b""

"""HTTP over TLS: each connection with the certificates of its moment, and a word to who speaks plain HTTP to it."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from vna.security.tls import HANDSHAKE, reason_of

log = logging.getLogger(__name__)

_HANDSHAKE_SECONDS: Final = 15.0
_HANDSHAKES_AT_ONCE: Final = 100
"""Connections on their way to being secured; more wait to be accepted."""
_PAUSE_WITHOUT_DESCRIPTORS: Final = 0.2
_LONGEST_REQUEST: Final = 64 << 10
_PLAIN: Final = orjson.dumps({"status": 400, "message": "this port speaks TLS: the address begins with https://"})
_ANSWER: Final = (
    STATUS_LINE[400]
    + b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(_PLAIN)
    + _PLAIN
)


class HttpsServer(uvicorn.Server):
    """uvicorn's, which accepts connections itself: uvicorn would keep the certificates with which it began."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, context: Callable[[], ssl.SSLContext]) -> None:
        super().__init__(config)
        self._listening = listening
        self._secure = context
        self._room = asyncio.Semaphore(_HANDSHAKES_AT_ONCE)
        self._connecting: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, without a socket of its own."""
        del sockets
        await super().startup(sockets=[])
        self._listening.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nothing more is accepted; then as uvicorn's."""
        tasks = [task for task in (self._accepting, *self._connecting) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listening.close()
        await super().shutdown(sockets)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                sock, place = await loop.sock_accept(self._listening)
            except OSError as exc:
                self._room.release()
                if not isinstance(exc, ConnectionError):
                    log.error("no connection can be accepted", extra={"reason": str(exc)})
                    await asyncio.sleep(_PAUSE_WITHOUT_DESCRIPTORS)
                continue
            task = asyncio.create_task(self._secured(sock, str(place[0])))
            self._connecting.add(task)
            task.add_done_callback(self._connected)

    def _connected(self, task: "asyncio.Task[None]") -> None:
        self._connecting.discard(task)
        self._room.release()

    async def _secured(self, sock: socket.socket, address: str) -> None:
        try:
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
                first = await _first(sock)
                if first == HANDSHAKE:
                    await self._hand_over(sock)
                    return
            _turn_away(sock)
            log.info("connection not secured", extra={"address": address, "reason": "it does not begin with TLS"})
        except (OSError, TimeoutError) as exc:
            log.info("connection not secured", extra={"address": address, "reason": reason_of(exc)})
        except asyncio.CancelledError:
            pass
        sock.close()

    async def _hand_over(self, sock: socket.socket) -> None:
        config = self.config
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def protocol() -> asyncio.Protocol:
            kind: Any = config.http_protocol_class
            made: asyncio.Protocol = kind(config=config, server_state=self.server_state, app_state=self.lifespan.state)
            return made

        await asyncio.get_running_loop().connect_accepted_socket(
            protocol, sock, ssl=self._secure(), ssl_handshake_timeout=_HANDSHAKE_SECONDS
        )


async def _first(sock: socket.socket) -> bytes:
    """The first byte, which stays to be read."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    sock.setblocking(False)
    loop.add_reader(sock.fileno(), readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sock.fileno())
    return sock.recv(1, socket.MSG_PEEK)


def _turn_away(sock: socket.socket) -> None:
    """What was read of the request does not take the answer along."""
    with suppress(OSError):
        if sock.recv(_LONGEST_REQUEST)[:1].isalpha():
            sock.send(_ANSWER)
            sock.shutdown(socket.SHUT_WR)

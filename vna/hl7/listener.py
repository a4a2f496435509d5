"""The MLLP listener: connections of one process, each bounded in size and time, messages answered one after another."""

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from vna.hl7.framing import Frames, NotMLLP, TooLong, framed
from vna.model.errors import VnaError

log = logging.getLogger(__name__)

T = TypeVar("T")

_PIECE: Final = 64 << 10
_HANDSHAKE_SECONDS: Final = 15.0
_LINGER_SECONDS: Final = 5.0
_AT_ONCE: Final = 8
"""Messages worked on at the same time."""

_STOP_POLL: Final = 0.2
_PAUSE_WITHOUT_DESCRIPTORS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process bears; times in seconds.

    A message has to be whole `message_seconds` after its first byte, and its answer to be read as soon; the next one
    has to begin within `idle_seconds`.
    """

    connections: int = 64
    message_bytes: int = 16 << 20
    message_seconds: float = 60.0
    idle_seconds: float = 3600.0


class Answering(Protocol):
    """What messages are given to: the archive, or a command that only shows them. Called in threads."""

    def answer(self, data: bytes, address: str, certificate: bytes) -> bytes:
        """The acknowledgment of a whole message; `certificate` is what its sender showed (DER), or nothing."""

    def reject(self, data: bytes, words: str, address: str) -> bytes:
        """The acknowledgment of a message that is not read to its end; `data` is how it begins."""


class Listener:
    """Serves connections that come over a listening socket, until told to stop."""

    def __init__(
        self,
        answering: Answering,
        limits: Limits,
        tls: Callable[[], ssl.SSLContext] | None = None,
        admits: Callable[[str], bool] | None = None,
        caller: Callable[[socket.socket, Any], Any] | None = None,
    ) -> None:
        """`tls` gives the context of the next connection, `admits` says of an address whether anybody known sends from
        there, `caller` of a balancer's connection who is behind it."""
        self._caller = caller
        self._answering = answering
        self._limits = limits
        self._tls = tls
        self._admits = admits or (lambda _: True)
        self._connections: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(_AT_ONCE, "hl7")

    def run(self, sock: socket.socket, stop: threading.Event, *, grace_seconds: float) -> None:
        """Serve until `stop` is set; messages that are being worked on then are answered, within the grace."""
        asyncio.run(self._serve(sock, stop, grace_seconds))
        self._threads.shutdown()

    async def _serve(self, sock: socket.socket, stop: threading.Event, grace_seconds: float) -> None:
        sock.setblocking(False)
        accepting = asyncio.create_task(self._accept(sock))
        while not stop.is_set() and not accepting.done():  # noqa: ASYNC110  a signal handler sets it, outside the loop
            await asyncio.sleep(_STOP_POLL)
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=grace_seconds)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, place = await loop.sock_accept(listening)
            except ConnectionError:
                continue
            except OSError as exc:
                log.error("no connection can be accepted", extra={"reason": _reason(exc)})
                await asyncio.sleep(_PAUSE_WITHOUT_DESCRIPTORS)
                continue
            if len(self._connections) >= self._limits.connections:
                log.warning("connection refused", extra={"address": place[0], "reason": "too many connections"})
                sock.close()
                continue
            task = loop.create_task(self._connection(sock, str(place[0])))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _connection(self, sock: socket.socket, address: str) -> None:
        try:
            address = await self._in_thread(partial(self._behind, sock, address))
        except OSError as exc:
            log.warning("connection refused", extra={"address": address, "reason": _reason(exc)})
            sock.close()
            return
        connection = await self._opened(sock, address)
        if connection is None:
            sock.close()
            return
        try:
            await self._converse(connection, address)
        except (OSError, TimeoutError, NotMLLP) as exc:
            log.warning("connection ended", extra={"address": address, "reason": _reason(exc)})
        except Exception:
            log.exception("connection failed", extra={"address": address})
        finally:
            await connection.close()

    def _behind(self, sock: socket.socket, address: str) -> str:
        if self._caller is None:
            return address
        place = self._caller(sock, (address, 0))
        sock.setblocking(False)
        return str(place[0])

    async def _opened(self, sock: socket.socket, address: str) -> "_Connection | None":
        try:
            if not await self._in_thread(partial(self._admits, address)):
                raise ConnectionError("no source sends from there")
            return await _Connection.open(sock, self._tls() if self._tls is not None else None, self._limits)
        except (OSError, VnaError) as exc:
            log.warning("connection refused", extra={"address": address, "reason": _reason(exc)})
            return None

    async def _converse(self, connection: "_Connection", address: str) -> None:
        try:
            while (message := await connection.message()) is not None:
                answer = self._in_thread(partial(self._answering.answer, message, address, connection.certificate))
                try:
                    reply = await asyncio.shield(answer)
                except asyncio.CancelledError:  # the message is done with all the same: its sender should know
                    await connection.send(await answer)
                    raise
                await connection.send(reply)
        except TooLong as exc:
            words = f"the message has more than {self._limits.message_bytes} bytes"
            await connection.send(await self._in_thread(partial(self._answering.reject, exc.head, words, address)))
            await connection.linger()

    def _in_thread(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(self._threads, work)


class _Connection:
    """Messages in, answers out, each in its time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits) -> None:
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._frames = Frames(limits.message_bytes)

    @classmethod
    async def open(cls, sock: socket.socket, tls: ssl.SSLContext | None, limits: Limits) -> "_Connection":
        """With the TLS handshake, where there is one."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(_PIECE)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, sock, ssl=tls, ssl_handshake_timeout=_HANDSHAKE_SECONDS if tls else None
        )
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop), limits)

    @property
    def certificate(self) -> bytes:
        """That of the sender (DER), where it showed one."""
        secured = self._writer.get_extra_info("ssl_object")
        return (secured.getpeercert(binary_form=True) or b"") if secured is not None else b""

    async def message(self) -> bytes | None:
        """The next message; None when the sender has ended, or has nothing to say for too long.

        TimeoutError when one is not whole in time, ConnectionError when it ends before.
        """
        now = time.monotonic()
        whole_by, begun_by = now + self._limits.message_seconds, now + self._limits.idle_seconds
        begun = self._frames.begun
        while (message := self._frames.next()) is None:
            if self._frames.begun and not begun:
                begun, whole_by = True, time.monotonic() + self._limits.message_seconds
            piece = await self._piece(whole_by if begun else begun_by)
            if not piece and begun:
                raise ConnectionError("a message had begun and is not whole")
            if not piece:
                return None
            self._frames.feed(piece)
        return message

    async def _piece(self, deadline: float) -> bytes:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await self._reader.read(_PIECE)
        except TimeoutError:
            if self._frames.begun:
                raise TimeoutError("a message had begun and is not whole in time") from None
            return b""

    async def send(self, message: bytes) -> None:
        """TimeoutError when the other side does not take it."""
        self._writer.write(framed(message))
        async with asyncio.timeout(self._limits.message_seconds):
            await self._writer.drain()

    async def linger(self) -> None:
        """Let go of what still comes for a while: closing on unread bytes could take the answer from the sender."""
        with suppress(TimeoutError, OSError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self._reader.read(_PIECE):
                    pass

    async def close(self) -> None:
        """What was written goes out first, if the other side takes it soon."""
        self._writer.close()
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._writer.wait_closed()
        except (TimeoutError, OSError):
            self._writer.transport.abort()


def _reason(exc: Exception) -> str:
    if isinstance(exc, NotMLLP):
        return "what came is no HL7 message in MLLP"
    return str(exc) or type(exc).__name__

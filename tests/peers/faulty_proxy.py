"""A proxy in front of an HTTP server that breaks what passes, request by request, as it is told to.

It passes bytes on as they are, Host and signatures included, so that S3 works through it.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

_CHUNK = 1 << 16
_HEAD = 1 << 20


class Fault(Enum):
    """What happens to one request."""

    REFUSE = "503 without having been passed on"
    FAIL = "500 without having been passed on"
    FORGET = "done, and the connection closed instead of an answer"
    HANG = "taken and never answered"
    CUT = "the connection closed within the body of the answer"
    SHORTEN = "an answer that is whole by its Content-Length, and has lost its last third"
    FLIP = "one bit of the body of the answer changed"


@dataclass(frozen=True, slots=True)
class Request:
    """Of which faults are chosen."""

    method: str
    path: str
    content_length: int


Choice = Callable[[Request], Fault | None]


def nothing(_request: Request) -> None:
    return None


@dataclass(slots=True)
class _Message:
    """A request or an answer: its head, and how its body is delimited (RFC 9112 6)."""

    start: str
    head: bytes
    length: int | None
    chunked: bool = False

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> _Message:
        head = await reader.readuntil(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        chunked = "chunked" in fields.get("transfer-encoding", "")
        length = fields.get("content-length")
        return cls(start, head, int(length) if length is not None else None, chunked)


@dataclass(slots=True)
class FaultyProxy:
    """Listens on `port` from `start` to `stop`. `choose` and `delay` may be set at any time."""

    target: tuple[str, int]
    choose: Choice = nothing
    delay: float = 0.0
    """Seconds before each request is passed on."""
    happened: Counter[Fault] = field(default_factory=Counter)
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self.port = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=(listener,), name="faulty proxy")
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join()

    def cut(self) -> None:
        """Close every connection there is, those that hang too."""
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _run(self, listener: socket.socket) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, sock=listener, limit=_HEAD))
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._end())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _end(self) -> None:
        self._cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self.target, limit=_HEAD)
        try:
            while await self._one(reader, writer, server_reader, server_writer):
                pass
        finally:
            server_writer.transport.abort()

    async def _one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
    ) -> bool:
        """Whether the connection goes on."""
        asked = await _Message.read(reader)
        method, path, _ = asked.start.split(" ", 2)
        fault = self.choose(Request(method, path, asked.length or 0))
        if self.delay:
            await asyncio.sleep(self.delay)
        if fault is not None:
            self.happened[fault] += 1
        if fault is Fault.HANG:
            await asyncio.Event().wait()
        if fault in (Fault.REFUSE, Fault.FAIL):
            await _pass_body(asked, reader, None)
            writer.write(_REFUSALS[fault])
            await writer.drain()
            return True
        server_writer.write(asked.head)
        await _pass_body(asked, reader, server_writer)
        answer = await _Message.read(server_reader)
        while answer.start.split(" ")[1] == "100":
            writer.write(answer.head)
            answer = await _Message.read(server_reader)
        if fault is Fault.FORGET:
            return False
        if method == "HEAD" or answer.start.split(" ")[1] in ("204", "304"):
            answer.length, answer.chunked = 0, False
        return await _answer(answer, fault, server_reader, writer)


_REFUSALS = {
    fault: f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    for fault, status, body in (
        (Fault.REFUSE, "503 Service Unavailable", "<Error><Code>SlowDown</Code><Message>broken</Message></Error>"),
        (Fault.FAIL, "500 Internal Server Error", "<Error><Code>InternalError</Code><Message>broken</Message></Error>"),
    )
}


async def _answer(
    answer: _Message, fault: Fault | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    if fault not in (Fault.CUT, Fault.SHORTEN, Fault.FLIP) or not answer.length or " 20" not in answer.start[:12]:
        writer.write(answer.head)
        await _pass_body(answer, reader, writer)
        return True
    body = await reader.readexactly(answer.length)
    kept = len(body) * 2 // 3
    if fault is Fault.CUT:
        writer.write(answer.head + body[:kept])
        await writer.drain()
        writer.close()
        return False
    if fault is Fault.SHORTEN:
        said = f"{answer.length}".encode()
        writer.write(_replaced_length(answer.head, said, f"{kept}".encode()) + body[:kept])
    else:
        writer.write(answer.head + body[:kept] + bytes([body[kept] ^ 0x10]) + body[kept + 1 :])
    await writer.drain()
    return True


def _replaced_length(head: bytes, old: bytes, new: bytes) -> bytes:
    lines = head.split(b"\r\n")
    return b"\r\n".join(
        line.replace(old, new) if line.lower().startswith(b"content-length:") else line for line in lines
    )


async def _pass_body(message: _Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None) -> None:
    """The body as it comes; to nobody where there is no writer."""

    async def give(piece: bytes) -> None:
        if writer is not None:
            writer.write(piece)
            await writer.drain()

    if message.chunked:
        size = -1
        while size:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            await give(line + await reader.readexactly(size + 2))
        return
    left = message.length or 0
    while left:
        piece = await reader.read(min(left, _CHUNK))
        if not piece:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(piece)
        await give(piece)
    await give(b"")


@contextmanager
def faulty(target: tuple[str, int]) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(target)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()

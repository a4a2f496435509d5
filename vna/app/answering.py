"""What uvicorn lacks in sending answers: parts of files go from the page cache to the socket without passing through
this process (sendfile, the zero-copy extension of ASGI), and a caller that takes nothing is let go."""

import asyncio
import os
import socket
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Final

from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from vna.sending import ZERO_COPY

SEND_SECONDS: Final = 600.0
"""A caller that takes nothing for so long is let go."""
_MOST: Final = 4 << 20
"""Bytes of one call: a file that is not in memory is read meanwhile, in a thread."""


def answering(app: ASGIApp, cycle: RequestResponseCycle) -> ASGIApp:
    """The application for one request; files are taken where the connection is not encrypted."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["scheme"] == "http":
            scope["extensions"] = {**(scope.get("extensions") or {}), ZERO_COPY: {}}

        async def sent(message: Message) -> None:
            if cycle.flow.write_paused and not cycle.disconnected:
                await _bounded(cycle, cycle.flow.drain())
            if cycle.transport.is_closing():
                cycle.disconnected = True  # uvicorn is told a moment later, and writing to a closed one raises
            if message["type"] == ZERO_COPY:
                await _send_file(cycle, send, message)
            else:
                await send(message)

        await app(scope, receive, sent)

    return served


async def _bounded(cycle: RequestResponseCycle, waiting: Awaitable[None]) -> None:
    try:
        await asyncio.wait_for(waiting, SEND_SECONDS)
    except TimeoutError:
        cycle.transport.abort()
        raise


async def _send_file(cycle: RequestResponseCycle, send: Send, message: Message) -> None:
    count = message["count"]
    if cycle.disconnected:
        return
    if count and cycle.scope["method"] != "HEAD":
        if cycle.chunked_encoding:
            cycle.transport.write(b"%x\r\n" % count)
        elif count > cycle.expected_content_length:
            raise RuntimeError("the body is longer than Content-Length")
        else:
            cycle.expected_content_length -= count
        await _flushed(cycle)
        await _transfer(cycle, message["file"], message.get("offset", 0), count)
        if cycle.chunked_encoding:
            cycle.transport.write(b"\r\n")
    if not message.get("more_body", False):
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _flushed(cycle: RequestResponseCycle) -> None:
    """What was written before is with the kernel, so that what follows comes behind it."""
    transport = cycle.transport
    if transport.get_write_buffer_size():
        await asyncio.sleep(0)  # the loop writes what it has when a round is over
    if not transport.get_write_buffer_size():
        return
    low, high = transport.get_write_buffer_limits()
    transport.set_write_buffer_limits(high=0)
    try:
        while transport.get_write_buffer_size() and not cycle.disconnected:
            await _bounded(cycle, cycle.flow.drain())
            await asyncio.sleep(0)
    finally:
        transport.set_write_buffer_limits(high=high, low=low)


async def _transfer(cycle: RequestResponseCycle, file: int, offset: int, count: int) -> None:
    """All of it, or the connection is cut: RuntimeError where the file is shorter."""
    if cycle.transport.is_closing():
        return
    sock: socket.socket = cycle.transport.get_extra_info("socket")
    target = os.dup(sock.fileno())  # the transport may close its own meanwhile, and the number be given to another
    try:
        end = offset + count
        while offset < end:
            try:
                sent = await _some(target, file, offset, end - offset)
            except BlockingIOError:
                await _bounded(cycle, _writable(target))
                continue
            if not sent:
                raise RuntimeError("a file has become shorter while it was sent")
            offset += sent
    except ConnectionError:
        cycle.transport.abort()  # gone: told to whoever sends by the connection's end
    finally:
        os.close(target)


async def _some(target: int, file: int, offset: int, count: int) -> int:
    if _in_memory(file, offset, count):
        return os.sendfile(target, file, offset, min(count, _MOST))
    return await run_sync(os.sendfile, target, file, offset, min(count, _MOST))


def _in_memory(file: int, offset: int, count: int) -> bool:
    """Whether the first and the last byte can be had without waiting for a disk: a guess about those between."""
    buffer = bytearray(1)
    try:
        for place in (offset, offset + min(count, _MOST) - 1):
            os.preadv(file, [buffer], place, os.RWF_NOWAIT)
    except OSError:  # not in memory, or a file system that does not say
        return False
    return True


async def _writable(target: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake(*_: Any) -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(target, wake)
    try:
        await ready
    finally:
        with suppress(ValueError):
            loop.remove_writer(target)

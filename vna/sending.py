"""Bodies of HTTP answers from blocking iterators: never more than a piece in memory, and the event loop never waits.

Plain ASGI, for every HTTP door.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

import anyio
from anyio.to_thread import run_sync

log = logging.getLogger(__name__)

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

PIECE = 256 * 1024
SEND_SECONDS = 600.0
"""A caller that takes nothing for so long is let go."""


async def send_pieces(
    receive: Receive, send: Send, start: Event, pieces: Iterator[bytes], *, head_only: bool = False
) -> None:
    """Send `start` and then the pieces, which are closed whatever happens.

    When the iterator fails the connection is cut, so that nobody takes half a body for the whole.
    """
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
            await _send(send, start, pieces, head_only=head_only)
            tasks.cancel_scope.cancel()
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            with anyio.CancelScope(shield=True):
                await run_sync(close)


async def _send(send: Send, start: Event, pieces: Iterator[bytes], *, head_only: bool) -> None:
    await send(start)
    while not head_only:
        try:
            piece = await run_sync(next, pieces, None)
        except Exception:
            log.exception("answer broken off")
            return  # without an end of the body: the server cuts the connection
        if piece is None:
            break
        with anyio.fail_after(SEND_SECONDS):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def gather(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of PIECE or more: each one costs a trip to a thread."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield waiting[0] if len(waiting) == 1 else b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)

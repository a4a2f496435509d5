"""Bodies of HTTP answers from blocking iterators: some pieces in memory, and an event loop that never waits.

Plain ASGI, for every HTTP door. What lies in files is sent without reading it where the server offers that. That a
caller takes nothing is noticed by the server (`vna.app.answering`).
"""

import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

import anyio
from anyio.to_thread import run_sync

from vna.model.errors import Unavailable
from vna.model.file_range import BodyPiece, FileRange
from vna.model.priority import Priority
from vna.pacing import Pace

log = logging.getLogger(__name__)

Event = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

PIECE = 256 * 1024
ZERO_COPY: Final = "http.response.zerocopysend"
"""The extension of ASGI by which a server takes a file descriptor, offset and count for a part of the body."""
_READ = 1 << 20
_BATCH_PIECES = 16
_BATCH_SECONDS = 0.02


async def send_pieces(scope: Scope, receive: Receive, send: Send, start: Event, pieces: Iterator[BodyPiece]) -> None:
    """Send `start` and then the pieces, which are closed whatever happens; none where only the head is asked for.

    When the iterator fails the connection is cut, so that nobody takes half a body for the whole.
    """
    taken = pieces if takes_files(scope) else as_bytes(pieces)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
            await _send(send, start, taken, head_only=scope["method"] == "HEAD")
            tasks.cancel_scope.cancel()
    finally:
        for one in (taken, pieces):
            close = getattr(one, "close", None)
            if close is not None:
                with anyio.CancelScope(shield=True):
                    await run_sync(close)


def takes_files(scope: Scope) -> bool:
    """Whether the server sends parts of files itself."""
    return ZERO_COPY in (scope.get("extensions") or {})


def at_pace(send: Send, pace: Pace, priority: Priority) -> Send:
    """What sends the same no faster than this class may; files in pieces, so that none goes out at once."""

    async def wait(size: int) -> None:
        for portion in pace.portions(size, priority):
            while (pause := pace.ask(portion, priority)) > 0:  # noqa: ASYNC110  # other processes set no event
                await anyio.sleep(pause)

    async def sent(message: Event) -> None:
        if message["type"] != ZERO_COPY:
            await wait(len(message.get("body", b"")))
            await send(message)
            return
        offset, left = message["offset"], message["count"]
        while left > 0:
            count = min(left, PIECE)
            await wait(count)
            left -= count
            more = bool(left) or message["more_body"]
            await send({**message, "offset": offset, "count": count, "more_body": more})
            offset += count

    return sent


async def send_piece(send: Send, piece: BodyPiece, *, more_body: bool = True) -> None:
    """One piece of a body; a range only where `takes_files` says so."""
    if isinstance(piece, bytes):
        await send({"type": "http.response.body", "body": piece, "more_body": more_body})
        return
    with opened(piece) as descriptor:
        message = {"file": descriptor, "offset": piece.offset, "count": piece.length, "more_body": more_body}
        await send({"type": ZERO_COPY, **message})


@contextmanager
def opened(place: FileRange) -> Iterator[int]:
    """The descriptor of its file; Unavailable when the file is gone."""
    try:
        descriptor = os.open(place.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise Unavailable("a file of the blob store cannot be opened") from exc
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def as_bytes(pieces: Iterable[BodyPiece]) -> Iterator[bytes]:
    """The same with the ranges read."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            yield from _read(piece)


def _read(place: FileRange) -> Iterator[bytes]:
    end = place.offset + place.length
    with opened(place) as descriptor:
        for at in range(place.offset, end, _READ):
            piece = os.pread(descriptor, min(_READ, end - at), at)
            if len(piece) < min(_READ, end - at):
                raise Unavailable("a file of the blob store is shorter than it was")
            yield piece


async def _send(send: Send, start: Event, pieces: Iterator[BodyPiece], *, head_only: bool) -> None:
    await send(start)
    while not head_only:
        try:
            batch = await run_sync(_batch, pieces)
        except Exception:
            log.exception("answer broken off")
            return  # without an end of the body: the server cuts the connection
        for piece in batch:
            await send_piece(send, piece)
        if not batch:
            break
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _batch(pieces: Iterator[BodyPiece]) -> list[BodyPiece]:
    """The next pieces, as many as are had at once: each trip to a thread costs as much as reading a small one."""
    batch: list[BodyPiece] = []
    size, begun = 0, time.monotonic()
    for piece in pieces:
        batch.append(piece)
        size += len(piece) if isinstance(piece, bytes) else 0
        if size >= PIECE or len(batch) >= _BATCH_PIECES or time.monotonic() - begun > _BATCH_SECONDS:
            break
    return batch


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def gather(pieces: Iterable[BodyPiece]) -> Iterator[BodyPiece]:
    """The same bytes in pieces of PIECE or more, ranges of files between them: each one costs a trip to a thread."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        if isinstance(piece, FileRange):
            if waiting:
                yield b"".join(waiting)
                waiting, size = [], 0
            yield piece
            continue
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield waiting[0] if len(waiting) == 1 else b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)

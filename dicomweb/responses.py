"""Answers with a body: joined when small, read in the thread pool piece by piece when large."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from anyio.to_thread import run_sync
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dicomweb.media_types import MULTIPART
from vna.mime.writer import Part, exactly, multipart_size, new_boundary, write_multipart
from vna.model.file_range import BodyPiece, FileRange
from vna.sending import as_bytes, gather, send_piece, send_pieces, takes_files

HEADERS = {
    "Cache-Control": "private, no-cache",  # patient data: kept by no shared cache, asked again by the own one
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept, Authorization",
}
JOINED = 8 * 1024 * 1024
"""Up to this size a body of known length is joined: half the time of a stream (one trip to a thread)."""


class Streamed(Response):
    """A body from a blocking iterator: never more than some pieces in memory, and the event loop never waits for it.

    When the iterator fails the connection is cut, so that nobody takes half a body for the whole.
    """

    def __init__(
        self,
        pieces: Iterator[BodyPiece],
        *,
        media_type: str,
        size: int | None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self._pieces = pieces
        self.init_headers(HEADERS | dict(headers or {}))
        if size is not None:
            self.headers["content-length"] = str(size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send_pieces(scope, receive, send, start, self._pieces)


class Gathered(Response):
    """A body that is there, in pieces of which some lie in files."""

    def __init__(self, pieces: list[BodyPiece], *, media_type: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(None, headers=HEADERS | dict(headers or {}), media_type=media_type)
        self.headers["content-length"] = str(sum(map(len, pieces)))
        self._pieces = pieces

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        pieces = self._pieces if takes_files(scope) else [await run_sync(b"".join, as_bytes(self._pieces))]
        if scope["method"] == "HEAD":
            pieces = [b""]
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for number, piece in enumerate(pieces, 1):
            await send_piece(send, piece, more_body=number < len(pieces))


def stream(
    pieces: Iterable[BodyPiece], *, media_type: str, size: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Joined up to JOINED bytes, else streamed; the first piece is read here, so that its failure is still an error.

    For a thread: reading may wait.
    """
    gathered = gather(pieces if size is None else exactly(pieces, size))
    if size is not None and size <= JOINED:
        return joined(list(gathered), media_type=media_type, headers=headers)
    first = next(gathered, b"")
    return Streamed(_again(first, gathered), media_type=media_type, size=size, headers=headers)


def joined(pieces: list[BodyPiece], *, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """A body that is small, or lies in files."""
    if any(isinstance(piece, FileRange) for piece in pieces):
        return Gathered(pieces, media_type=media_type, headers=headers)
    return Response(b"".join(as_bytes(pieces)), headers=HEADERS | dict(headers or {}), media_type=media_type)


def multipart_at_once(parts: Sequence[Part], *, media_type: str) -> Response:
    """The same as `multipart` of a few parts that are there."""
    boundary = new_boundary()
    return joined(list(write_multipart(parts, boundary)), media_type=_multipart_type(media_type, boundary))


def _multipart_type(media_type: str, boundary: str) -> str:
    return f'{MULTIPART}; type="{media_type}"; boundary={boundary}'


def multipart(parts: Iterable[Part], *, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """The parts one after another as multipart/related; a sequence of parts of known size has a Content-Length."""
    boundary = new_boundary()
    size = multipart_size(parts, boundary) if isinstance(parts, Sequence) else None
    content_type = _multipart_type(media_type, boundary)
    return stream(write_multipart(parts, boundary), media_type=content_type, size=size, headers=headers)


def _again(first: BodyPiece, rest: Iterator[BodyPiece]) -> Iterator[BodyPiece]:
    if first:
        yield first
    yield from rest

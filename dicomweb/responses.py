"""Answers with a body: joined when small, read in the thread pool piece by piece when large."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dicomweb.media_types import MULTIPART
from vna.mime.writer import Part, exactly, multipart_size, new_boundary, write_multipart
from vna.sending import gather, send_pieces

HEADERS = {
    "Cache-Control": "private, no-cache",  # patient data: kept by no shared cache, asked again by the own one
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept, Authorization",
}
JOINED = 8 * 1024 * 1024
"""Up to this size a body of known length is joined: half the time of a stream (one trip to a thread)."""


class Streamed(Response):
    """A body from a blocking iterator: never more than a piece in memory, and the event loop never waits for it.

    When the iterator fails the connection is cut, so that nobody takes half a body for the whole.
    """

    def __init__(
        self, pieces: Iterator[bytes], *, media_type: str, size: int | None, headers: Mapping[str, str] | None = None
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
        await send_pieces(receive, send, start, self._pieces, head_only=scope["method"] == "HEAD")


def stream(
    pieces: Iterable[bytes], *, media_type: str, size: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Joined up to JOINED bytes, else streamed; the first piece is read here, so that its failure is still an error.

    For a thread: reading may wait.
    """
    gathered = gather(pieces if size is None else exactly(pieces, size))
    if size is not None and size <= JOINED:
        return Response(b"".join(gathered), headers=HEADERS | dict(headers or {}), media_type=media_type)
    first = next(gathered, b"")
    return Streamed(_again(first, gathered), media_type=media_type, size=size, headers=headers)


def multipart(parts: Iterable[Part], *, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """The parts one after another as multipart/related; a sequence of parts of known size has a Content-Length."""
    boundary = new_boundary()
    size = multipart_size(parts, boundary) if isinstance(parts, Sequence) else None
    content_type = f'{MULTIPART}; type="{media_type}"; boundary={boundary}'
    return stream(write_multipart(parts, boundary), media_type=content_type, size=size, headers=headers)


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest

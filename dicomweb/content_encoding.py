"""A body out of its content coding as it arrives, never more than is asked for at once (RFC 9110 8.4, RFC 1952)."""

import zlib
from collections.abc import AsyncIterator, Iterator

from vna.model.errors import BadRequest, TooLarge

GZIP = frozenset({"gzip", "x-gzip"})
PLAIN = frozenset({"", "identity"})
_GZIP_FORMAT = 16 + zlib.MAX_WBITS
_STEP = 1 << 20
_MOST_RATIO = 100
_AT_LEAST = 64 << 20
"""Up to here a body may grow as it likes; of empty images gzip makes a thousandth."""


async def gunzipped(chunks: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """The bytes inside, in pieces of up to a megabyte; TooLarge past `most`, BadRequest where they are not gzip."""
    gunzip = Gunzip(most)
    async for chunk in chunks:
        for piece in gunzip.feed(chunk):
            yield piece
    for piece in gunzip.finish():
        yield piece


class Gunzip:
    """One or several gzip members, one after another."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = self._taken = 0
        self._engine = zlib.decompressobj(_GZIP_FORMAT)
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What these bytes hold; exhaust it before the next ones."""
        self._taken += len(chunk)
        while chunk:
            if self._engine.eof:
                self._engine = zlib.decompressobj(_GZIP_FORMAT)
            self._begun = True
            try:
                piece = self._engine.decompress(chunk, _STEP)
            except zlib.error as exc:
                raise BadRequest("the body is not gzip, as its Content-Encoding says") from exc
            chunk = self._engine.unconsumed_tail or self._engine.unused_data
            yield from self._counted(piece)

    def finish(self) -> Iterator[bytes]:
        """The body has ended: what its last bits still held."""
        yield from self._counted(self._engine.flush())
        if self._begun and not self._engine.eof:
            raise BadRequest("the body ends within its gzip stream")

    def _counted(self, piece: bytes) -> Iterator[bytes]:
        self._size += len(piece)
        if self._size > self._most:
            raise TooLarge(f"the body is larger than {self._most} bytes out of its compression")
        if self._size > max(_AT_LEAST, self._taken * _MOST_RATIO):
            raise TooLarge(f"the body is more than {_MOST_RATIO} times as large out of its compression")
        if piece:
            yield piece

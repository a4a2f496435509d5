"""The body of an answer as it comes: what trickles is given up, however many bytes it still has."""

import time
from typing import Any

from storage.blobs.tries import Passing

_SLOWEST = 16 << 10
"""Bytes a second that an answer has to come with, after the seconds it is given."""
_PIECE = 256 << 10


class Body:
    """Of a urllib3 response. Only the time spent waiting for it counts, not what the reader does in between."""

    def __init__(self, response: Any, seconds: float) -> None:
        self._response = response
        self._seconds = seconds
        self._waited = 0.0
        self._got = 0

    def read(self, most: int) -> bytes:
        """Up to `most` bytes, fewer at the end alone."""
        pieces: list[bytes] = []
        left = most
        while left:
            began = time.monotonic()
            piece = self._response.read1(min(left, _PIECE))
            self._waited += time.monotonic() - began
            if not piece:
                break
            self._got += len(piece)
            left -= len(piece)
            pieces.append(piece)
            if self._waited > self._seconds and self._got < _SLOWEST * self._waited:
                raise Passing("the blob store answers too slowly")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """The connection is used again where the answer was read to its end."""
        self._response.close()
        self._response.release_conn()

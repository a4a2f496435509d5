"""Whether there is room for more."""

import time

from storage.blobs.base import BlobStore
from vna.model.errors import OutOfResources

_SECONDS = 1.0


class Space:
    """Of a blob store in which `min_free` bytes have to stay free; looked at once a second."""

    def __init__(self, blobs: BlobStore, min_free: int) -> None:
        self._blobs = blobs
        self._min_free = min_free
        self._until = 0.0

    def check(self) -> None:
        """OutOfResources when there is too little."""
        now = time.monotonic()
        if now < self._until:
            return
        free = self._blobs.free_bytes()
        if free is not None and free < self._min_free:
            raise OutOfResources("less space is free than VNA_STORAGE__MIN_FREE asks for")
        self._until = now + _SECONDS

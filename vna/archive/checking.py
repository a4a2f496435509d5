"""Comparing objects with their digests, several at once: hashing and reading let other threads run."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from storage.blobs.base import BlobStore
from storage.blobs.digests import Take
from storage.index.lookup import StoredBlob
from vna.archive.claims import Damage
from vna.archive.copies import Comparing

READERS = 4
_GROUP = 16
_AHEAD = 3

Found = tuple[StoredBlob, Damage | None]


class Checking:
    """Reads everything it is given once, each copy where there are several, and gives it back in order with what is
    wrong with it."""

    def __init__(self, blobs: BlobStore, *, readers: int = READERS, take: Take | None = None) -> None:
        self._blobs = blobs
        self._readers = readers
        self._take = take
        self._own = threading.local()

    def __call__(self, some: Iterable[StoredBlob]) -> Iterator[Found]:
        """A few objects for each reader are looked at ahead of what was given back."""
        pool = ThreadPoolExecutor(self._readers, thread_name_prefix="verify")
        waiting: deque[Future[list[Found]]] = deque()
        try:
            rest = iter(some)
            while group := tuple(islice(rest, _GROUP)):
                waiting.append(pool.submit(self._look, group))
                if len(waiting) > self._readers * _AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _look(self, group: Iterable[StoredBlob]) -> list[Found]:
        comparing = getattr(self._own, "comparing", None)
        if comparing is None:
            comparing = self._own.comparing = Comparing(self._blobs, self._take)
        return [(one, comparing(one.blob, one.size, one.sha256)) for one in group]

"""Comparing objects with their digests, several at once: hashing and reading let other threads run."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from storage.blobs.base import BlobStore
from storage.blobs.digests import Digesting, Take
from storage.index.lookup import StoredBlob
from vna.archive.claims import Damage, compared

READERS = 4
_GROUP = 16
_AHEAD = 3

Found = tuple[StoredBlob, Damage | None]


class Checking:
    """Reads everything it is given once, and gives it back in order with what is wrong with it."""

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
        digesting = getattr(self._own, "digesting", None)
        if digesting is None:
            digesting = self._own.digesting = Digesting(self._blobs, self._take)
        return [(one, compared(digesting, one.blob, one.size, one.sha256)) for one in group]

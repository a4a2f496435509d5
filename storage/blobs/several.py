"""Several blob stores as one: what comes in goes to the primary one, and may lie anywhere."""

import heapq
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from storage.blobs.base import BlobStore, Growing, Piece, Upload
from storage.blobs.known import Checking, Known
from vna import events
from vna.model.errors import Damaged, NotFound, OutOfResources, Unavailable, VnaError

log = logging.getLogger(__name__)

Result = TypeVar("Result")

MOVED = ("studies/", "documents/")
"""What may lie in another store than the primary one."""
_REST_SECONDS = 10.0


class Told(Protocol):
    """What is known of where blobs lie."""

    def of(self, name: str) -> Sequence[str]:
        """Names of stores, the first to be read first; empty when nothing is told of it: it lies in the primary one."""

    def found(self, name: str, store: str, size: int) -> None:
        """It was found there, and nothing was told of it."""

    def forget(self, name: str) -> None:
        """It is gone."""


class SeveralBlobs:
    """The first of `stores` is the primary one.

    A read goes to the stores that are told to hold the blob, and when none of them gives it, to the others: an index
    that was built anew learns so where blobs lie. A store that did not answer is asked last for a while.
    """

    def __init__(self, stores: Mapping[str, BlobStore], checked: Mapping[str, Checking], places: Told) -> None:
        """`checked` are the same stores, as what the index knows is read of them."""
        self.stores = dict(stores)
        self._checked = dict(checked)
        self.primary = next(iter(self.stores))
        self.spool_folder: Path = self._primary.spool_folder
        self._places = places
        self._rests_until: dict[str, float] = {}

    @property
    def _primary(self) -> BlobStore:
        return self.stores[self.primary]

    def places(self, name: str) -> tuple[str, ...]:
        """The stores that are told to hold a blob, and are still known."""
        told = self._places.of(name) if name.startswith(MOVED) else ()
        return tuple(store for store in told if store in self.stores) or (self.primary,)

    def put(self, name: str, pieces: Sequence[Piece]) -> None:
        self._primary.put(name, pieces)

    def put_file(self, name: str, path: Path) -> None:
        self._primary.put_file(name, path)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        return self._first(name, lambda store: self.stores[store].read(name, offset, length))

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self._first(name, lambda store: self.stores[store].stream(name, offset, length))

    def read_known(self, name: str, known: Known, offset: int = 0, length: int | None = None) -> bytes:
        return self._first(name, lambda store: self._checked[store].read_known(name, known, offset, length))

    def stream_known(self, name: str, known: Known, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self._first(name, lambda store: self._checked[store].stream_known(name, known, offset, length))

    def size(self, name: str) -> int:
        return self._first(name, lambda store: self.stores[store].size(name))

    def delete(self, name: str) -> None:
        """From every store; one that is not told to hold it need not answer."""
        held = self.places(name)
        for store, blobs in self.stores.items():
            if store != self.primary and not name.startswith(MOVED):
                continue
            try:
                blobs.delete(name)
            except Unavailable:
                if store in held:
                    raise
                log.warning("a store did not answer while a blob was deleted", extra={"blob": name, "store": store})
        if name.startswith(MOVED):
            self._places.forget(name)

    def names(self, prefix: str) -> Iterator[str]:
        if not f"{prefix.rstrip('/')}/".startswith(MOVED):
            yield from self._primary.names(prefix)
            return
        last = None
        for name in heapq.merge(*(blobs.names(prefix) for blobs in self.stores.values())):
            if name != last:
                yield name
            last = name

    def free_bytes(self) -> int | None:
        return self._primary.free_bytes()

    def check(self) -> None:
        self._primary.check()

    def _first(self, name: str, read: Callable[[str], Result]) -> Result:
        held = self.places(name)
        problems: list[VnaError] = []
        for store in sorted(held, key=self._rests):
            try:
                return self._asked(store, read)
            except (NotFound, Damaged, Unavailable) as exc:
                problems.append(exc)
        others = [store for store in self.stores if store not in held] if name.startswith(MOVED) else []
        for store in sorted(others, key=self._rests):
            try:
                result = self._asked(store, read)
            except (NotFound, Damaged, Unavailable) as exc:
                problems.append(exc)
                continue
            if all(isinstance(problem, NotFound) for problem in problems):
                self._places.found(name, store, self.stores[store].size(name))
            return result
        raise _worst(problems)

    def _asked(self, store: str, read: Callable[[str], Result]) -> Result:
        try:
            result = read(store)
        except Unavailable:
            self._rests_until[store] = time.monotonic() + _REST_SECONDS
            log.warning("a store does not answer", extra={"store": store})
            events.emit("store.silent", store=store)
            raise
        self._rests_until.pop(store, None)
        return result

    def _rests(self, store: str) -> bool:
        return time.monotonic() < self._rests_until.get(store, 0.0)


class SeveralGrowing(SeveralBlobs):
    """The same where the primary one takes bytes while they still come."""

    def begin(self, name: str) -> Upload | None:
        """As Growing.begin."""
        assert isinstance(self._primary, Growing)
        return self._primary.begin(name)


def several(stores: Mapping[str, BlobStore], checked: Mapping[str, Checking], places: Told) -> SeveralBlobs:
    """Stores by name, the primary one first."""
    kind = SeveralGrowing if isinstance(next(iter(stores.values())), Growing) else SeveralBlobs
    return kind(stores, checked, places)


def _worst(problems: Sequence[VnaError]) -> VnaError:
    """A store that does not answer may have it; else bytes that are bad are told before those that are gone."""
    for kind in (Unavailable, OutOfResources, Damaged):
        for problem in problems:
            if isinstance(problem, kind):
                return problem
    return problems[0]

"""Which objects a place of backups has already: asked of a folder one by one, listed once of an object store."""

from itertools import islice

from storage.backups import BLOBS, Kept, Place
from storage.blobs.base import OnDisk
from storage.name_set import Names

_MOST_BAD = 100_000


class Catalogue:
    """What is there; objects have their names in a place only when they are whole."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._names: Names | None = None
        self._bad = set(islice(place.noted_bad(), _MOST_BAD))  # more of them are for the next backup

    def has(self, kept: Kept) -> bool:
        """Whether an object has to be copied no more."""
        if kept.name in self._bad:
            return False
        if isinstance(self._place.store, OnDisk):
            return self._place.holds(kept)
        return kept.name in self._listed()

    def add(self, kept: Kept) -> None:
        """It was copied."""
        if kept.name in self._bad:
            self._place.forget_bad(kept.name)
            self._bad.discard(kept.name)
        if self._names is not None:
            self._names.add(kept.name)

    def _listed(self) -> Names:
        if self._names is None:
            self._names = Names(self._place.store.spool_folder)
            for name in self._place.store.names(BLOBS):
                self._names.add(name.removeprefix(f"{BLOBS}/"))
        return self._names

    def refresh(self) -> None:
        """Ask anew: others may have taken something away."""
        self.close()

    def close(self) -> None:
        """Forget them."""
        if self._names is not None:
            self._names.close()
            self._names = None

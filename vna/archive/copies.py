"""An object and its copies: where there are several stores, each one that should hold it is looked at."""

from storage.blobs.base import BlobStore
from storage.blobs.digests import Digesting, Take
from storage.blobs.several import SeveralBlobs
from vna.archive.claims import Damage, compared


class Comparing:
    """Reads whole objects and says what is wrong with them, in one thread."""

    def __init__(self, blobs: BlobStore, take: Take | None = None) -> None:
        self._any = Digesting(blobs, take)
        self._several = blobs if isinstance(blobs, SeveralBlobs) else None
        stores = self._several.stores if self._several is not None else {}
        self._each = {name: Digesting(store, take) for name, store in stores.items()}

    def __call__(self, name: str, size: int, sha256: bytes) -> Damage | None:
        """`Damage.COPY` when it can be had whole, and one of its copies is not."""
        if self._several is None:
            return compared(self._any, name, size, sha256)
        told = self._several.places(name)
        found = [compared(self._each[store], name, size, sha256) for store in told]
        if not any(found):
            return None
        if None in found:
            return Damage.COPY
        anywhere = compared(self._any, name, size, sha256)
        if anywhere is not None:
            return anywhere
        return Damage.COPY if self._several.places(name) == told else None  # nothing was told of it, and it was found

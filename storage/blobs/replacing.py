"""Putting other bytes in the place of a blob: only when all of them are there, and are what they should be."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from storage.blobs.base import BlobStore
from vna.model.errors import Damaged


def replace(blobs: BlobStore, name: str, pieces: Iterable[bytes], size: int, sha256: bytes) -> None:
    """Keep the pieces under a name, whatever is there; Damaged, and nothing is changed, when they are not the bytes
    that are meant. A crash between taking away and putting leaves nothing under the name: it is done again."""
    descriptor, place = tempfile.mkstemp(prefix="repair-", dir=blobs.spool_folder)
    path = Path(place)
    try:
        with os.fdopen(descriptor, "wb") as file:
            digest, written = hashlib.sha256(), 0
            for piece in pieces:
                digest.update(piece)
                written += file.write(piece)
        if written != size or digest.digest() != sha256:
            raise Damaged("the other copy is damaged too")
        blobs.delete(name)
        blobs.put_file(name, path)
    finally:
        path.unlink(missing_ok=True)

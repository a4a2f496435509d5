"""Copies of a blob from one store into another: whole and compared before anybody trusts them."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from storage.blobs.base import BlobStore
from storage.blobs.known import Known
from vna.archive.claims import Damage, damage_of
from vna.model.errors import Damaged, NotFound, OutOfResources, Unavailable


def is_whole(blobs: BlobStore, name: str, known: Known) -> bool:
    """Whether a store holds just these bytes under a name; Unavailable when it does not answer."""
    try:
        if blobs.size(name) != known.size:
            return False
        damage = damage_of(blobs, name, known.size, known.sha256)
    except (NotFound, Damaged):
        return False
    if damage is Damage.UNREADABLE:
        raise Unavailable("a store does not answer")
    return damage is None


def copy(name: str, known: Known, sources: Iterable[BlobStore], target: BlobStore) -> None:
    """Put a blob into a store, in place of bad bytes where there are any, and read it back.

    From the first source that has it whole; Damaged when none has.
    """
    path = _fetched(name, known, sources, target.spool_folder)
    try:
        target.delete(name)
        target.put_file(name, path)
    finally:
        path.unlink(missing_ok=True)
    if not is_whole(target, name, known):
        raise Damaged(f"the copy of the blob {name} is not what was copied")


def _fetched(name: str, known: Known, sources: Iterable[BlobStore], folder: Path) -> Path:
    silent: Unavailable | None = None
    for source in sources:
        try:
            found = _whole_file(name, known, source, folder)
        except Unavailable as exc:
            silent = exc
            continue
        except (NotFound, Damaged):
            continue
        if found is not None:
            return found
    raise silent or Damaged(f"no store has the blob {name} whole")


def _whole_file(name: str, known: Known, source: BlobStore, folder: Path) -> Path | None:
    descriptor, place = tempfile.mkstemp(prefix="incoming-", dir=folder)
    path, digest, size = Path(place), hashlib.sha256(), 0
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in source.stream(name):
                digest.update(piece)
                size += len(piece)
                file.write(piece)
    except OSError as exc:
        path.unlink(missing_ok=True)
        raise OutOfResources("no room for a copy") from exc
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if size == known.size and digest.digest() == known.sha256:
        return path
    with suppress(OSError):
        path.unlink()
    return None

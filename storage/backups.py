"""Backups in a blob store: how they lie there, and what a manifest says.

blobs/NAME                          objects of the archive under their own names, shared by all backups of the place
backups/STAMP/tables/TABLE.jsonl.gz rows of the index
backups/STAMP/objects.jsonl.gz      which objects belong to it: name, size, SHA-256 each
backups/STAMP/manifest.json         written last: a backup without one is not complete
backups/owner                       which archive makes backups there
bad/NAME                            a restore test found this object damaged: it is to be copied anew
"""

import gzip
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson

from storage.blobs.base import BlobStore, OnDisk
from storage.name_set import Names
from vna.model.errors import Damaged, NotFound

BLOBS = "blobs"
BACKUPS = "backups"
BAD = "bad"
_MANIFEST = "manifest.json"
_OBJECTS = "objects.jsonl.gz"
_OWNER = f"{BACKUPS}/owner"
_SMALL = 4 << 20
_OURS = ("backup-", "names-")

Pace = Callable[[int], None]
"""Waits until so many bytes more are in order."""


def unlimited(_size: int) -> None:
    """As fast as it goes."""


class Source(Protocol):
    """Where objects come from."""

    def stream(self, name: str) -> Iterator[bytes]:
        """All of one, piece by piece."""


class Kept(NamedTuple):
    """An object that belongs to a backup, by the name that the archive has for it."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a complete backup has; `files` are size and digest of each of its files, `rows` are counts of the tables.

    `lacking` are objects that the index names and that were damaged or missing in the archive already, the first
    thousand of `lacking_count`. `archive` is the owner of the place when it was made.
    """

    stamp: str
    version: str
    schema_revision: str
    database: str
    began_at: str
    index_at: str
    ended_at: str
    rows: Mapping[str, int]
    sequences: Mapping[str, int]
    files: Mapping[str, tuple[int, str]]
    objects: int
    bytes: int
    copied: int
    copied_bytes: int
    lacking_count: int = 0
    lacking: tuple[str, ...] = field(default=())
    archive: str = ""


class Place:
    """Where backups are."""

    def __init__(self, store: BlobStore, name: str) -> None:
        """`name` is how people call it."""
        self.store = store
        self.name = name

    def stamps(self) -> list[str]:
        """Complete backups, oldest first."""
        return sorted(
            name.split("/")[1]
            for name in self.store.names(BACKUPS)
            if name.count("/") == 2 and name.endswith("/" + _MANIFEST)
        )

    def owner(self) -> str:
        """Which archive makes backups here; "" where none has said so."""
        try:
            return self.store.read(_OWNER).decode("ascii", "replace").strip()
        except NotFound:
            return ""

    def set_owner(self, owner: str) -> None:
        """From now on it is this one."""
        with self.file(_OWNER) as path:
            path.write_text(owner, "ascii")

    def is_complete(self, stamp: str) -> bool:
        """Whether a manifest stands: then nothing of this backup is written any more."""
        try:
            self.store.size(f"{BACKUPS}/{stamp}/{_MANIFEST}")
        except NotFound:
            return False
        return True

    def read_manifest(self, stamp: str) -> Manifest:
        """What a backup has; NotFound where it is not complete, Damaged where it cannot be read."""
        try:
            held = orjson.loads(self.store.read(f"{BACKUPS}/{stamp}/{_MANIFEST}"))
            said = held["manifest"]
            if hashlib.sha256(_canonical(said)).hexdigest() != held["sha256"]:
                raise Damaged(f"the manifest of the backup {stamp} was changed")
            said["files"] = {name: (size, digest) for name, (size, digest) in said["files"].items()}
            return Manifest(**{**said, "lacking": tuple(said["lacking"])})
        except (ValueError, KeyError, TypeError) as exc:
            raise Damaged(f"the manifest of the backup {stamp} cannot be read") from exc

    def write_manifest(self, manifest: Manifest) -> None:
        """The last step: then the backup is complete."""
        said = asdict(manifest)
        body = {"manifest": said, "sha256": hashlib.sha256(_canonical(said)).hexdigest()}
        with self.file(f"{BACKUPS}/{manifest.stamp}/{_MANIFEST}") as path:
            path.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2))

    def file(self, name: str) -> "_File":
        """A file of ours to write into: it has its name when it is whole and durable, and not before."""
        return _File(self.store, name)

    def copy(self, source: Source, kept: Kept, pace: Pace = unlimited) -> None:
        """Take an object of the archive in. NotFound where the archive does not have it, Damaged where it is not what
        the index says: then it is not taken."""
        put_copy(source, kept.name, self.store, f"{BLOBS}/{kept.name}", kept, pace)

    def give(self, kept: Kept, target: BlobStore, pace: Pace = unlimited) -> None:
        """Give an object back to an archive; errors as of `copy`, of the backup."""
        put_copy(self.store, f"{BLOBS}/{kept.name}", target, kept.name, kept, pace)

    def check(self, kept: Kept) -> None:
        """Read an object and compare its digest: NotFound or Damaged."""
        for _ in _checked(self.store, f"{BLOBS}/{kept.name}", kept, unlimited):
            pass

    def holds(self, kept: Kept) -> bool:
        """Whether it has an object of this name and size."""
        try:
            return self.store.size(f"{BLOBS}/{kept.name}") == kept.size
        except NotFound:
            return False

    def note_bad(self, name: str) -> None:
        """An object is not what it should be: the next backup copies it anew."""
        with self.file(f"{BAD}/{name}") as path:
            path.write_bytes(b"bad")

    def noted_bad(self) -> Iterator[str]:
        """Objects that were noted as bad."""
        for name in self.store.names(BAD):
            yield name.removeprefix(f"{BAD}/")

    def forget_bad(self, name: str) -> None:
        """A whole one was copied."""
        self.store.delete(f"{BAD}/{name}")

    def objects(self, stamp: str) -> Iterator[Kept]:
        """Which objects belong to a backup; Damaged where the list cannot be read."""
        with self.fetched(f"{BACKUPS}/{stamp}/{_OBJECTS}") as path:
            yield from listed(path)

    def fetched(self, name: str) -> "_Fetched":
        """A file of ours, on local disk."""
        return _Fetched(self.store, name)

    def forget(self, stamp: str) -> None:
        """Take a backup's own files away, its manifest first; objects stay until `prune`."""
        self.store.delete(f"{BACKUPS}/{stamp}/{_MANIFEST}")
        for name in list(self.store.names(f"{BACKUPS}/{stamp}")):
            self.store.delete(name)

    def prune(self, stamps: list[str]) -> None:
        """Take away the objects that none of these backups has."""
        with Names(self.store.spool_folder) as kept:
            for stamp in stamps:
                for one in self.objects(stamp):
                    kept.add(one.name)
            for name in self.store.names(BLOBS):
                if name.removeprefix(f"{BLOBS}/") not in kept:
                    self.store.delete(name)
            for name in list(self.noted_bad()):
                if name not in kept:
                    self.forget_bad(name)

    def sweep(self) -> None:
        """Take away files of yesterday and before that a killed process left on their way in."""
        yesterday = time.time() - 86_400
        for path in self.store.spool_folder.iterdir():
            if path.name.startswith(_OURS) and path.stat().st_mtime < yesterday:
                path.unlink(missing_ok=True)

    def begun(self) -> set[str]:
        """Every backup that was begun, complete or not."""
        return {name.split("/")[1] for name in self.store.names(BACKUPS) if name.count("/") >= 2}


def objects_name(stamp: str) -> str:
    """Of the list of objects."""
    return f"{BACKUPS}/{stamp}/{_OBJECTS}"


def table_name(stamp: str, table: str) -> str:
    """Of the rows of a table."""
    return f"{BACKUPS}/{stamp}/tables/{table}.jsonl.gz"


def tables_of(manifest: Manifest) -> dict[str, str]:
    """Its files of rows, by table."""
    return {name.rsplit("/", 1)[1].removesuffix(".jsonl.gz"): name for name in manifest.files if "/tables/" in name}


def _canonical(said: dict[str, Any]) -> bytes:
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def listed(path: Path) -> Iterator[Kept]:
    """A list of objects as `ObjectList` writes it."""
    try:
        with gzip.open(path) as lines:
            for line in lines:
                yield Kept(*orjson.loads(line))
    except (OSError, EOFError, ValueError, TypeError) as exc:
        raise Damaged("the list of objects cannot be read") from exc


class ObjectList:
    """Writes a list of objects."""

    def __init__(self, path: Path, *, more: bool = False) -> None:
        """Anew, or `more` at the end of one."""
        self._raw = path.open("ab" if more else "wb")
        self._file = gzip.GzipFile(fileobj=self._raw, mode="wb", compresslevel=1, mtime=0)

    def add(self, kept: Kept) -> None:
        """One more."""
        self._file.write(orjson.dumps(list(kept), option=orjson.OPT_APPEND_NEWLINE))

    def __enter__(self) -> "ObjectList":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._raw.close()


class _File:
    """A temporary file that gets its name in the store at the end; size and digest are known then."""

    def __init__(self, store: BlobStore, name: str) -> None:
        self._store = store
        self._name = name
        self.size, self.sha256 = 0, ""

    def __enter__(self) -> Path:
        descriptor, path = tempfile.mkstemp(prefix="backup-", dir=self._store.spool_folder)
        os.close(descriptor)
        self._path = Path(path)
        return self._path

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self.size, self.sha256 = digest_of(self._path)
                self._store.delete(self._name)
                self._store.put_file(self._name, self._path)
        finally:
            self._path.unlink(missing_ok=True)


class _Fetched:
    """A copy of an object on local disk, for as long as it is read."""

    def __init__(self, store: BlobStore, name: str) -> None:
        self._store = store
        self._name = name

    def __enter__(self) -> Path:
        descriptor, path = tempfile.mkstemp(prefix="backup-", dir=self._store.spool_folder)
        self._path = Path(path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for piece in self._store.stream(self._name):
                    file.write(piece)
        except BaseException:
            self._path.unlink(missing_ok=True)
            raise
        return self._path

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)


def digest_of(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def put_copy(source: Source, name: str, target: BlobStore, new: str, kept: Kept, pace: Pace) -> None:
    """Copy an object that is what it should be, under a name that it has only when it is whole and durable."""
    pieces = _checked(source, name, kept, pace)
    if kept.size <= _SMALL and not isinstance(target, OnDisk):
        whole = BytesIO()
        whole.writelines(pieces)
        target.put(new, [whole.getvalue()])
        return
    descriptor, path = tempfile.mkstemp(prefix="backup-", dir=target.spool_folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
        target.delete(new)
        target.put_file(new, Path(path))
    finally:
        Path(path).unlink(missing_ok=True)


def is_whole(source: Source, kept: Kept) -> bool:
    """Whether it is there under its own name, every byte of it."""
    try:
        for _ in _checked(source, kept.name, kept, unlimited):
            pass
    except (NotFound, Damaged):
        return False
    return True


def _checked(source: Source, name: str, kept: Kept, pace: Pace) -> Iterator[bytes]:
    digest, size = hashlib.sha256(), 0
    for piece in source.stream(name):
        digest.update(piece)
        size += len(piece)
        pace(len(piece))
        yield piece
    if size != kept.size or digest.hexdigest() != kept.sha256:
        raise Damaged(f"{kept.name} is not what it was")

"""Bulk import: which files, which of them are done already, and what became of each."""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from vna.archive.retrieve import Retrieval
from vna.archive.store import Store
from vna.model.access import Actor
from vna.model.errors import NotFound, OutOfResources, Unavailable, VnaError
from vna.model.instances import Accepted, Arrival, Door, Outcome, Selection

_PIECE = 1 << 20
_BATCH = 200
_THREADS = 4
"""A store waits for the disk most of its time, so a few at once keep it busy."""


class Became(StrEnum):
    """What became of a file."""

    STORED = "stored"
    HELD = "already held"
    REFUSED = "refused"
    NOT_DICOM = "not DICOM"


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was named, or found in a folder that was."""

    path: Path
    size: int
    modified_ns: int

    @property
    def key(self) -> bytes:
        """The same for the same file unchanged."""
        text = f"{self.path.absolute()}\0{self.size}\0{self.modified_ns}"
        return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Result:
    """One file, done."""

    path: Path
    became: Became
    reason: str = ""


def find(paths: Iterable[Path]) -> Iterator[Found]:
    """Every file named or below a folder named, folders in order; NotFound for a path that is not there."""
    for path in paths:
        if path.is_dir():
            for folder, names, files in os.walk(path):
                names.sort()
                yield from (found for name in sorted(files) if (found := _found(Path(folder, name))))
        elif (found := _found(path)) is not None:
            yield found
        else:
            raise NotFound(f"{path} is no file and no folder")


def _found(path: Path) -> Found | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return Found(path, status.st_size, status.st_mtime_ns) if path.is_file() else None


def looks_like_dicom(head: bytes) -> bool:
    """How a file begins: as Part 10 says (PS3.10 7.1), or with group 2 or 8 and no preamble."""
    return head[128:132] == b"DICM" or head[:4] == b"DICM" or (head[:1] in (b"\x02", b"\x08") and head[1:2] == b"\0")


class Finished:
    """Files that earlier runs took in, so that a run that was stopped goes on where it was.

    A convenience: what it says is checked against the index, and without it everything is read again.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS finished (key BLOB PRIMARY KEY, uid TEXT NOT NULL) WITHOUT ROWID"
        )

    def uid(self, file: Found) -> str:
        """The SOP Instance UID in the file, "" when it is not known."""
        row = self._connection.execute("SELECT uid FROM finished WHERE key = ?", (file.key,)).fetchone()
        return str(row[0]) if row else ""

    def add(self, file: Found, uid: str) -> None:
        """The file is in the archive."""
        self._connection.execute("INSERT OR REPLACE INTO finished VALUES (?, ?)", (file.key, uid))

    def close(self) -> None:
        """Done with it."""
        self._connection.close()


class Importer:
    """Takes files in through the same use case as every door, a few at once."""

    def __init__(self, store: Store, retrieval: Retrieval, finished: Finished, actor: Actor) -> None:
        self._store = store
        self._retrieval = retrieval
        self._finished = finished
        self._actor = actor

    def run(self, files: Iterable[Found]) -> Iterator[Result]:
        """One result a file, in order; what no file is to blame for (no space, no database) is raised."""
        rest = iter(files)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="import") as pool:
            while batch := list(islice(rest, _BATCH)):
                held = self._held(batch)
                waiting = [None if file in held else pool.submit(self._take, file) for file in batch]
                try:
                    for file, future in zip(batch, waiting, strict=True):
                        yield future.result() if future is not None else Result(file.path, Became.HELD)
                finally:
                    for future in filter(None, waiting):
                        future.cancel()

    def _held(self, batch: Sequence[Found]) -> frozenset[Found]:
        """Those that an earlier run took in and the index still has."""
        known = {file: uid for file in batch if (uid := self._finished.uid(file))}
        if not known:
            return frozenset()
        held = self._retrieval.instances(self._actor, Selection(sop_instance_uids=tuple(set(known.values()))))
        uids = {instance.sop_instance_uid for instance in held}
        return frozenset(file for file, uid in known.items() if uid in uids)

    def _take(self, file: Found) -> Result:
        try:
            accepted = self._read_and_store(file)
        except (OutOfResources, Unavailable):
            raise
        except VnaError as exc:
            return Result(file.path, Became.REFUSED, str(exc))
        except OSError as exc:
            return Result(file.path, Became.REFUSED, f"cannot be read: {exc.strerror}")
        if accepted is None:
            return Result(file.path, Became.NOT_DICOM)
        self._finished.add(file, accepted.sop_instance_uid)
        return Result(file.path, Became.HELD if accepted.outcome is Outcome.ALREADY_HELD else Became.STORED)

    def _read_and_store(self, file: Found) -> Accepted | None:
        """None for what is no instance: other files, and the DICOMDIR of a medium."""
        with file.path.open("rb") as source:
            piece = source.read(_PIECE)
            if not looks_like_dicom(piece) or file.path.name.upper() == "DICOMDIR":
                return None
            arrival = Arrival(Door.IMPORT, calling_ae="")
            with self._store.open(self._actor, arrival) as incoming:
                while piece:
                    incoming.write(piece)
                    piece = source.read(_PIECE)
                return self._store.accept(incoming, self._actor, arrival)

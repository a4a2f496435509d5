"""An archive again from a backup, in an empty place, every digest compared."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from storage.backups import Kept, Manifest, Pace, Place, digest_of, is_whole, tables_of, unlimited
from storage.blobs.base import BlobStore
from storage.index import dump, jobs, migrate, places
from storage.index.backup_runs import BACKUP
from storage.index.engine import Connection, Database
from storage.index.schema import facts, leases
from storage.index.schema import jobs as queued
from storage.index.stores_schema import blob_places
from vna.archive.backup_owner import forget_name
from vna.archive.names import JOURNAL, KEPT
from vna.model.errors import Conflict, Damaged, NotFound

_PAGE = 200
_THREADS = 4
_MARK = "restoring"


@dataclass(frozen=True, slots=True)
class Restored:
    """One object: `problem` says why it could not be given back; empty when it was. `known` when the archive had lost
    it already when the backup was made."""

    name: str
    size: int
    problem: str = ""
    known: bool = False


def newest(place: Place, stamp: str = "") -> Manifest:
    """The backup meant: the newest that is complete, or one by its stamp."""
    stamps = place.stamps()
    if stamp and stamp not in stamps:
        raise NotFound(f"there is no complete backup {stamp} in {place.name}")
    if not stamps:
        raise NotFound(f"there is no complete backup in {place.name}")
    return place.read_manifest(stamp or stamps[-1])


def check_files(place: Place, manifest: Manifest) -> None:
    """Compare the digests of the backup's own files, before anything is done with them."""
    for name, (size, sha256) in manifest.files.items():
        try:
            with place.fetched(name) as path:
                if digest_of(path) != (size, sha256):
                    raise Damaged(f"{name} of the backup is not what it was: take another one with --backup")
        except NotFound as exc:
            raise Damaged(f"{name} of the backup is not there: take another one with --backup") from exc


def refuse_unless_empty(blobs: BlobStore, manifest: Manifest) -> None:
    """Conflict where the blob store holds anything; one in which this very restore was cut is gone on with."""
    marks = list(blobs.names(_MARK))
    if marks == [f"{_MARK}/{manifest.stamp}"]:
        return
    for folder in (*KEPT, JOURNAL, _MARK):
        if next(iter(blobs.names(folder)), None) is not None:
            raise Conflict("the blob store holds objects already: a backup is restored into an empty place only")


def refuse_half_restored(blobs: BlobStore) -> None:
    """Conflict where a restore was cut: what is there is no archive yet, and would look like an empty one."""
    for mark in blobs.names(_MARK):
        stamp = mark.rpartition("/")[2]
        raise Conflict(
            f"the restore of the backup {stamp} is not finished here: go on with `vna restore DIR --backup {stamp}`, "
            "or empty the blob store"
        )


def restore_objects(
    place: Place,
    manifest: Manifest,
    blobs: BlobStore,
    *,
    pace: Pace = unlimited,
    wanted: Callable[[Kept], bool] = lambda _: True,
) -> Iterator[Restored]:
    """Give every object back that is `wanted`, its digest compared; those that are damaged are told of and left out."""
    lacking = set(manifest.lacking)
    mark = f"{_MARK}/{manifest.stamp}"
    was_begun = mark in blobs.names(_MARK)
    if not was_begun:
        blobs.put(mark, [manifest.stamp.encode()])

    def give(kept: Kept) -> Restored:
        try:
            if not (was_begun and is_whole(blobs, kept)):  # given back before it was cut
                place.give(kept, blobs, pace)
        except (NotFound, Damaged) as exc:
            return Restored(kept.name, kept.size, _words(exc), known=kept.name in lacking)
        return Restored(kept.name, kept.size)

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="restore") as threads:
        chosen = (kept for kept in place.objects(manifest.stamp) if wanted(kept))
        while page := list(islice(chosen, _PAGE)):
            yield from threads.map(give, page)


def _words(exc: Exception) -> str:
    return "is not in the backup" if isinstance(exc, NotFound) else "is not what it was"


def finished(blobs: BlobStore, manifest: Manifest) -> None:
    """Nothing is left to do."""
    blobs.delete(f"{_MARK}/{manifest.stamp}")


def prepare_index(database: Database, manifest: Manifest) -> None:
    """Make the schema that the backup had; Conflict where the index is not empty."""
    if manifest.schema_revision > migrate.newest():
        raise Conflict(
            f"the backup is of a newer version ({manifest.version}, schema {manifest.schema_revision}): install that"
        )
    current = migrate.current(database)
    if current:
        if not migrate.is_empty(database):
            raise Conflict("the index holds rows already: a backup is restored into an empty place only")
        if current != manifest.schema_revision:
            raise Conflict(
                f"the index has the schema {current} already, and the backup has {manifest.schema_revision}: "
                "give an index without tables"
            )
    migrate.upgrade(database, manifest.schema_revision)


def restore_index(place: Place, manifest: Manifest, database: Database) -> dict[str, int]:
    """Put the rows in, then bring the schema up to date; rows of each table as they were put in.

    All of it or nothing on PostgreSQL; on SQLite the caller throws a file away that was not finished.
    """
    files = tables_of(manifest)
    counts: dict[str, int] = {}
    with database.unreferenced() as connection:
        for table in dump.tables(connection):
            if table.name not in files:
                continue
            with place.fetched(files[table.name]) as path, path.open("rb") as file:
                head, rows = dump.read(file)
                counts[table.name] = dump.insert(connection, table, head, rows)
        if set(counts) != set(files):
            raise Damaged("the backup has rows of tables that its schema does not have")
        if blob_places.name in files:
            places.forget_all(connection)  # whatever lay elsewhere was given back to the primary store
        _let_go(connection, files)
        dump.continue_after(connection, dict(manifest.sequences))
        if dump.broken_references(connection):
            raise Damaged("rows of the backup refer to rows that are not in it")
    migrate.upgrade(database)
    return counts


def _let_go(connection: Connection, files: Mapping[str, str]) -> None:
    """Of what the archive that was backed up was at: its backup on the way, and what its processes held."""
    if queued.name in files:
        jobs.remove_kind(connection, BACKUP)
    if leases.name in files:
        jobs.release_all(connection)
    if facts.name in files:
        forget_name(connection)

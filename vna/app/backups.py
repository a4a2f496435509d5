"""Places of backups, and restoring from one: from settings to use cases."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from storage.backups import Manifest, Place
from storage.blobs.base import BlobStore
from storage.blobs.filesystem import FilesystemBlobs
from storage.blobs.s3 import S3Blobs
from storage.index import migrate
from storage.index.engine import Database
from vna.archive.restore import (
    Restored,
    check_files,
    finished,
    prepare_index,
    refuse_unless_empty,
    restore_index,
    restore_objects,
)
from vna.model.errors import Conflict, NotFound
from vna.pacing import Pace
from vna.settings import Settings


def place_at(settings: Settings, where: str, *, new: bool = False) -> Place:
    """The place of backups at a folder or S3 address; `new` makes it where it is not there, else that is NotFound."""
    url = urlsplit(where)
    if url.scheme == "s3":
        return Place(_bucket(settings, where, new=new), where)
    folder = Path(where).absolute()
    if not folder.is_dir():
        if not new:
            raise NotFound(f"there is no folder {where}")
        folder.mkdir(parents=True, mode=0o700)
    (folder / "backups").mkdir(mode=0o700, exist_ok=True)
    return Place(FilesystemBlobs(folder), where)


def _bucket(settings: Settings, where: str, *, new: bool) -> S3Blobs:
    url = urlsplit(where)
    blobs = S3Blobs(
        endpoint=parse_qs(url.query).get("endpoint", ["https://s3.amazonaws.com"])[0],
        bucket=url.netloc,
        access_key=settings.storage.access_key,
        secret_key=settings.storage.secret_key.get_secret_value(),
        spool_folder=settings.data_dir / "backup-spool",
    )
    if new:
        blobs.prepare()
    return blobs


def restore(
    settings: Settings, place: Place, manifest: Manifest, blobs: BlobStore, rate: int = 0
) -> Iterator[Restored]:
    """Restore a backup into the empty archive that the settings name: objects, then the index."""
    url = settings.database_url
    if url.startswith("sqlite"):
        yield from _restore_with_file(Path(Database(url).url.database or ""), place, manifest, blobs, rate)
        return
    database = Database(url, pool_size=1)
    try:
        refuse_unless_empty(blobs, manifest)
        check_files(place, manifest)
        prepare_index(database, manifest)
        yield from restore_objects(place, manifest, blobs, pace=Pace(rate).take)
        restore_index(place, manifest, database)
    finally:
        database.close()
    finished(blobs, manifest)


def _restore_with_file(path: Path, place: Place, manifest: Manifest, blobs: BlobStore, rate: int) -> Iterator[Restored]:
    """SQLite's file gets its name when all rows are in it."""
    _refuse_file_with_rows(path)
    refuse_unless_empty(blobs, manifest)
    check_files(place, manifest)
    made = path.with_name(f"{path.name}.restoring-{secrets.token_hex(4)}")
    database = Database(f"sqlite:///{made}", pool_size=1)
    try:
        prepare_index(database, manifest)
        yield from restore_objects(place, manifest, blobs, pace=Pace(rate).take)
        restore_index(place, manifest, database)
        database.close()
        made.chmod(0o600)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        made.replace(path)
    finally:
        database.close()
        for suffix in ("", "-wal", "-shm", ".lock"):
            made.with_name(made.name + suffix).unlink(missing_ok=True)
    finished(blobs, manifest)


def _refuse_file_with_rows(path: Path) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return
    database = Database(f"sqlite:///{path}", pool_size=1)
    try:
        if migrate.current(database) and not migrate.is_empty(database):
            raise Conflict("the index holds rows already: a backup is restored into an empty place only")
    finally:
        database.close()

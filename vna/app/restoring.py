"""Archives made of backups, and tests of that: from settings to use cases."""

import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from storage.backups import Kept, Manifest, Place
from storage.blobs.base import BlobStore
from storage.index import migrate
from storage.index.engine import Database
from vna.app.blobs import behind_spool
from vna.app.wiring import build
from vna.archive.restore import (
    Restored,
    check_files,
    finished,
    prepare_index,
    refuse_unless_empty,
    restore_index,
    restore_objects,
)
from vna.archive.restore_testing import Tested, compare_rows, read_studies, sampling, some_studies
from vna.model.errors import Conflict, VnaError
from vna.pacing import Pace
from vna.settings import Settings


def restore(
    settings: Settings, place: Place, manifest: Manifest, blobs: BlobStore, rate: int = 0
) -> Iterator[Restored]:
    """Restore a backup into the empty archive that the settings name: objects, then the index."""
    target = behind_spool(blobs)
    refuse_unless_empty(blobs, manifest)
    url = settings.database_url
    if url.startswith("sqlite"):
        yield from _restore_with_file(Path(Database(url).url.database or ""), place, manifest, target, rate)
        return
    database = Database(url, pool_size=1)
    try:
        check_files(place, manifest)
        prepare_index(database, manifest)
        yield from restore_objects(place, manifest, target, pace=Pace(rate).take)
        restore_index(place, manifest, database)
    finally:
        database.close()
    finished(target, manifest)


def _restore_with_file(path: Path, place: Place, manifest: Manifest, blobs: BlobStore, rate: int) -> Iterator[Restored]:
    """SQLite's file gets its name when all rows are in it."""
    _refuse_file_with_rows(path)
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


def try_out(
    settings: Settings, place: Place, manifest: Manifest, scratch: Path, *, sample: float = 1.0, studies: int = 5
) -> Iterator[Restored | Tested]:
    """Restore into a new folder of `scratch`, count, compare and read; objects as they come, the outcome last.

    `sample` is the share of objects that are restored; whole studies are read, `studies` of them. Nothing stays there.
    """
    with TemporaryDirectory(prefix="vna-restore-test-", dir=scratch) as folder:
        temporary = _temporary(settings, Path(folder))
        outcome = Tested(manifest, place.name, datetime.now(UTC), datetime.now(UTC), {})
        try:
            yield from _tried(temporary, place, outcome, sample, studies)
        except VnaError as exc:
            outcome.differ(str(exc))
        outcome.ended_at = datetime.now(UTC)
    yield outcome


def _temporary(settings: Settings, folder: Path) -> Settings:
    database = settings.database.model_copy(update={"url": ""})
    alone = {"url": "", "stores": [], "placement": [], "acknowledge": "store"}  # no store of the archive is touched
    storage = settings.storage.model_copy(update=alone)
    return settings.model_copy(update={"data_dir": folder, "database": database, "storage": storage})


def _tried(settings: Settings, place: Place, outcome: Tested, sample: float, studies: int) -> Iterator[Restored]:
    manifest = outcome.manifest
    check_files(place, manifest)
    database = Database(settings.database_url, pool_size=1)
    try:
        prepare_index(database, manifest)
        outcome.rows = restore_index(place, manifest, database)
    finally:
        database.close()
    compare_rows(outcome)
    archive = build(settings)
    try:
        read = some_studies(archive, studies)
        wanted = sampling(read, sample) if sample < 1 else _all
        for one in restore_objects(place, manifest, archive.blobs, wanted=wanted):
            if not one.problem:
                outcome.compared, outcome.compared_bytes = outcome.compared + 1, outcome.compared_bytes + one.size
            elif not one.known:
                outcome.differ(f"{one.name} {one.problem}")
                with suppress(VnaError, OSError):  # of a place that cannot be written to it is only told
                    place.note_bad(one.name)
                    outcome.noted += 1
            yield one
        read_studies(archive, read, set(manifest.lacking), outcome)
    finally:
        archive.close()


def _all(_kept: Kept) -> bool:
    return True


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

"""A consistent copy of the archive while it works: every row of the copied index has its object in the copy.

Objects never change and have new names each time, so they are copied first, as the index names them. Then the rows are
written in one snapshot, and what the snapshot names and was not copied yet is copied. What was removed for good in
between would be named by rows and be nowhere: then the rows are written again, which takes in less and less.
The journal is taken as far as the snapshot goes and no further: what it tells beyond that would look like a loss.
"""

import gzip
import hashlib
import secrets
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from storage import journal
from storage.backup_catalogue import Catalogue
from storage.backups import Kept, Manifest, ObjectList, Pace, Place, listed, objects_name, table_name, unlimited
from storage.blobs.base import BlobStore
from storage.blobs.known import Checking, Compared, Known
from storage.index import dump, jobs, lookup, migrate
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.lookup import StoredBlob
from storage.index.snapshot import snapshot
from vna.archive.backup_owner import claim, own_name, refuse_foreign
from vna.archive.names import JOURNAL
from vna.jobs.holding import holder, saying
from vna.model.access import Action, Actor
from vna.model.errors import Conflict, Damaged, NotFound, Taken, VnaError
from vna.security.policy import Policy
from vna.version import version

_PAGE = 500
_LEASE_SECONDS = 30.0
_THREADS = 4
_MOST_ROUNDS = 8
_MOST_NAMED = 1000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: objects looked at, copied, and bytes of those."""

    looked: int
    copied: int
    copied_bytes: int


class Backup:
    """Makes backups in a place."""

    def __init__(self, database: Database, blobs: BlobStore, policy: Policy) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy

    def total(self, actor: Actor) -> int:
        """How many objects the index names."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return lookup.amount(connection)[0]

    def run(
        self,
        actor: Actor,
        place: Place,
        *,
        keep: int = 0,
        take_over: bool = False,
        pace: Pace = unlimited,
        tell: Callable[[Progress], None],
    ) -> Manifest:
        """Make one, and let all but the newest `keep` go (0: none); `take_over` a place that is another archive's."""
        self._policy.check(actor, Action.ADMIN)
        with self.alone(actor, place, take_over=take_over), self.begin(actor, place, pace=pace, tell=tell) as making:
            while making.step():
                pass
            return making.complete(keep)

    def alone(self, actor: Actor, place: Place, *, take_over: bool = False) -> AbstractContextManager[None]:
        """Hold a place; Taken while another process backs up there, Conflict where it is another archive's."""
        self._policy.check(actor, Action.ADMIN)
        return self._held(place, take_over)

    @contextmanager
    def _held(self, place: Place, take_over: bool) -> Iterator[None]:
        name = "backup:" + hashlib.sha256(place.name.encode()).hexdigest()[:32]
        mine = holder()

        def take() -> bool:
            with self._database.transaction() as connection:
                return jobs.take_lease(connection, name, mine, jobs.clock(connection), _LEASE_SECONDS)

        if not take():
            raise Taken(f"another backup to {place.name} is being made")
        try:
            with saying(take, _LEASE_SECONDS / 3, "backup-lease"):
                claim(place, own_name(self._database), take_over=take_over)
                yield
        finally:
            with suppress(VnaError), self._database.transaction() as connection:
                jobs.release_lease(connection, name, mine)

    def begin(
        self,
        actor: Actor,
        place: Place,
        *,
        pace: Pace = unlimited,
        tell: Callable[[Progress], None] = lambda _: None,
        at: "At | None" = None,
    ) -> "Making":
        """One to be made step by step, anew or from where another process was."""
        self._policy.check(actor, Action.ADMIN)
        return Making(self._database, self._blobs, place, pace, tell, at or At())


@dataclass(slots=True)
class At:
    """How far a backup is: what another process needs to go on with it."""

    began_at: str = ""
    stamp: str = ""
    table: int = 0
    after: int = 0
    looked: int = 0
    copied: int = 0
    copied_bytes: int = 0


class Making:
    """One backup on its way."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        place: Place,
        pace: Pace,
        tell: Callable[[Progress], None],
        at: At,
    ) -> None:
        if at.stamp and place.is_complete(at.stamp):
            at = At()  # it ended, and whoever made it could not say so; or this archive was restored from it
        self.at = at
        self._database = database
        self._blobs = blobs
        self._place = place
        self._pace = pace
        self._tell = tell
        self._lacking: set[str] = set()
        self._gone = 0
        if not at.stamp:
            now = datetime.now(UTC)
            at.began_at = time_text(now)
            at.stamp = f"{now:%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(2)}"
        self._held = Catalogue(place)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="backup")

    def __enter__(self) -> "Making":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of threads and files."""
        self._threads.shutdown()
        self._held.close()

    def step(self) -> bool:
        """Copy what a page of rows names; False when all rows were looked at, and only `complete` is left."""
        if self.at.table == len(lookup.KEPT):
            return False
        with self._database.read() as connection:
            batch = lookup.stored_blobs(connection, lookup.KEPT[self.at.table], after=self.at.after, limit=_PAGE)
        self._take(map(as_kept, batch))
        if batch:
            self.at.after = batch[-1].key
        else:
            self.at.table, self.at.after = self.at.table + 1, 0
        return True

    def complete(self, keep: int = 0) -> Manifest:
        """Write the rows, copy what is lacking yet, say that it is complete, and let all but the newest `keep` go."""
        self._refuse_complete()
        self._held.refresh()
        for _ in range(_MOST_ROUNDS):
            self._gone = 0
            self._lacking.clear()
            manifest = self._written()
            if not self._gone:
                self._refuse_complete()
                refuse_foreign(self._place, manifest.archive)
                self._place.write_manifest(manifest)
                forget_old(self._place, keep)
                return manifest
        raise Conflict("objects are removed for good faster than they are copied: try the backup again later")

    def _refuse_complete(self) -> None:
        if self._place.is_complete(self.at.stamp):
            raise Conflict(f"the backup {self.at.stamp} is complete already: nothing of it is written over")

    def _written(self) -> Manifest:
        place, stamp = self._place, self.at.stamp
        files: dict[str, tuple[int, str]] = {}
        at = datetime.now(UTC)
        listing = place.file(objects_name(stamp))
        with listing as path:
            with snapshot(self._database, place.store.spool_folder) as connection, ObjectList(path) as objects:
                rows = dict(self._rows(connection, files))
                sequences = dump.sequences(connection)
                last = dump.last_event(connection)
                count = size = 0
                for page in _pages(map(as_kept, dump.blobs(connection))):
                    for kept in page:
                        objects.add(kept)
                        count, size = count + 1, size + kept.size
            self._difference(path)
            with ObjectList(path, more=True) as objects:
                for page in _pages(self._journaled(last)):
                    self._take(page)
                    for kept in page:
                        objects.add(kept)
                        count, size = count + 1, size + kept.size
        files[objects_name(stamp)] = listing.size, listing.sha256
        return Manifest(
            stamp=stamp,
            version=version(),
            schema_revision=migrate.newest(),
            database="sqlite" if self._database.is_sqlite else "postgresql",
            began_at=self.at.began_at,
            index_at=time_text(at),
            ended_at=time_text(datetime.now(UTC)),
            rows=rows,
            sequences=sequences,
            files=files,
            objects=count,
            bytes=size,
            copied=self.at.copied,
            copied_bytes=self.at.copied_bytes,
            lacking_count=len(self._lacking),
            lacking=tuple(sorted(self._lacking)[:_MOST_NAMED]),
            archive=own_name(self._database),
        )

    def _rows(self, connection: Connection, files: dict[str, tuple[int, str]]) -> Iterator[tuple[str, int]]:
        for table in dump.tables(connection):
            name = str(table.name)  # not the kind of text that reflection gives
            written = self._place.file(table_name(self.at.stamp, name))
            with written as path:
                count = dump.write(connection, table, path)
            files[table_name(self.at.stamp, name)] = written.size, written.sha256
            yield name, count

    def _difference(self, path: Path) -> None:
        for page in _pages(listed(path)):
            self._take(page)

    def _take(self, page: Iterable[Kept]) -> None:
        """Copy of these what is not there yet."""
        wanted = list(page)
        missing = [kept for kept in wanted if not self._held.has(kept)]
        for kept, problem in self._threads.map(self._copied, missing):
            if problem is None:
                self._held.add(kept)
                self.at.copied += 1
                self.at.copied_bytes += kept.size
            elif not self._is_named(kept.name):
                self._gone += 1
            elif self._copied_compared(kept):
                self._held.add(kept)
                self.at.copied += 1
                self.at.copied_bytes += kept.size
            else:
                self._lacking.add(kept.name)
        self.at.looked += len(wanted)
        self._tell(Progress(self.at.looked, self.at.copied, self.at.copied_bytes))

    def _copied(self, kept: Kept) -> tuple[Kept, str | None]:
        try:
            self._place.copy(self._blobs, kept, self._pace)
        except (NotFound, Damaged) as exc:
            return kept, str(exc)
        return kept, None

    def _copied_compared(self, kept: Kept) -> bool:
        """Once more, where another store may hold a whole one; whoever repairs learns of the bad one."""
        if not isinstance(self._blobs, Checking):
            return False
        known = Known(kept.size, bytes.fromhex(kept.sha256))
        try:
            self._place.copy(Compared(self._blobs, known), kept, self._pace)
        except (NotFound, Damaged):
            return False
        return True

    def _is_named(self, name: str) -> bool:
        with self._database.read() as connection:
            return bool(lookup.known_blobs(connection, [name]))

    def _journaled(self, last: int) -> Iterator[Kept]:
        """Objects of the journal that tell of nothing after the snapshot; what the backup before has is not read."""
        before = self._journaled_before()
        known = next(before, None)
        for name in self._blobs.names(JOURNAL):
            while known is not None and known.name < name:
                known = next(before, None)
            if known is not None and known.name == name:
                yield known
                continue
            raw = self._blobs.read(name)
            if _newest(raw) <= last:
                yield Kept(name, len(raw), hashlib.sha256(raw).hexdigest())

    def _journaled_before(self) -> Iterator[Kept]:
        stamps = self._place.stamps()
        if stamps:
            with suppress(Damaged, NotFound):
                yield from (kept for kept in self._place.objects(stamps[-1]) if kept.name.startswith(f"{JOURNAL}/"))


def _newest(raw: bytes) -> int:
    """The greatest sequence number of an object of the journal; one that cannot be read is kept as it is."""
    try:
        return max((event.sequence for event in journal.parse(gzip.decompress(raw))), default=0)
    except (OSError, EOFError, zlib.error, ValueError, KeyError):
        return 0


def as_kept(stored: StoredBlob) -> Kept:
    """As a backup lists it."""
    return Kept(stored.blob, stored.size, stored.sha256.hex())


def _pages(all_of_them: Iterator[Kept]) -> Iterator[list[Kept]]:
    while page := list(islice(all_of_them, _PAGE)):
        yield page


def forget_old(place: Place, keep: int) -> None:
    """Let go of backups beyond the newest `keep`, of those that were never complete, and of objects that only they had.

    0 lets none go.
    """
    place.sweep()
    stamps = place.stamps()
    old = stamps[:-keep] if keep else []
    unfinished = [stamp for stamp in place.begun() if stamp not in stamps]
    for stamp in (*old, *unfinished):
        place.forget(stamp)
    if old:
        place.prune(stamps[-keep:])

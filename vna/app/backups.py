"""Places of backups, and backups at regular times: from settings to use cases."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import orjson

from storage.backups import BLOBS, Place
from storage.blobs.filesystem import FilesystemBlobs
from storage.blobs.s3 import S3Blobs
from storage.index import jobs
from storage.index.backup_runs import BACKUP
from storage.index.engine import Database
from storage.index.events import read_time, time_text
from vna.app.blobs import bucket
from vna.archive.backup import At, Backup, Making
from vna.archive.backup_standing import BackupStanding, Plan, ended
from vna.jobs.regular import Regular, was_done
from vna.jobs.workers import Work
from vna.model.access import SYSTEM
from vna.model.errors import BadRequest, NotFound, Taken, VnaError
from vna.pacing import Pace
from vna.settings import Settings

log = logging.getLogger(__name__)

WATCH = "backup-watch"
_STEP_SECONDS = 20.0
_TRIES = 6
_AGAIN = timedelta(minutes=15)


def plan_of(settings: Settings) -> Plan:
    """What the settings ask for."""
    places = tuple(filter(None, (settings.backup.to, settings.backup.second)))
    every, test = settings.backup.every, settings.backup.restore_test_every
    return Plan(places, timedelta(hours=every), timedelta(days=test))


def regularly(settings: Settings) -> Mapping[str, Regular]:
    """What becomes due, where there is a place for backups."""
    if not settings.backup.to:
        return {}
    return {BACKUP: Regular(timedelta(hours=settings.backup.every)), WATCH: Regular(timedelta(days=1))}


def works(settings: Settings, database: Database, backup: Backup, standing: BackupStanding) -> Mapping[str, Work]:
    """What does it."""
    return {BACKUP: RegularBackups(settings, database, backup, standing), WATCH: warning(standing)}


def warning(standing: BackupStanding) -> Work:
    """Says in the log what is overdue."""

    def watch(_payload: str) -> None:
        for sentence in standing.standing().overdue:
            log.warning("backup overdue", extra={"reason": sentence})

    return watch


class RegularBackups:
    """The job: objects in steps of some seconds, rows in one; a place after the other.

    What goes wrong is remembered and tried again a quarter of an hour later, six times; then at the next regular time.
    """

    def __init__(self, settings: Settings, database: Database, backup: Backup, standing: BackupStanding) -> None:
        self._settings = settings
        self._places = plan_of(settings).places
        self._pace: Callable[[int], None] = Pace(int(settings.backup.rate)).take
        self._database = database
        self._backup = backup
        self._standing = standing
        self._making: Making | None = None

    def __call__(self, payload: str) -> str | None:
        said = orjson.loads(payload) if payload else {}
        number, tries, at = said.get("place", 0), said.get("tries", 0), At(**said.get("at", {}))
        if number >= len(self._places):
            return None
        began = datetime.now(UTC)
        try:
            going_on = self._step(self._places[number], at)
        except Taken:
            self._later(number, tries, at)
            return None
        except (VnaError, OSError) as exc:
            began = read_time(at.began_at) if at.began_at else began
            return self._failed(number, tries, at, began, str(exc) or type(exc).__name__)
        if going_on is not None:
            return _payload(number, tries, going_on)
        return _payload(number + 1) if number + 1 < len(self._places) else None

    def _step(self, where: str, at: At) -> At | None:
        """How far it is then; None when it is complete."""
        place = place_at(self._settings, where, new=True)
        with self._backup.alone(SYSTEM, place):
            making = self._going_on(place, at)
            until = monotonic() + _STEP_SECONDS
            while making.step():
                if monotonic() > until:
                    return making.at
            made = making.complete(self._settings.backup.keep)
        self._forget()
        lacking = f"; {made.lacking_count} are damaged in the archive" if made.lacking_count else ""
        outcome = f"{made.objects} objects, {made.copied} copied{lacking}"
        run = ended(BACKUP, where, made.stamp, read_time(made.began_at), outcome, failed=False)
        self._standing.remember(SYSTEM, run)
        with self._database.transaction() as connection:
            was_done(connection, BACKUP, outcome)
        return None

    def _going_on(self, place: Place, at: At) -> Making:
        if self._making is None or not at.stamp or self._making.at.stamp != at.stamp:
            self._forget()
            self._making = self._backup.begin(SYSTEM, place, pace=self._pace, at=at)
        return self._making

    def _later(self, number: int, tries: int, at: At) -> None:
        """Another backup is being made there: nothing failed."""
        self._forget()
        again = time_text(datetime.now(UTC) + _AGAIN)
        with self._database.transaction() as connection:
            payload = _payload(number, tries, at)
            jobs.add(connection, BACKUP, order_key=BACKUP, payload=payload, run_after=again, priority=jobs.BULK)

    def _failed(self, number: int, tries: int, at: At, began: datetime, reason: str) -> str | None:
        self._forget()
        log.error("backup failed", extra={"place": number, "reason": reason})
        self._standing.remember(SYSTEM, ended(BACKUP, self._places[number], at.stamp, began, reason, failed=True))
        with self._database.transaction() as connection:
            was_done(connection, BACKUP, reason)
            if tries + 1 < _TRIES:
                again = time_text(datetime.now(UTC) + _AGAIN)
                payload = _payload(number, tries + 1)
                jobs.add(connection, BACKUP, order_key=BACKUP, payload=payload, run_after=again, priority=jobs.BULK)
                return None
        return _payload(number + 1) if number + 1 < len(self._places) else None

    def _forget(self) -> None:
        if self._making is not None:
            self._making.close()
            self._making = None


def _payload(number: int, tries: int = 0, at: At | None = None) -> str:
    return orjson.dumps({"place": number, "tries": tries, "at": asdict(at) if at else {}}).decode()


def place_at(settings: Settings, where: str, *, new: bool = False) -> Place:
    """The place of backups at a folder or S3 address; `new` makes it where it is not there, else that is NotFound."""
    if new:
        _refuse_own(settings, where)
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


def _refuse_own(settings: Settings, where: str) -> None:
    """BadRequest where the archive's own objects lie: they would be a backup's, and go with it."""
    for own in (settings.storage_url, *(store.url for store in settings.storage.stores)):
        if _is_same(where, own):
            raise BadRequest(f"{where} is where the archive's own objects lie: a backup goes elsewhere")


def _is_same(where: str, own: str) -> bool:
    there, here = urlsplit(where), urlsplit(own)
    if "s3" in (there.scheme, here.scheme):
        return (there.scheme, there.netloc, _endpoint(there)) == (here.scheme, here.netloc, _endpoint(here))
    folder, objects = Path(where).resolve(), Path(unquote(here.path)).resolve()
    into = folder / BLOBS
    return folder.is_relative_to(objects) or into.is_relative_to(objects) or objects.is_relative_to(into)


def _endpoint(url: SplitResult) -> str:
    return parse_qs(url.query).get("endpoint", [""])[0].rstrip("/")


def _bucket(settings: Settings, where: str, *, new: bool) -> S3Blobs:
    access_key, secret_key = settings.backup.access_key, settings.backup.secret_key
    if not access_key:
        access_key, secret_key = settings.storage.access_key, settings.storage.secret_key
    blobs = bucket(settings, where, access_key, secret_key, settings.data_dir / "backup-spool")
    if new:
        blobs.prepare()
    return blobs

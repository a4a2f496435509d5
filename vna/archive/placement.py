"""What lies in which store: rules are followed by a job, an operator moves studies; a move copies, compares, and takes
away at the source only when readers are done with it."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.blobs.base import BlobStore
from storage.blobs.checked import CheckedBlobs
from storage.blobs.known import Known
from storage.blobs.s3 import S3Blobs
from storage.blobs.several import SeveralBlobs
from storage.blobs.spooled import SpooledBlobs
from storage.index import jobs, lookup, places
from storage.index.engine import Database
from storage.index.events import time_text
from storage.index.places import Placed
from vna.archive.copying import copy, is_whole
from vna.jobs.regular import was_done
from vna.jobs.retries import KeepTrying
from vna.model.errors import Conflict, Unavailable, VnaError

log = logging.getLogger(__name__)

PLACE, MOVE, TAKE_AWAY, TIDY = "place-blobs", "move-blobs", "take-away-blobs", "tidy-uploads"
_BATCH = 50
_STEP_SECONDS = 10.0
GRACE = timedelta(minutes=10)
"""Whoever began to read at the source is done by then."""
_UPLOADS_LEFT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PlacementRule:
    """Instances of these modalities and facilities, of any where there are none, from an age on."""

    modality: tuple[str, ...]
    facility: tuple[str, ...]
    age: timedelta
    since_study: bool
    stores: tuple[str, ...]

    def at(self, now: datetime) -> places.Rule:
        """The same at a moment."""
        before = now - self.age
        received = time_text(before) if self.age and not self.since_study else ""
        study = f"{before:%Y%m%d}" if self.age and self.since_study else ""
        return places.Rule(self.modality, self.facility, received, study, self.stores)


class Placement:
    """Moves blobs between stores, a few each step; what fails stays where it is, and is met again by the next run."""

    def __init__(self, database: Database, blobs: BlobStore, rules: Sequence[PlacementRule]) -> None:
        self._database = database
        self._blobs = blobs
        self._several = blobs if isinstance(blobs, SeveralBlobs) else None
        self._rules = rules

    @property
    def is_on(self) -> bool:
        """Whether there is anything to place."""
        return self._several is not None and bool(self._rules)

    def place(self, payload: str) -> str | None:
        """A step of job PLACE: what rules want elsewhere, rule by rule."""
        state = {"rule": 0, "after": 0, "moved": 0, "failed": 0} | json.loads(payload or "{}")
        now = datetime.now(UTC)
        rules = [rule.at(now) for rule in self._rules]
        until = time.monotonic() + _STEP_SECONDS
        while state["rule"] < len(rules) and time.monotonic() < until:
            rule = rules[state["rule"]]
            with self._database.read() as connection:
                found = places.misplaced(connection, rule, after=state["after"], limit=_BATCH)
            meant = [one for one in found if next(r for r in rules if places.fits(r, one)) is rule]
            done = self._move_all(meant, rule.stores, until)
            state["moved"] += done.moved
            state["failed"] += done.failed
            if done.silent or (done.last is None and len(found) < _BATCH):
                state |= {
                    "rule": state["rule"] + 1,
                    "after": 0,
                }  # what a store that is down lacks waits for the next run
            else:
                state["after"] = done.last or found[-1].key
        if state["rule"] < len(rules):
            return json.dumps(state)
        with self._database.transaction() as connection:
            was_done(connection, PLACE, f"{state['moved']} moved, {state['failed']} not")
        return None

    def move(self, payload: str) -> str | None:
        """A step of job MOVE: a study, or what a facility has, to stores that an operator named."""
        state = json.loads(payload)
        until = time.monotonic() + _STEP_SECONDS
        with self._database.read() as connection:
            found = places.of_study(connection, state["study"], state["facility"], after=state["after"], limit=_BATCH)
        done = self._move_all(found, tuple(state["stores"]), until)
        if done.silent:
            raise KeepTrying(done.silent)
        if done.last is None and len(found) < _BATCH:
            return None
        return json.dumps(
            state | {"after": done.last or found[-1].key, "moved": state["moved"] + done.moved + done.failed}
        )

    def _move_all(self, found: Sequence[Placed], stores: tuple[str, ...], until: float) -> "_Done":
        done = _Done()
        taken: list[tuple[str, str]] = []
        for one in found:
            try:
                taken += self._move(one, stores)
                done.moved += 1
            except Unavailable as exc:
                done.silent = str(exc)
                break
            except VnaError as exc:
                done.failed += 1
                log.error("a blob is not moved", extra={"blob": one.blob, "reason": str(exc)})
            if time.monotonic() > until and one is not found[-1]:
                done.last = one.key
                break
        if taken:
            with self._database.transaction() as connection:
                run_after = time_text(datetime.now(UTC) + GRACE)
                jobs.add(connection, TAKE_AWAY, payload=json.dumps(taken), run_after=run_after, priority=jobs.BULK)
        return done

    def _move(self, one: Placed, stores: tuple[str, ...]) -> list[tuple[str, str]]:
        """What has to be taken away afterwards, as blob and store."""
        several = self._several
        if several is None or one.stores == stores:
            return []
        known = Known(one.size, one.sha256)
        sources = [several.stores[name] for name in one.stores if name in several.stores]
        for name in stores:
            if name in one.stores:
                continue
            target = several.stores[name]
            if not is_whole(target, one.blob, known):
                copy(one.blob, known, sources, target)
        with self._database.transaction() as connection:
            held = lookup.content(connection, one.sop_instance_uid)
            if held is None or held.blob != one.blob:
                raise Conflict("the instance was replaced or deleted meanwhile")
            places.put(connection, one.blob, stores, one.size)
        return [(one.blob, name) for name in one.stores if name not in stores]

    def take_away(self, payload: str) -> None:
        """Work of TAKE_AWAY: copies that are no longer told of."""
        several = self._several
        if several is None:
            return
        for blob, store in json.loads(payload):
            if store in several.stores and store not in several.places(blob):
                several.stores[store].delete(blob)

    def tidy(self, _payload: str) -> None:
        """Work of TIDY: parts of uploads that killed processes left."""
        stores = self._several.stores.values() if self._several is not None else [self._blobs]
        aborted = 0
        for store in stores:
            while isinstance(store, CheckedBlobs | SpooledBlobs):
                store = store.inner
            if isinstance(store, S3Blobs):
                aborted += store.abort_uploads(_UPLOADS_LEFT)
        with self._database.transaction() as connection:
            was_done(connection, TIDY, f"{aborted} uploads taken away")


@dataclass(slots=True)
class _Done:
    """`last` is the key that was looked at last where time was over before the end, `silent` says that a store does not
    answer."""

    moved: int = 0
    failed: int = 0
    last: int | None = None
    silent: str = ""


def stores_of(store: str, replicas: Sequence[str]) -> tuple[str, ...]:
    """A store and those that hold a copy too; each once."""
    return tuple(dict.fromkeys((store, *replicas)))

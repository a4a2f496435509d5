"""Taking over an old PACS: its list is read, its studies are copied, and what became of each is kept.

Whatever ends a run, the next one of the same choice goes on where it was.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from storage.index import jobs, takeovers
from storage.index.engine import Database
from storage.index.events import time_text
from storage.index.takeovers import COMPLETE, FAILED, INCOMPLETE, LISTED, Finding, Settled, StudyRow, TakeoverRow
from vna.archive.store import Store
from vna.jobs.holding import holder
from vna.model.access import Action, Actor
from vna.model.errors import BadRequest, Conflict, Unavailable, VnaError
from vna.model.priority import Priority
from vna.model.sources import Doors, Fetching, Searching, Source
from vna.places import sharing
from vna.routing.one_study import Away, Compare, Copying, Ours
from vna.routing.reaching import Patience, Reaching, Stopped
from vna.routing.scope import Scope
from vna.routing.timetable import Governor, Timetable
from vna.routing.walk import Listing, root
from vna.security.policy import Policy
from vna.security.sources import Sources

log = logging.getLogger(__name__)

_LEASE_SECONDS: Final = 10.0
_RENEW_SECONDS: Final = 2.0
_TICK: Final = 0.25
_BATCH: Final = 200
_ATTEMPTS: Final = 3
_MOST_TRIES: Final = 20
"""Of a source that comes and goes."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How a run goes: how many studies at once, how fast, through which door, what is looked at again."""

    parallel: int = 4
    timetable: Timetable = field(default_factory=Timetable)
    door: str = ""
    compare: Compare = Compare.OTHERS
    recheck: bool = False
    retry_failed: bool = False
    copies: bool = True
    patience: Patience = field(default_factory=Patience)


@dataclass(slots=True)
class Progress:
    """How far a run has come. `note` is what it waits for, if it waits."""

    phase: str = "listing"
    studies: int = 0
    studies_done: int = 0
    instances: int = 0
    instances_done: int = 0
    bytes: int = 0
    note: str = ""
    stopped: bool = False


class Migration:
    """Takes over what known sources hold; `doors` makes the doors of one."""

    def __init__(
        self,
        database: Database,
        store: Store,
        policy: Policy,
        sources: Sources,
        doors: Callable[[Source], Doors],
    ) -> None:
        self._database = database
        self._store = store
        self._policy = policy
        self._sources = sources
        self._doors = doors

    def run(
        self, actor: Actor, name: str, scope: Scope, choice: Choice, stopped: threading.Event
    ) -> Iterator[Progress]:
        """Go on with the takeover of that choice, or begin it; how far it is, several times a second.

        NotFound for a source that is not known, BadRequest for one that cannot be searched or read, Conflict while
        another run is at it.
        """
        self._policy.check(actor, Action.ADMIN, name)
        source = self._sources.get(actor, name)
        doors = self._doors(source)
        searching = _working(name, doors.searching, "searched: it needs a DICOM or a QIDO-RS address")
        fetching = _chosen(name, doors, choice) if choice.copies else []
        with self._database.transaction() as connection:
            row = takeovers.begin(connection, name, scope.text, time_text(datetime.now(UTC)))
        with self._alone(row) as renew:
            work = _Run(self._database, self._store, actor, source, scope, choice, stopped, searching, fetching)
            yield from work.go(row, renew)

    @contextmanager
    def _alone(self, row: TakeoverRow) -> Iterator[Callable[[], None]]:
        """Only one run at a time: what a killed one held is free after a few seconds."""
        name = f"takeover-{row.key}"
        own = holder()
        renewed = [0.0]

        def renew() -> None:
            if time.monotonic() - renewed[0] < _RENEW_SECONDS:
                return
            if not self._lease(name, own):
                raise Conflict(f"another run is at {row.source}")
            renewed[0] = time.monotonic()

        deadline = time.monotonic() + _LEASE_SECONDS + 1
        while not self._lease(name, own):
            if time.monotonic() > deadline:
                raise Conflict(f"another run is at {row.source}")
            time.sleep(_TICK)
        try:
            yield renew
        finally:
            with self._database.transaction() as connection:
                jobs.release_lease(connection, name, own)

    def _lease(self, name: str, own: str) -> bool:
        with self._database.transaction() as connection:
            return jobs.take_lease(connection, name, own, jobs.clock(connection), _LEASE_SECONDS)


class _Run:
    """One run, with its threads."""

    def __init__(
        self,
        database: Database,
        store: Store,
        actor: Actor,
        source: Source,
        scope: Scope,
        choice: Choice,
        stopped: threading.Event,
        searching: Searching,
        fetching: Sequence[tuple[str, Fetching]],
    ) -> None:
        self._database = database
        self._scope = scope
        self._choice = choice
        self._stopped = stopped
        self._searching = searching
        self._fetching = fetching
        self._lock = threading.Lock()
        self._progress = Progress()
        self._coming: Counter[int] = Counter()
        self._governor = Governor(choice.timetable, stopped)
        self._reaching = Reaching(source.name, [searching], stopped, choice.patience, self._note)
        places = sharing(source.archive.connections, source.archive.bulk_connections)
        self._parallel = max(1, min(choice.parallel, places[Priority.BULK]))
        self._copying = Copying(
            source.name,
            database,
            store,
            replace(actor, facility=source.facility or actor.facility),
            searching,
            fetching,
            scope,
            self._governor,
            stopped,
            compare=choice.compare,
            was_away=self._reaching.wait,
            told=self._took,
        )
        self._key = 0

    def go(self, row: TakeoverRow, renew: Callable[[], None]) -> Iterator[Progress]:
        """The list, then the studies."""
        self._key = row.key
        row = self._prepared(row)
        if not row.listed:
            yield from self._with_threads(1, lambda: iter([partial(self._list, row)]), renew)
        if self._choice.copies and not self._stopped.is_set():
            self._begin_copying()
            yield from self._with_threads(self._parallel, self._studies, renew)
        self._progress.stopped = self._stopped.is_set()
        yield self._shown()

    def _prepared(self, row: TakeoverRow) -> TakeoverRow:
        """A list that was read to the end is read anew when its studies are all settled: there may be new ones."""
        with self._database.transaction() as connection:
            if self._choice.recheck:
                takeovers.reopen(connection, row.key, (COMPLETE, INCOMPLETE, FAILED))
            elif self._choice.retry_failed:
                takeovers.reopen(connection, row.key, (INCOMPLETE, FAILED))
            again = LISTED in takeovers.sums(connection, row.key)
            begun = takeovers.next_window(connection, row.key) is not None
            if self._choice.recheck or (row.listed and not again) or (not row.listed and not begun):
                takeovers.list_anew(connection, row.key, root(self._scope).span)
            return takeovers.begin(connection, row.source, row.scope, "")

    def _list(self, row: TakeoverRow) -> None:
        with self._database.read() as connection:
            self._progress.studies = sum(one.studies for one in takeovers.sums(connection, row.key).values())
        Listing(
            self._database,
            self._searching,
            self._reaching,
            row,
            self._scope,
            self._stopped,
            told=self._listed,
        ).run()

    def _begin_copying(self) -> None:
        with self._database.read() as connection:
            sums = takeovers.sums(connection, self._key)
        done = [one for state, one in sums.items() if state != LISTED]
        self._progress = Progress(
            "copying",
            studies=sum(one.studies for one in sums.values()),
            studies_done=sum(one.studies for one in done),
            instances=sum(one.said for one in sums.values()),
            instances_done=sum(one.said for one in done),
        )

    def _studies(self) -> Iterator[Callable[[], None]]:
        """What is to be done, a study each, the newest first."""
        before: tuple[str, int] | None = None
        while True:
            with self._database.read() as connection:
                batch = takeovers.open_studies(connection, self._key, before=before, limit=_BATCH)
            for study in batch:
                yield partial(self._copy, study)
            if len(batch) < _BATCH:
                return
            before = (batch[-1].study_date, batch[-1].key)

    def _copy(self, study: StudyRow) -> None:
        """One study to its end; nothing is noted of one that was not brought there."""
        settled, found = self._copied(study)
        with self._database.transaction() as connection:
            takeovers.settle(connection, self._key, study, settled, found)
        self._finished(study, settled)

    def _copied(self, study: StudyRow) -> tuple[Settled, Sequence[Finding]]:
        """What became of it; a source that fails and answers otherwise is asked a few times."""
        attempt = tries = 0
        while True:
            attempt, tries = attempt + 1, tries + 1
            if not self._turn():
                raise Stopped
            try:
                return self._copying.copy(study, is_last=attempt >= _ATTEMPTS)
            except Unavailable as error:
                was_away = self._reaching.wait() or isinstance(error, Away)
                if was_away:
                    attempt = 0
                elif attempt >= _ATTEMPTS:
                    return _failed(error), ()
                if tries >= _MOST_TRIES:
                    return _failed(error), ()
                if self._stopped.wait(0.5 * attempt):
                    raise Stopped from error
            except VnaError as error:
                return _failed(error), ()

    def _turn(self) -> bool:
        until = self._governor.pause()
        if until is not None:
            self._note(f"paused until {until}")
            going = self._governor.wait_turn()
            self._note("")
            return going
        return not self._stopped.is_set()

    def _with_threads(
        self, threads: int, work: Callable[[], Iterator[Callable[[], None]]], renew: Callable[[], None]
    ) -> Iterator[Progress]:
        """Do it all, so many at once; the first thing that goes wrong with us or for good ends it."""
        waiting: set[Future[None]] = set()
        rest = work()
        more = True
        with ThreadPoolExecutor(threads, thread_name_prefix="takeover") as pool:
            try:
                while more or waiting:
                    while more and len(waiting) < 2 * threads and not self._stopped.is_set():
                        task = next(rest, None)
                        more = task is not None
                        if task is not None:
                            waiting.add(pool.submit(task))
                    more = more and not self._stopped.is_set()
                    done, waiting = wait(waiting, timeout=_TICK, return_when="FIRST_COMPLETED")
                    for future in done:
                        _raise(future)
                    renew()
                    yield self._shown()
            except BaseException:
                self._stopped.set()
                for future in waiting:
                    future.cancel()
                raise

    def _shown(self) -> Progress:
        with self._lock:
            done = self._progress.instances_done + self._coming.total()
            return replace(self._progress, instances_done=done)

    def _note(self, words: str) -> None:
        with self._lock:
            self._progress.note = words

    def _listed(self, count: int) -> None:
        with self._lock:
            self._progress.studies += count

    def _took(self, size: int) -> None:
        with self._lock:
            self._coming[threading.get_ident()] += 1
            self._progress.bytes += size

    def _finished(self, study: StudyRow, settled: Settled) -> None:
        """What came of it counts as what it was said to have, so that the whole comes out even."""
        with self._lock:
            self._coming.pop(threading.get_ident(), None)
            self._progress.studies_done += 1
            self._progress.instances_done += max(study.said, 0) or settled.listed
            self._progress.instances += settled.listed if study.said <= 0 else 0


def _raise(future: "Future[None]") -> None:
    """What a thread ended with; being stopped is no error."""
    try:
        future.result()
    except Stopped:
        return
    except Ours as error:
        raise error.__cause__ or error from error


def _failed(error: VnaError) -> Settled:
    return Settled(FAILED, reason=str(error)[:500], looked_at=time_text(datetime.now(UTC)))


def _working(name: str, doors: Sequence[tuple[str, Searching]], words: str) -> Searching:
    """The first that works; Unavailable says why none does."""
    reasons = []
    for door, one in doors:
        try:
            one.verify()
        except VnaError as error:
            reasons.append(f"{door}: {error}")
        else:
            return one
    if not doors:
        raise BadRequest(f"{name} cannot be {words}")
    raise Unavailable("; ".join(reasons))


def _chosen(name: str, doors: Doors, choice: Choice) -> list[tuple[str, Fetching]]:
    """The doors that give whole studies, before those that give instances one by one; those that do not work are
    left out."""
    known = [one for one in doors.fetching if choice.door in ("", one[0])]
    if choice.door and not known:
        have = ", ".join(door for door, _ in doors.fetching) or "none"
        raise BadRequest(f"{name} has no door {choice.door}; it has {have}")
    working, reasons = [], []
    for door, one in sorted(known, key=lambda pair: pair[1].by_name):
        try:
            one.verify()
        except VnaError as error:
            reasons.append(f"{door}: {error}")
        else:
            working.append((door, one))
    if not known:
        raise BadRequest(f"{name} cannot be read: it needs a DICOM, WADO-RS, WADO-URI or RAD-69 address")
    if not working:
        raise Unavailable("; ".join(reasons))
    return working

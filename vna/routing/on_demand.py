"""Reading what is kept elsewhere: it is fetched once, however many wait for it, and kept.

A series is the unit: who asks for one instance has that one first, and the rest of its series behind it. In one
process a series has one flight, which all readers share; over all processes and nodes a lease says whose flight
fetches, and the others look into the index until what they wait for is there.
"""

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from storage.index import elsewhere, jobs, manifests
from storage.index.elsewhere import Kept
from storage.index.engine import Database
from vna.jobs.holding import holder, saying
from vna.model.errors import NotFound, OutOfResources, Unavailable, VnaError
from vna.model.instances import Availability, Instance
from vna.model.priority import Priority
from vna.model.sources import Source
from vna.routing.downloads import note_download
from vna.routing.fetching import Fetch
from vna.routing.flights import Flight, StillComing, Waiter, Wanted
from vna.routing.whereabouts import candidates

log = logging.getLogger(__name__)

_LEASE_SECONDS = 15.0
_PAUSE = 0.03
_REST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class FetchRules:
    """`at_once` series are fetched in one process at a time, `most` wait; readers wait for `wait_seconds`. With `ahead`
    the rest of a series follows what was asked for."""

    at_once: int = 8
    most: int = 2000
    wait_seconds: float = 120.0
    ahead: bool = True


class OnDemand:
    """Brings instances here from the archives that keep them."""

    def __init__(
        self,
        database: Database,
        fetch: Fetch,
        archives: Callable[[], Sequence[Source]],
        rules: FetchRules | None = None,
    ) -> None:
        self._database = database
        self._fetch = fetch
        self._archives = archives
        self._rules = rules or FetchRules()
        self._lock = threading.Lock()
        self._flights: dict[tuple[str, str], Flight] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._stopping = False
        self._holder = holder()
        self._resting: dict[str, tuple[float, str]] = {}

    def bring(self, wanted: Sequence[Wanted], seconds: float = 0.0, priority: Priority = Priority.INTERACTIVE) -> None:
        """Have them here, and wait until they are, for so many seconds, else as the rules say. NotFound when nobody has
        one of them, Unavailable says in words why it does not come."""
        done = threading.Event()
        waiter = self._begin(wanted, len(wanted), done.set, priority)
        if not done.wait(seconds or self._rules.wait_seconds):
            raise StillComing
        _judge(waiter)

    def expect(self, wanted: Sequence[Wanted]) -> None:
        """Have them here soon, as far as there is room: who reads them asks for each again."""
        with suppress(OutOfResources):
            self._begin(wanted, len(wanted), lambda: None, Priority.ROUTINE)

    async def arrive(self, wanted: Sequence[Instance], enough: int) -> None:
        """The same for `enough` of them, without a thread that waits."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(done.set)

        waiter = self._begin(wanted, enough, tell, Priority.INTERACTIVE)
        try:
            await asyncio.wait_for(done.wait(), self._rules.wait_seconds)
        except TimeoutError as exc:
            raise StillComing from exc
        _judge(waiter)

    def settle(self) -> None:
        """Wait until what is being fetched is here, or has failed."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()

    def close(self) -> None:
        """End what is being fetched after the instances that are under way: nobody waits for the rest."""
        self._stopping = True
        self.settle()

    def _begin(self, wanted: Sequence[Wanted], enough: int, tell: Callable[[], None], priority: Priority) -> Waiter:
        by_series: dict[tuple[str, str], list[str]] = {}
        for one in wanted:
            by_series.setdefault((one.study_instance_uid, one.series_instance_uid), []).append(one.sop_instance_uid)
        waiter = Waiter(enough, tell)
        waiter.waits_for(len(by_series))
        told: list[Waiter] = []
        new: list[Flight] = []
        with self._lock:
            if len(self._flights) + len(by_series) > self._rules.most:
                raise OutOfResources("too much is being fetched from other archives: ask again later")
            for key, uids in by_series.items():
                flight = self._flights.get(key)
                if flight is None:
                    flight = self._flights[key] = Flight(*key)
                    new.append(flight)
                told += flight.ask(uids, waiter, priority)
            if new and self._threads is None:
                self._threads = ThreadPoolExecutor(self._rules.at_once, "fetch")
            for flight in new:
                assert self._threads is not None
                self._threads.submit(self._fly, flight)
        for early in told:
            early.came()
        return waiter

    def _fly(self, flight: Flight) -> None:
        """One series, until nobody waits for anything of it any more."""
        error: VnaError | None = None
        try:
            while self._wanted(flight):
                self._round(flight)
        except VnaError as exc:
            error = exc
        except Exception:
            log.exception("series not fetched", extra={"series_instance_uid": flight.series_instance_uid})
            error = Unavailable("it could not be fetched: the archive's log says why")
        self._end(flight, error)

    def _wanted(self, flight: Flight) -> bool:
        """Whether something is still waited for and was not tried; else the flight takes no more passengers."""
        with self._lock:
            if any(uid not in flight.failed for uid in flight.asked):
                return True
            self._flights.pop((flight.study_instance_uid, flight.series_instance_uid), None)
            return False

    def _end(self, flight: Flight, error: VnaError | None) -> None:
        key = flight.study_instance_uid, flight.series_instance_uid
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
            waiters = list(flight.waiters)
            lost = {id(w): flight.failed[uid] for uid, ws in flight.waiting.items() if uid in flight.failed for w in ws}
        for waiter in waiters:
            waiter.ended(error or lost.get(id(waiter)))

    def _round(self, flight: Flight) -> None:
        name = _lease_name(flight.study_instance_uid, flight.series_instance_uid)
        until = time.monotonic() + self._rules.wait_seconds
        while not self._take(name):
            if not self._look(flight):
                return
            if time.monotonic() > until:
                raise StillComing
            time.sleep(_PAUSE)
        with self._held(name):
            if self._look(flight):
                self._land(flight)

    def _look(self, flight: Flight) -> bool:
        """Tell who waits for what has come by itself, or by another process; whether anything is left."""
        with self._lock:
            asked = list(flight.asked)
        with self._database.glance() as connection:
            here = elsewhere.here(connection, asked)
        for uid in here:
            self._came(flight, uid)
        return len(here) < len(asked)

    def _came(self, flight: Flight, uid: str) -> None:
        with self._lock:
            waiters = flight.arrived(uid)
        for waiter in waiters:
            waiter.came()
        if self._stopping and not flight.asked:
            raise Unavailable("the archive is being stopped")

    def _land(self, flight: Flight) -> None:
        study, series = flight.study_instance_uid, flight.series_instance_uid
        with self._database.read() as connection:
            missing = {one.sop_instance_uid: one for one in elsewhere.kept(connection, study, series)}
            sources = candidates(self._archives(), manifests.places(connection, study, series))
        self._look(flight)  # what came meanwhile is not missing any more
        with self._lock:
            asked = [uid for uid in flight.asked if uid in missing]
            gone = [uid for uid in flight.asked if uid not in missing]
        rest = [uid for uid, one in missing.items() if uid not in set(asked) and not one.is_absent]
        left = {uid: missing[uid] for uid in (*asked, *(rest if self._rules.ahead else ()))}
        before = dict(left)
        reasons, lacking = self._from_any(flight, sources, left, asked)
        again = any(one.size > 0 for uid, one in before.items() if uid not in left)
        failure = self._failure(sources, reasons)
        with self._lock:
            for uid in gone:  # withdrawn, or deleted here
                flight.failed[uid] = NotFound("it is not kept elsewhere any more")
            for uid in list(flight.asked):
                if uid in left:
                    flight.failed[uid] = NotFound(_LACKING) if uid in lacking else failure
        self._note(study, series, lacking, failure if set(left) - lacking else None, again=again)

    def _from_any(
        self, flight: Flight, sources: Sequence[Source], left: dict[str, Kept], asked: Sequence[str]
    ) -> tuple[list[str], set[str]]:
        """Ask one archive after the other for what is left; why some gave nothing, and what none of them has.

        `left` loses what comes.
        """
        reasons: list[str] = []
        lacking: set[str] | None = None
        for source in sources:
            if not left or (self._stopping and not flight.asked):
                break
            if rests := self._rests(source):
                reasons.append(rests)
                lacking = set()
                continue
            result = self._fetch.run(source, left, asked, partial(self._came, flight), flight.priority)
            reasons += result.reasons
            if result.is_down:
                self._resting[source.name] = (time.monotonic() + _REST_SECONDS, result.reasons[-1])
            lacking = result.lacking if lacking is None else lacking & result.lacking
        return reasons, (lacking or set()) & left.keys()

    def _rests(self, source: Source) -> str:
        """Why a source is not asked just now: a moment ago it did not answer."""
        until, reason = self._resting.get(source.name, (0.0, ""))
        return reason if time.monotonic() < until else ""

    @staticmethod
    def _failure(sources: Sequence[Source], reasons: Sequence[str]) -> Unavailable:
        if not sources:
            return Unavailable("no archive is known that keeps it (vna source)")
        return Unavailable("; ".join(dict.fromkeys(reasons))[:400] or "the archive that keeps it did not send it")

    def _note(self, study: str, series: str, lacking: set[str], failure: VnaError | None, *, again: bool) -> None:
        """What became of it: availability, and the download as manifests keep it."""
        if self._stopping:
            failure = None
        state = Availability.NEARLINE if failure is None else Availability.OFFLINE
        with self._database.transaction() as connection:
            if lacking:
                elsewhere.mark(connection, lacking, absent=True)
            elsewhere.rate(connection, study, series, state)
            note_download(
                connection, study, series, str(failure) if failure is not None else "", len(lacking), again=again
            )

    def _take(self, name: str) -> bool:
        """Become or stay the one who fetches; writes nothing while another one is."""
        with self._database.glance() as connection:
            if jobs.holder_of(connection, name, jobs.clock(connection)) not in ("", self._holder):
                return False
        with self._database.transaction() as connection:
            return jobs.take_lease(connection, name, self._holder, jobs.clock(connection), _LEASE_SECONDS)

    @contextmanager
    def _held(self, name: str) -> Iterator[None]:
        """The lease is kept as long as it takes."""
        try:
            with saying(partial(self._take, name), _LEASE_SECONDS / 3, "fetch-lease"):
                yield
        finally:
            with suppress(VnaError), self._database.transaction() as connection:
                jobs.release_lease(connection, name, self._holder)


_LACKING = "its archive says that it does not have it, although a manifest names it"


def _lease_name(study: str, series: str) -> str:
    """UIDs are too long for it as they are, and often differ in their last digits only."""
    return f"fetch:{hashlib.sha256(f'{study} {series}'.encode()).hexdigest()[:48]}"


def _judge(waiter: Waiter) -> None:
    if waiter.has_enough:
        return
    found = next((error for error in waiter.errors if isinstance(error, NotFound)), None)
    unavailable = next((error for error in waiter.errors if not isinstance(error, NotFound)), None)
    raise unavailable or found or Unavailable("it did not come")

"""A mixed load: C-STORE (two kinds of senders), STOW-RS, QIDO-RS, WADO-RS and C-MOVE at once, until it is stopped.

Refusals and broken connections are what faults look like to callers: they are counted. An untrue answer is `Wrong`.
"""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.archives import LiveArchive
from tests.faults.instances import Maker, Study
from tests.faults.ledger import Ledger
from tests.faults.reading import SOP, Wrong, compare, read, search
from tests.faults.senders import Association, Broken, storescu, stow
from tests.peers.dcmtk import StoreSCP
from tests.peers.processes import system_program

_PAUSE_AFTER_REFUSAL = 0.05
_TIMEOUT = 60.0
DESTINATION = "FAULTDEST"


@dataclass(slots=True)
class Load:
    """Who calls, and what came of it. `archive` may be exchanged for one that was started after a fault."""

    archive: LiveArchive
    ledger: Ledger
    seed: int
    destination: StoreSCP | None = None
    latencies: list[tuple[float, str, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    pause: float = 0.0
    """Seconds that each caller waits between requests."""
    pixels: int = 1 << 15
    """Bytes of pixel data of each instance."""
    stores_only: bool = False
    """C-STORE and STOW-RS, for faults that need many stores."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        callers: list[Callable[[random.Random], None]] = [
            self._associations,
            self._associations,
            self._stows,
        ]
        if not self.stores_only:
            callers += [self._reads, self._searches, self._storescus]
            callers += [self._moves] if self.destination is not None else []
        for number, caller in enumerate(callers):
            arguments = (caller, random.Random(self.seed * 100 + number))
            self._threads.append(threading.Thread(target=self._call, args=arguments, name=caller.__name__))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let everybody finish the request that is under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT)
        stuck = [thread.name for thread in self._threads if thread.is_alive()]
        assert not stuck, f"{stuck} still wait for an answer"
        assert not self.wrong, self.wrong[:5]
        expected = 2 if self.stores_only else 5 + (self.destination is not None)
        assert len(self.done) == expected, f"nothing was done but {self.done}"

    def abandon(self) -> None:
        """A test has failed, or is over: nobody calls any more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_TIMEOUT)

    def wait_for_more(self, count: int, *, timeout: float = 60) -> None:
        """Until this many more are acknowledged than now."""
        wanted, deadline = len(self.ledger.acknowledged) + count, time.monotonic() + timeout
        while len(self.ledger.acknowledged) < wanted:
            assert time.monotonic() < deadline, (
                f"no {count} more stores within {timeout} s: {dict(self.ledger.refused)}"
            )
            assert not self.wrong, self.wrong[:5]
            time.sleep(0.01)

    def _call(self, caller: Callable[[random.Random], None], rng: random.Random) -> None:
        while not self._stop.is_set():
            try:
                caller(rng)
            except (Broken, httpx.TransportError, httpx.HTTPStatusError, ConnectionError, TimeoutError) as exc:
                self.ledger.refuse(f"{caller.__name__.strip('_')}: {_named(exc)}")
                self._stop.wait(_PAUSE_AFTER_REFUSAL)
            except Exception as exc:  # noqa: BLE001  told by stop()
                self.wrong.append(f"{caller.__name__}: {type(exc).__name__}: {exc}")
                return

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.latencies.append((begun, what, time.monotonic() - begun))
        self.done[what] = self.done.get(what, 0) + 1
        if self.pause:
            self._stop.wait(self.pause)

    def _maker(self, rng: random.Random) -> Maker:
        # Patients are shared by all callers of a load: they race for their rows.
        return Maker(rng.getrandbits(64), patients=4, prefix=self.seed, pixels=self.pixels)

    def _associations(self, rng: random.Random) -> None:
        """An association after another, a study of a few instances on each."""
        study = self._maker(rng).study()
        assoc = Association(self.archive.dimse_port, timeout=_TIMEOUT)
        try:
            for _ in range(rng.randint(1, 12)):
                if self._stop.is_set():
                    break
                self._store(assoc, study)
            assoc.release()
        finally:
            assoc.close()

    def _store(self, assoc: Association, study: Study) -> None:
        instance = study.instance()
        self.ledger.sending(instance)
        with self._timed("C-STORE"):
            status = assoc.store(instance)
        if status == 0x0000:
            self.ledger.acknowledge([instance.sop])
        else:
            self.ledger.refuse(f"C-STORE: {status:04X}")
            self._stop.wait(_PAUSE_AFTER_REFUSAL)

    def _storescus(self, rng: random.Random) -> None:
        study = self._maker(rng).study()
        instances = [study.instance() for _ in range(rng.randint(3, 20))]
        for one in instances:
            self.ledger.sending(one)
        stored = storescu(self.archive.dimse_port, instances, timeout=_TIMEOUT)
        self.ledger.acknowledge(stored)
        self.done["storescu"] = self.done.get("storescu", 0) + len(stored)
        if len(stored) < len(instances):
            self.ledger.refuse("storescu: stopped")
        self._stop.wait(0.2 + self.pause)

    def _stows(self, rng: random.Random) -> None:
        study = self._maker(rng).study()
        with self._client() as client:
            for _ in range(rng.randint(1, 8)):
                if self._stop.is_set():
                    return
                instances = [study.instance() for _ in range(rng.randint(1, 4))]
                for one in instances:
                    self.ledger.sending(one)
                with self._timed("STOW"):
                    status, stored = stow(client, instances)
                self.ledger.acknowledge(stored)
                if status != 200:
                    self.ledger.refuse(f"STOW: {status}")
                    self._stop.wait(_PAUSE_AFTER_REFUSAL)

    def _reads(self, rng: random.Random) -> None:
        """What was acknowledged is never answered 404, at no time."""
        with self._client() as client:
            for sop, sent in self.ledger.some(20):
                with self._timed("WADO"):
                    status = read(client, sop, sent)
                if status == 404:
                    raise Wrong(f"{sop} was acknowledged and answered 404")
                if status != 200:
                    self.ledger.refuse(f"WADO: {status}")
            self._stop.wait(0.02)

    def _searches(self, rng: random.Random) -> None:
        """What a search gives can be read, and was sent."""
        known = self.ledger.some(50)
        if not known:
            self._stop.wait(0.05)
            return
        _, chosen = rng.choice(known)
        with self._client() as client:
            with self._timed("QIDO"):
                found = search(client, f"/studies/{chosen.study}/instances")
            for item in found:
                if (sent := self.ledger.sent.get(item[SOP])) is None:
                    raise Wrong(f"{item[SOP]} is found and was never sent")
                status = read(client, item[SOP], sent)
                if status == 404:
                    raise Wrong(f"{item[SOP]} is found and answered 404")
                if status != 200:
                    self.ledger.refuse(f"WADO: {status}")
            self._stop.wait(0.02)

    def _moves(self, rng: random.Random) -> None:
        """C-MOVE of a study to storescp; each file that came is as it was sent."""
        assert self.destination is not None
        known = self.ledger.some(50)
        if not known:
            self._stop.wait(0.05)
            return
        _, chosen = rng.choice(known)
        argv = [system_program("movescu", package="dcmtk"), "-S", "-ta", "60", "-td", "60", "-aem", DESTINATION]
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={chosen.study}"]
        with self._timed("C-MOVE"):
            port = str(self.archive.dimse_port)
            done = subprocess.run(
                [*map(str, argv), *keys, "127.0.0.1", port], capture_output=True, timeout=2 * _TIMEOUT, check=False
            )
        if done.returncode:
            self.ledger.refuse("C-MOVE: failed")
        for file in self.destination.files():
            self._judge_moved(file.name.partition(".")[2], file.read_bytes())
            file.unlink()
        self._stop.wait(0.2 + self.pause)

    def _judge_moved(self, sop: str, part10: bytes) -> None:
        """storescp writes `CT.<SOP Instance UID>`; what it was writing when the sender died is its own matter."""
        try:
            sent = self.ledger.sent[sop]
        except KeyError:
            raise Wrong(f"{sop} was moved and was never sent") from None
        compare(sop, sent, part10)

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.archive.dicomweb, timeout=_TIMEOUT)


def _named(exc: Exception) -> str:
    if isinstance(exc, httpx.HTTPStatusError):
        return str(exc.response.status_code)
    return f"{type(exc).__name__} {exc}" if isinstance(exc, Broken) else type(exc).__name__

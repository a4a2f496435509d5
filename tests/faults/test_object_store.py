"""An object store that is down, slow, failing or rotten, behind a proxy that breaks what passes."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.archives import Backend, LiveArchive, make_backend, start_archive
from tests.faults.instances import Maker
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.reading import Wrong, read, search, settled
from tests.faults.results import Outcome, rounds
from tests.faults.senders import Association, stow
from tests.peers.faulty_proxy import Choice, Fault, FaultyProxy, Request, faulty, nothing
from tests.peers.seaweedfs import SeaweedFS

_NAME = "postgresql+seaweedfs"


@pytest.fixture
def proxy(seaweedfs: SeaweedFS) -> Iterator[FaultyProxy]:
    with faulty(("127.0.0.1", seaweedfs.port)) as running:
        yield running


@pytest.fixture
def behind(
    proxy: FaultyProxy, seaweedfs: SeaweedFS, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[LiveArchive]:
    """An archive that reaches its objects through the proxy."""
    live = start_archive(_behind(make_backend(_NAME, request, tmp_path), proxy, seaweedfs))
    yield live
    live.stop()


def _behind(backend: Backend, proxy: FaultyProxy, seaweedfs: SeaweedFS) -> Backend:
    url = backend.environment["VNA_STORAGE__URL"].replace(seaweedfs.endpoint, proxy.endpoint)
    return replace(backend, environment={**backend.environment, "VNA_STORAGE__URL": url})


def _sometimes(rng: random.Random, part: float, *faults: Fault) -> Choice:
    """That part of all requests meets one of these."""

    def choose(_request: Request) -> Fault | None:
        return rng.choice(faults) if rng.random() < part else None

    return choose


def test_an_object_store_that_fails_now_and_then_loses_nothing(
    behind: LiveArchive, proxy: FaultyProxy, ledger: Ledger, seed: int, under_load: Callable[..., Load]
) -> None:
    outcome = Outcome("S3 fails", "three requests in ten: 500, 503, closed unanswered, or cut within its answer", _NAME)
    outcome.seed = seed
    load = under_load(behind)
    rng = random.Random(seed)
    for _ in range(rounds(1, 20)):
        proxy.choose = _sometimes(rng, 0.3, Fault.REFUSE, Fault.FAIL, Fault.FORGET, Fault.CUT)
        load.wait_for_more(60)
        proxy.choose = nothing
        begun = time.monotonic()
        load.wait_for_more(1)
        outcome.recovery.append(time.monotonic() - begun)
    load.stop()
    outcome.tried = proxy.happened.total()
    assert outcome.tried > 10
    outcome.count(ledger)
    outcome.judge(settled(behind, ledger))


def test_an_object_store_that_is_down_refuses_stores_and_searches_go_on(
    behind: LiveArchive, proxy: FaultyProxy, ledger: Ledger, seed: int, under_load: Callable[..., Load]
) -> None:
    outcome = Outcome("S3 down", "every request 503, then every connection closed", _NAME, seed=seed)
    load = under_load(behind)
    for _ in range(rounds(1, 10)):
        load.wait_for_more(10)
        proxy.choose = lambda _: Fault.REFUSE
        proxy.cut()
        time.sleep(0.2)
        with httpx.Client(base_url=behind.dicomweb, timeout=10) as client:
            begun = time.monotonic()
            assert search(client, "/instances")
            assert time.monotonic() - begun < 5
        proxy.choose = nothing
        begun = time.monotonic()
        load.wait_for_more(1)
        outcome.recovery.append(time.monotonic() - begun)
        outcome.tried += 1
    load.stop()
    outcome.count(ledger)
    outcome.judge(settled(behind, ledger))


def _store_some(live: LiveArchive, ledger: Ledger, seed: int, count: int) -> None:
    assoc = Association(live.dimse_port)
    study = Maker(seed).study()
    for _ in range(count):
        instance = study.instance()
        ledger.sending(instance)
        assert assoc.store(instance) == 0x0000
        ledger.acknowledge([instance.sop])
    assoc.release()


@pytest.mark.parametrize(
    "fault",
    [Fault.FLIP, Fault.SHORTEN, Fault.CUT],
    ids=["flip", "shorten", "cut"],
)
def test_bytes_that_rotted_are_never_served_as_good(
    fault: Fault, behind: LiveArchive, proxy: FaultyProxy, ledger: Ledger, seed: int
) -> None:
    """A caller gets what was stored, or can see that it did not."""
    _store_some(behind, ledger, seed, 3)
    proxy.choose = lambda request: fault if request.method == "GET" and "/studies/" in request.path else None
    outcome = Outcome("S3 rotten", f"each object read: {fault.value}", _NAME, tried=3, seed=seed)
    wrong = []
    with httpx.Client(base_url=behind.dicomweb, timeout=60) as client:
        for sop, sent in ledger.some(3):
            try:
                assert read(client, sop, sent) in (200, 500, 502, 503)
            except httpx.TransportError as exc:
                ledger.refuse(type(exc).__name__)
            except Wrong as exc:
                wrong.append(str(exc))
    assert proxy.happened[fault]
    proxy.choose = nothing
    outcome.count(ledger)
    outcome.judge(wrong + settled(behind, ledger))


def test_a_slow_object_store_takes_down_no_searches(
    behind: LiveArchive, proxy: FaultyProxy, ledger: Ledger, seed: int
) -> None:
    """More readers than an HTTP worker has threads wait for bytes that do not come, and a search is answered."""
    _store_some(behind, ledger, seed, 2)
    proxy.choose = lambda request: Fault.HANG if request.method == "GET" else None
    sop, sent = ledger.some(1)[0]

    def wait_for_bytes() -> None:
        try:
            with httpx.Client(base_url=behind.dicomweb, timeout=15) as client:
                read(client, sop, sent)
        except httpx.TransportError as exc:
            ledger.refuse(type(exc).__name__)

    readers = [threading.Thread(target=wait_for_bytes) for _ in range(60)]
    for reader in readers:
        reader.start()
    try:
        while proxy.happened[Fault.HANG] < 5:
            time.sleep(0.01)
        time.sleep(0.5)
        slowest = 0.0
        with httpx.Client(base_url=behind.dicomweb, timeout=4) as client:
            for _ in range(5):
                begun = time.monotonic()
                assert len(search(client, "/instances")) == 2
                slowest = max(slowest, time.monotonic() - begun)
        assert slowest < 2, f"a search took {slowest:.1f} s"
    finally:
        proxy.choose = nothing
        proxy.cut()
        for reader in readers:
            reader.join()
    with httpx.Client(base_url=behind.dicomweb, timeout=20) as client:
        assert stow(client, [Maker(seed + 1).study().instance()])[0] == 200

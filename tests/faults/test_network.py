"""A node that is cut off from PostgreSQL and S3, without a word: it says so, the other goes on, it heals."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.archives import LiveArchive, make_backend, start_archive
from tests.faults.instances import Instance, Maker
from tests.faults.ledger import Ledger
from tests.faults.reading import search, settled
from tests.faults.results import Outcome, rounds
from tests.faults.senders import Association, Broken
from tests.peers.network import FAR, Link, link
from tests.peers.postgres import PostgresServer
from tests.peers.processes import wait_for
from tests.peers.seaweedfs import SeaweedFS

_BOUND = 90.0
"""Seconds within which whoever asks a node that is cut off has an answer."""


@pytest.fixture
def cable() -> Iterator[Link]:
    with link() as made:
        yield made


def test_a_node_that_is_cut_off_answers_in_time_and_comes_back(
    cable: Link,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres_server: PostgresServer,
    seaweedfs: SeaweedFS,
    ledger: Ledger,
    seed: int,
) -> None:
    outcome = Outcome("network cut", "the node's link goes down, no RST, PostgreSQL and S3 behind it", "two nodes")
    outcome.seed = seed
    near = make_backend("postgresql+seaweedfs", request, tmp_path)
    for port in (postgres_server.port, seaweedfs.port):
        cable.serve(port)
    moved = {name: value.replace("127.0.0.1", FAR) for name, value in near.environment.items()}
    away = replace(near, folder=tmp_path / "away", environment={})
    away.folder.mkdir()
    here = start_archive(near, NODE__NAME="here")
    cut_off = start_archive(
        away,
        wrapper=cable.wrapper,
        NODE__NAME="away",
        **{name.removeprefix("VNA_"): value for name, value in moved.items()},
    )
    there = LiveArchive(
        cut_off.child,
        f"http://127.0.0.1:{cable.reach(int(cut_off.http.rpartition(':')[2]))}",
        cable.reach(cut_off.dimse_port),
        0,
    )
    study = Maker(seed).study()
    try:
        for _ in range(rounds(1, 10)):
            assert _store(there, ledger, study.instance()) == "0000"
            cable.cut()
            begun = time.monotonic()
            assert _store(there, ledger, study.instance()) != "0000"
            assert time.monotonic() - begun < _BOUND
            assert _store(here, ledger, study.instance()) == "0000"
            with httpx.Client(base_url=here.dicomweb, timeout=30) as client:
                assert len(search(client, f"/studies/{study.study}/instances")) >= 2
            cable.heal()
            begun = time.monotonic()
            wait_for(lambda: _store(there, ledger, study.instance()) == "0000", what="the node again", timeout=_BOUND)
            outcome.recovery.append(time.monotonic() - begun)
            outcome.tried += 1
        outcome.count(ledger)
        outcome.judge(settled(here, ledger))
    finally:
        cable.heal()
        here.stop()
        cut_off.stop()


def _store(live: LiveArchive, ledger: Ledger, instance: Instance) -> str:
    """The status, or how the association ended."""
    ledger.sending(instance)
    try:
        assoc = Association(live.dimse_port, timeout=_BOUND)
        status = f"{assoc.store(instance):04X}"
        assoc.close()
    except Broken as exc:
        status = str(exc)
    if status == "0000":
        ledger.acknowledge([instance.sop])
    else:
        ledger.refuse(f"C-STORE: {status}")
    return status

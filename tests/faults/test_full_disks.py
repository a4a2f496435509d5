"""A disk that is full while everybody is at work: clear refusals, reads go on, all is well when there is room."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.archives import Backend, LiveArchive, lay_index, make_backend, migrated, start_archive
from tests.faults.disks import SmallDisk, small_disk
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.reading import read, search, settled
from tests.faults.results import LONG, Outcome, rounds
from tests.peers.postgres import PostgresServer

WHICH = ("data", "spool", "SQLite", "PostgreSQL")

_PIXELS = {"data": 1 << 15, "spool": 5 << 20, "SQLite": 512, "PostgreSQL": 512}
"""An object on its way to S3 stays in memory up to 4 MiB. An index is filled by many instances, not by large ones."""


@contextmanager
def _archive(which: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[LiveArchive, SmallDisk]]:
    """An archive of which this part is on a small disk."""
    with ExitStack() as opened:
        small = folder / "small"
        if which == "spool":
            backend, small = make_backend("postgresql+seaweedfs", request, folder), folder / "data" / "spool"
        else:
            backend = Backend("sqlite+folder", folder)
        disk = opened.enter_context(small_disk(small, 600 if which == "PostgreSQL" else 48))
        settings = {}
        if which == "data":
            settings["STORAGE__URL"] = small.as_uri()
        elif which == "SQLite":
            lay_index(small)
            settings["DATABASE__URL"] = f"sqlite:///{small}/index.sqlite"
        elif which == "PostgreSQL":
            server = PostgresServer(small / "postgres", settings=("autovacuum=off",))
            server.start()
            opened.callback(server.throw_away)
            settings["DATABASE__URL"] = server.new_database(migrated(server))
        live = start_archive(backend, wrapper=(), **settings)
        opened.callback(live.stop)
        yield live, disk


@pytest.mark.parametrize("which", WHICH)
def test_a_full_disk_refuses_stores_and_what_is_held_is_read(
    which: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    ledger: Ledger,
    seed: int,
    under_load: Callable[..., Load],
) -> None:
    if which == "PostgreSQL" and not LONG:
        pytest.skip("long: PostgreSQL ends when it cannot write, and recovers (make faults)")
    outcome = Outcome(f"disk full: {which}", "a small file system is filled to its last byte", which, seed=seed)
    with _archive(which, request, tmp_path) as (live, disk):
        load = under_load(live, pixels=_PIXELS[which], stores_only=not LONG)
        for _ in range(rounds(1, 6)):
            load.wait_for_more(6)
            _fill(disk, load)
            _reads_go_on(live, ledger, unseen_or_not=which in ("SQLite", "PostgreSQL"))
            disk.make_room()
            begun = time.monotonic()
            load.wait_for_more(1)
            outcome.recovery.append(time.monotonic() - begun)
            outcome.tried += 1
        load.stop()
        outcome.count(ledger)
        outcome.judge(settled(live, ledger))


def _fill(disk: SmallDisk, load: Load) -> None:
    """Until both doors say so; what was on its way gives its room back."""
    deadline = time.monotonic() + 60
    while not {"C-STORE: A700", "STOW: 507"} <= load.ledger.refused.keys():
        disk.fill()
        assert time.monotonic() < deadline, dict(load.ledger.refused)
        time.sleep(0.02)


def _reads_go_on(live: LiveArchive, ledger: Ledger, *, unseen_or_not: bool) -> None:
    """Where the index is full it cannot be written down who reads: then nobody does."""
    allowed = {200, 503} if unseen_or_not else {200}
    with httpx.Client(base_url=live.dicomweb, timeout=10) as client:
        for sop, sent in ledger.some(10):
            assert read(client, sop, sent) in allowed
        if not unseen_or_not:
            assert search(client, "/instances")

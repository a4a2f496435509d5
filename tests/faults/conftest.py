"""What the fault tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.archives import LiveArchive
from tests.faults.ledger import Ledger
from tests.faults.load import DESTINATION, Load
from tests.faults.results import new_seed
from tests.peers.dcmtk import StoreSCP


@pytest.fixture
def seed() -> int:
    return new_seed()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    kept = Ledger(tmp_path / "ledger")
    yield kept
    kept.close()


@pytest.fixture
def under_load(ledger: Ledger, seed: int, storescp: Callable[..., StoreSCP]) -> Iterator[Callable[..., Load]]:
    """`under_load(live)` begins a mixed load, with a destination for C-MOVE."""
    with ExitStack() as running:

        def moves_to(live: LiveArchive) -> StoreSCP:
            destination = storescp(ae_title=DESTINATION)
            running.callback(destination.stop)
            added = live.vna("ae", "add", DESTINATION, "--host", "127.0.0.1", "--port", str(destination.port))
            assert added.returncode == 0, added.stderr
            return destination

        def begin(live: LiveArchive, *, pixels: int = 1 << 15, stores_only: bool = False) -> Load:
            destination = None if stores_only else moves_to(live)
            load = Load(live, ledger, seed, destination, pixels=pixels, stores_only=stores_only)
            running.callback(load.abandon)
            load.start()
            return load

        yield begin

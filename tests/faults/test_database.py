"""PostgreSQL that ends at once in the middle of everything, and comes back."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.archives import Backend, migrated, start_archive
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.reading import settled
from tests.faults.results import Outcome, rounds
from tests.peers.postgres import PostgresServer


@pytest.fixture
def durable_postgres() -> Iterator[PostgresServer]:
    """One that commits before it says so."""
    with tempfile.TemporaryDirectory(prefix="vna-durable-", ignore_cleanup_errors=True) as directory:
        server = PostgresServer(Path(directory), settings=("autovacuum=off",))
        server.start()
        yield server
        server.throw_away()


def test_postgresql_that_ends_at_once_and_comes_back_loses_nothing(
    durable_postgres: PostgresServer, tmp_path: Path, ledger: Ledger, seed: int, under_load: Callable[..., Load]
) -> None:
    rng = random.Random(seed)
    outcome = Outcome(
        "PostgreSQL stopped", "immediate shutdown, and started again after up to 2 s", "postgresql+folder"
    )
    outcome.seed = seed
    url = durable_postgres.new_database(migrated(durable_postgres))
    live = start_archive(Backend("postgresql+folder", tmp_path, {"VNA_DATABASE__URL": url}))
    try:
        load = under_load(live)
        for _ in range(rounds(2, 40)):
            load.wait_for_more(8)
            time.sleep(rng.uniform(0, 0.3))
            durable_postgres.throw_away()
            time.sleep(rng.uniform(0.2, 1.0 if outcome.tried else 2.0))
            durable_postgres.start()
            begun = time.monotonic()
            load.wait_for_more(1)
            outcome.recovery.append(time.monotonic() - begun)
            outcome.tried += 1
        load.wait_for_more(8)
        load.stop()
        outcome.count(ledger)
        outcome.judge(settled(live, ledger))
    finally:
        live.stop()

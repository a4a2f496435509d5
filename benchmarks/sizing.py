"""What an instance costs, for docs/sizing.md: processor time, bytes and rows of the index, write-ahead log, journal.

make bench ARGS="sizing --count 400"
"""

from __future__ import annotations

import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import sqlalchemy as sa

from benchmarks.objects import ct_images, small_objects
from storage.index.engine import Database
from tests.archives import Backend, LiveArchive, start_archive
from tests.peers.dcmtk import run_dcmtk
from tests.peers.postgres import PostgresServer
from tests.peers.processes import wait_for

_TABLES = ("instances", "series", "studies", "patients", "events")


@dataclass(frozen=True, slots=True)
class Site:
    """A node and what is behind it."""

    live: LiveArchive
    database: Database
    postgres: PostgresServer | None
    blobs: Path

    def processor(self) -> tuple[float, float]:
        """Seconds that the node and PostgreSQL have used so far."""
        theirs = self.postgres.pid if self.postgres is not None else 0
        return _seconds(self.live.child.pid), _seconds(theirs) if theirs else 0.0

    def log_bytes(self) -> int:
        """How far PostgreSQL's write-ahead log is."""
        if self.postgres is None:
            return 0
        return int(self._asked("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))

    def index_bytes(self) -> int:
        """Tables and indexes."""
        if self.postgres is not None:
            return int(self._asked("SELECT pg_database_size(current_database())"))
        pages, free, size = (self._asked(f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size"))
        return (pages - free) * size

    def rows(self) -> dict[str, int]:
        return {table: int(self._asked(f"SELECT count(*) FROM {table}")) for table in _TABLES}

    def settled(self) -> None:
        """Events are handed out, and the journal is written."""
        wait_for(lambda: not self._asked("SELECT count(*) FROM events WHERE pending = 1"), what="events", timeout=120)

    def _asked(self, statement: str) -> int:
        with self.database.read() as connection:
            return int(connection.execute(sa.text(statement)).scalar_one())


def _seconds(pid: int) -> float:
    total = 0.0
    process = psutil.Process(pid)
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        total += times.user + times.system
    ended = process.cpu_times()
    return total + ended.children_user + ended.children_system


def main(words: list[str]) -> None:
    parser = ArgumentParser(prog='make bench ARGS="sizing ..."', description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="CT images, and as many small objects (default 400)")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    options = parser.parse_args(words)
    for name in ("sqlite", "postgresql") if options.database == "both" else (options.database,):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vna-bench-")))
            print(f"{name}, {options.count} instances of each kind", flush=True)
            _measure(_site(name, folder, stack), folder, options.count)


def _site(name: str, folder: Path, stack: ExitStack) -> Site:
    postgres, environment = None, {}
    (folder / "node").mkdir()
    if name == "postgresql":
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="vna-bench-", ignore_cleanup_errors=True))
        postgres = PostgresServer(Path(place), settings=("wal_compression=on", "max_wal_size=4GB"))
        postgres.start()
        stack.callback(postgres.throw_away)
        environment["VNA_DATABASE__URL"] = postgres.new_database()
    live = start_archive(Backend(name, folder / "node", environment), LOG__LEVEL="error")
    stack.callback(live.stop)
    database = Database(environment.get("VNA_DATABASE__URL") or f"sqlite:///{folder}/node/data/index.sqlite")
    stack.callback(database.close)
    return Site(live, database, postgres, folder / "node" / "data" / "blobs")


def _measure(site: Site, folder: Path, count: int) -> None:
    groups = ct_images(folder, count)
    warm = small_objects(folder, 20)
    _send(site, [warm])
    _cost(site, "C-STORE, CT of 512 KB", count, lambda: _send(site, groups))
    _cost(site, "C-STORE, object of 8 KB", count, lambda: _send(site, [small_objects(folder, count)]))
    base = f"{site.live.dicomweb}/studies"
    with httpx.Client(timeout=60) as client:
        study = client.get(base, params={"ModalitiesInStudy": "CT"}).json()[0]["0020000D"]["Value"][0]
        series = client.get(f"{base}/{study}/series").json()
        held = client.get(f"{base}/{study}/instances", params={"limit": str(count)}).json()
        frames = [
            f"{base}/{study}/series/{one['0020000E']['Value'][0]}/instances/{one['00080018']['Value'][0]}/frames/1"
            for one in held
        ]
        metadata = [f"{base}/{study}/series/{one['0020000E']['Value'][0]}/metadata" for one in series] * 10
        _reads(site, client, "WADO-RS frame of 512 KB", frames)
        _reads(site, client, f"WADO-RS metadata of {count // len(series)} instances", metadata)
        _reads(site, client, "QIDO-RS list of studies", [base] * 100)


def _cost(site: Site, what: str, count: int, store: Callable[[], None]) -> None:
    site.settled()
    journal, rows, index, log = _journal(site), site.rows(), site.index_bytes(), site.log_bytes()
    before, started = site.processor(), time.perf_counter()
    store()
    seconds = time.perf_counter() - started
    site.settled()
    after = site.processor()
    grown = {table: now - rows[table] for table, now in site.rows().items() if now > rows[table]}
    print(f"  {what}: {count / seconds:.0f} a second")
    print(f"    node {1000 * (after[0] - before[0]) / count:.2f} ms of a core each", end="")
    print(f", PostgreSQL {1000 * (after[1] - before[1]) / count:.2f} ms" if site.postgres else "")
    print(f"    index {(site.index_bytes() - index) / count:.0f} bytes each", end="")
    print(f", WAL {(site.log_bytes() - log) / count:.0f} bytes" if site.postgres else "")
    print(f"    journal {(_journal(site) - journal) / count:.0f} bytes each; rows {grown}", flush=True)


def _reads(site: Site, client: httpx.Client, what: str, addresses: list[str]) -> None:
    before, size = site.processor(), 0
    for address in addresses:
        size += len(client.get(address).raise_for_status().content)
    after, count = site.processor(), len(addresses)
    print(f"  {what}: node {1000 * (after[0] - before[0]) / count:.2f} ms", end="")
    print(f", PostgreSQL {1000 * (after[1] - before[1]) / count:.2f} ms" if site.postgres else "", end="")
    print(f", {size / count:.0f} bytes", flush=True)


def _send(site: Site, groups: list[list[Path]]) -> None:
    for group in groups:
        said = run_dcmtk("storescu", "127.0.0.1", site.live.dimse_port, *group)
        if said.returncode:
            raise SystemExit(f"storescu failed: {said.stdout[-500:]}")


def _journal(site: Site) -> int:
    return sum(path.stat().st_size for path in (site.blobs / "journal").rglob("*") if path.is_file())

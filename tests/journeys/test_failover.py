"""PostgreSQL restarts and fails over under load: two nodes, a primary, a replica that is promoted, a primary that
comes back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from tests.archives import Backend, LiveArchive, make_backend, start_archive
from tests.journeys.load import Load, held, stow
from tests.objects import ct, part10
from tests.peers.postgres import QUICK, PostgresServer, postgres_folder
from tests.peers.processes import wait_for

pytestmark = [pytest.mark.filterwarnings("ignore")]

SYNCHRONOUS = (*(one for one in QUICK if "synchronous" not in one), "synchronous_standby_names=*")


@dataclass(slots=True)
class Site:
    primary: PostgresServer
    replica: PostgresServer
    nodes: list[LiveArchive]
    backends: list[Backend]
    database: str


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        primary = PostgresServer(stack.enter_context(postgres_folder()))
        primary.start()
        stack.callback(primary.throw_away)
        database = primary.new_database().rpartition("/")[2]
        replica = primary.replica(stack.enter_context(postgres_folder()))
        replica.start()
        stack.callback(replica.throw_away)
        primary.stop()
        primary.settings = SYNCHRONOUS
        primary.start()
        environment = dict(make_backend("postgresql+seaweedfs", request, tmp_path).environment)
        hosts = f"127.0.0.1:{primary.port},127.0.0.1:{replica.port}"
        environment["VNA_DATABASE__URL"] = f"postgresql+psycopg://postgres@{hosts}/{database}"
        backends, nodes = [], []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            backends.append(Backend("postgresql+seaweedfs", tmp_path / name, environment))
            nodes.append(start_archive(backends[-1], NODE__NAME=name))
            stack.callback(nodes[-1].stop)
        yield Site(primary, replica, nodes, backends, database)


def test_nothing_acknowledged_is_lost_when_the_database_restarts_and_fails_over(site: Site) -> None:
    with Load(lambda: site.nodes) as load:
        wait_for(lambda: load.more_than(20), what="a load", timeout=60)

        site.primary.stop()
        site.primary.start()
        restarted = time.monotonic()
        wait_for(lambda: load.after(restarted) > 20, what="stores after the restart")

        site.primary.kill()
        wait_for(
            lambda: all(httpx.get(f"{node.http}/readyz", timeout=30).status_code == 503 for node in site.nodes),
            what="nodes that say so",
        )
        site.replica.promote()
        promoted = time.monotonic()
        for node in site.nodes:
            wait_for(lambda node=node: stow(node, part10(ct())) == 200, what="a store", timeout=10)  # type: ignore[misc]
        served = time.monotonic() - promoted
        wait_for(lambda: load.after(promoted) > 20, what="stores after the failover")
    print(f"served again {served:.2f} s after the promotion")
    assert served < 10
    assert load.odd == []
    for node in site.nodes:
        assert load.acknowledged.keys() <= held(node)
    checked = site.nodes[0].vna("verify")
    assert checked.returncode == 0, checked.stdout

    _comes_back(site)


def _comes_back(site: Site) -> None:
    """The old primary takes writes again: nobody gives it any, neither who runs, nor who is new."""
    site.primary.settings = QUICK
    site.primary.start()
    before = _instances(site.primary, site.database)
    for pid in [child.pid for node in site.nodes for child in psutil.Process(node.child.popen.pid).children()]:
        os.kill(pid, signal.SIGKILL)
    for node in site.nodes:
        wait_for(lambda node=node: _stored(node), what="a store", timeout=20)  # type: ignore[misc]
    site.nodes[1].stop()
    fresh = start_archive(
        Backend("postgresql+seaweedfs", site.backends[1].folder, site.backends[1].environment),
        DATA_DIR=str(site.backends[1].folder / "new"),
        NODE__NAME="three",
    )
    try:
        assert _stored(fresh)
        assert _instances(site.primary, site.database) == before
        assert _instances(site.replica, site.database) >= before + 3
    finally:
        fresh.stop()


def _stored(node: LiveArchive) -> bool:
    try:
        return stow(node, part10(ct())) == httpx.codes.OK
    except httpx.TransportError:
        return False


def _instances(server: PostgresServer, database: str) -> int:
    with psycopg.connect(server.address(database)) as connection:
        row = connection.execute("SELECT count(*) FROM instances").fetchone()
        assert row is not None
        return int(row[0])

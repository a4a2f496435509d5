"""Which of several PostgreSQL servers is connected to; real ones fail over in tests/journeys/test_failover.py."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from storage.index.address import parsed, places
from storage.index.engine import Database
from storage.index.primary import Primary, is_cut
from tests.peers.postgres import PostgresServer


class Server:
    """As much of a connection as is asked for its standing."""

    def __init__(self, host: str, system: int, timeline: int) -> None:
        self.host, self.closed, self.autocommit = host, False, False
        self._answers: list[tuple[object, ...]] = [(False,), (system, f"{timeline:08X}0000000100000002")]

    def execute(self, _statement: str) -> Server:
        return self

    def nextset(self) -> bool:
        return False

    def fetchone(self) -> tuple[object, ...]:
        return self._answers.pop(0)

    def close(self) -> None:
        self.closed = True


class Network:
    """Hosts with the timelines they write on."""

    def __init__(self, **timelines: int) -> None:
        self.timelines = timelines
        self.asked: list[str] = []
        self.system = 7

    def connect(self, **parameters: Any) -> Server:
        host = parameters["host"]
        self.asked.append(host)
        assert parameters["target_session_attrs"] == "read-write"
        if host not in self.timelines:
            raise psycopg.OperationalError(f"{host} does not answer")
        return Server(host, self.system, self.timelines[host])


HOSTS = {"host": "one,two", "port": "5432,5433", "dbname": "vna"}


def test_of_two_servers_that_take_writes_the_newer_timeline_is_the_primary(tmp_path: Path) -> None:
    network = Network(one=1, two=2)
    assert Primary(tmp_path / "primary").connect(network.connect, HOSTS).host == "two"


def test_a_primary_that_was_left_behind_is_never_written_to_again(tmp_path: Path) -> None:
    network = Network(one=1)
    ours = Primary(tmp_path / "primary")
    assert ours.connect(network.connect, HOSTS).host == "one"
    network.timelines = {"two": 2}
    assert ours.connect(network.connect, HOSTS).host == "two"
    network.timelines = {"one": 1}
    for primary in (ours, Primary(tmp_path / "primary")):  # another process of this node knows it too
        with pytest.raises(psycopg.OperationalError, match="one was the primary once: its timeline is 1"):
            primary.connect(network.connect, HOSTS)
    network.timelines = {"one": 3}
    assert ours.connect(network.connect, HOSTS).host == "one"


def test_the_last_good_server_is_asked_first(tmp_path: Path) -> None:
    network = Network(two=2)
    ours = Primary(tmp_path / "primary")
    ours.connect(network.connect, HOSTS)
    network.asked.clear()
    ours.connect(network.connect, HOSTS)
    assert network.asked == ["two"]


def test_a_new_cluster_is_no_older_one(tmp_path: Path) -> None:
    network = Network(one=5)
    ours = Primary(tmp_path / "primary")
    ours.connect(network.connect, HOSTS)
    network.timelines, network.system = {"one": 1}, 8
    assert ours.connect(network.connect, HOSTS).host == "one"


def test_connections_to_what_was_the_primary_are_known_as_such(tmp_path: Path) -> None:
    network = Network(one=1)
    ours = Primary(tmp_path / "primary")
    ours.connect(network.connect, HOSTS)
    assert ours.is_newest(1)
    network.timelines = {"two": 2}
    ours.connect(network.connect, HOSTS)
    assert not ours.is_newest(1)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("postgresql+psycopg://u:p@one:5432,two:5433/vna?connect_timeout=2", [("one", "5432"), ("two", "5433")]),
        ("postgresql+psycopg://u@/vna?host=one:5432&host=two:5433", [("one", "5432"), ("two", "5433")]),
        ("postgresql+psycopg://u@one/vna", [("one", "")]),
        ("postgresql+psycopg://u@one:5433/vna", [("one", "5433")]),
    ],
)
def test_several_hosts_are_understood(text: str, hosts: list[tuple[str, str]]) -> None:
    address = parsed(text)
    parameters = address.get_dialect()().create_connect_args(address)[1]
    assert places(dict(parameters)) == hosts
    assert parameters["user"] == "u"
    assert parameters["dbname"] == "vna"


def test_a_connection_that_the_other_side_ended_is_seen_without_a_question() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not is_cut(ours)
        theirs.close()
        assert is_cut(ours)


def test_a_host_that_says_nothing_is_given_up_soon(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hosts = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{postgres_server.port}"
        database = Database(f"postgresql+psycopg://postgres@{hosts}/postgres", memory=tmp_path / "primary")
        begun = time.monotonic()
        with database.read() as connection:
            assert connection.execute(sa.text("SELECT 1")).scalar() == 1
        assert time.monotonic() - begun < 8
        begun = time.monotonic()
        with database.transaction() as connection:
            assert connection.execute(sa.text("SHOW tcp_user_timeout")).scalar() in ("10s", "10000")
        assert time.monotonic() - begun < 1, "the one that answered is asked first"
        database.close()


def test_a_restart_of_the_database_is_no_failure_for_who_asks_next(postgres_server: PostgresServer) -> None:
    database = Database(f"postgresql+psycopg://postgres@127.0.0.1:{postgres_server.port}/postgres")
    for way in (database.read, database.glance, database.transaction):
        with way() as connection:
            connection.execute(sa.text("SELECT 1"))
    postgres_server.stop()
    postgres_server.start()
    for way in (database.glance, database.read, database.transaction):
        with way() as connection:
            connection.execute(sa.text("SELECT 1"))
    database.close()

"""`make bench ARGS="orders"`: HL7 orders per second, each acknowledged when it is durable, over four connections; then
how long those who follow them (matching, standing) still need.

make bench ARGS="orders --count 4000 --connections 4 --rounds 3 --database sqlite"
"""

from __future__ import annotations

import argparse
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.contestants import folder
from storage.index.events import time_text
from tests.archives import Backend, rows, start_archive
from tests.hl7.national import group, header, order
from tests.peers.postgres import PostgresServer
from vna.app import build
from vna.hl7.framing import framed

WANTED = 300
_WARM = 50


def main(words: list[str]) -> None:
    """Serve, send, count, print; every round begins empty."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="orders ..."', description=__doc__)
    parser.add_argument("--count", type=int, default=4000, help="orders of a round (default 4000)")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    options = parser.parse_args(words)
    for name in ("sqlite", "postgresql"):
        if options.database in (name, "both"):
            found = [_round(name, options.count, options.connections) for _ in range(options.rounds)]
            rates, behind = zip(*found, strict=True)
            middle, low, high = statistics.median(rates), min(rates), max(rates)
            print(
                f"    orders on {name:11s} {middle:5.0f} per second ({low:.0f} to {high:.0f}), wanted {WANTED}; "
                f"{statistics.median(behind):.1f} s more until all is followed",
                flush=True,
            )


def _round(name: str, count: int, connections: int) -> tuple[float, float]:
    each = count // connections
    with folder() as path, _database(name) as environment:
        backend = Backend(name, path, environment)
        archive = start_archive(backend, LOG__LEVEL="warning")
        try:
            _send(archive.hl7_port, 0, _WARM)
            started = time.perf_counter()
            threads = [
                threading.Thread(target=_send, args=(archive.hl7_port, number + 1, each))
                for number in range(connections)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            ended = time.perf_counter()
            _caught_up(backend)
            return each * connections / (ended - started), time.perf_counter() - ended
        finally:
            archive.stop()


def _caught_up(backend: Backend) -> None:
    """Wait until no event and no job waits; what is to be done later does not count."""
    archive = build(backend.settings())
    waiting = (
        "select count(*) from events where pending = 1",
        f"select count(*) from jobs where state <> 'dead' and run_after <= '{time_text(datetime.now(UTC))}'",
    )
    try:
        while any(rows(archive, sql) != [(0,)] for sql in waiting):
            time.sleep(0.1)
    finally:
        archive.close()


@contextmanager
def _database(name: str) -> Iterator[dict[str, str]]:
    """PostgreSQL as it comes, with fsync."""
    if name == "sqlite":
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="vna-bench-pg-", ignore_cleanup_errors=True) as directory:
        server = PostgresServer(Path(directory), settings=())
        server.start()
        try:
            yield {"VNA_DATABASE__URL": server.new_database()}
        finally:
            server.stop()


def _send(port: int, connection: int, count: int) -> None:
    """Orders over one connection, the next one when the one before is acknowledged; anything but AA ends it all."""
    messages = [
        framed(order(group(f"{connection}-{n}"), msh=header("ORM^O01", f"{connection}.{n}")).encode())
        for n in range(count)
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        for message in messages:
            sock.sendall(message)
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                piece = sock.recv(65536)
                if not piece:
                    raise SystemExit("the archive ended the connection")
                answer += piece
            if b"MSA|AA|" not in answer:
                raise SystemExit(f"not acknowledged: {answer!r}")

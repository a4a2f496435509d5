"""Who takes part: the archive on either pair of stores, Orthanc on its defaults, and storescp that merely receives."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.engine import make_url

from tests.peers.postgres import PostgresServer
from tests.peers.processes import answers, free_port, wait_for

NO_DELAY = {**os.environ, "TCP_NODELAY": "1"}
_POSTGRESQL_INDEX = "/usr/share/orthanc/plugins/libOrthancPostgreSQLIndex.so"


@dataclass(frozen=True, slots=True)
class Peer:
    """Something that listens for associations, or for HTTP below `url`."""

    name: str
    port: int
    pids: tuple[int, ...]
    url: str = ""


@contextmanager
def folder() -> Iterator[Path]:
    """Beside the checkout, not in /tmp: that may be memory, where syncing costs nothing."""
    path = Path(tempfile.mkdtemp(prefix=".bench-", dir=Path(__file__).parent.parent))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def process(argv: list[str], log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs as long as the context."""
    with log.open("wb") as output:
        running = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT, env=env, cwd=log.parent)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


@contextmanager
def vna(name: str = "vna", **settings: str) -> Iterator[Peer]:
    """`vna serve` on its defaults (SQLite and a folder), or as told."""
    with folder() as path:
        log = path / "log"
        env = {
            **NO_DELAY,
            "VNA_DATA_DIR": str(path / "data"),
            "VNA_HTTP__PORT": "0",
            "VNA_HTTP__WORKERS": "1",
            "VNA_DIMSE__PORT": "0",
            "VNA_HL7__PORT": "0",
            "VNA_STORAGE__MIN_FREE": "0",
            "VNA_LOG__LEVEL": "warning",
            "PYTHONPATH": str(Path(__file__).parent.parent),
            **settings,
        }
        if "VNA_DATABASE__URL" in settings:
            subprocess.run([sys.executable, "-m", "vna.cli", "migrate"], env=env, check=True, stdout=subprocess.DEVNULL)
        with process([sys.executable, "-m", "vna.cli", "serve"], log, env) as child:
            wait_for(lambda: "data  " in log.read_text(), what="vna", timeout=60)
            found = re.search(r"DICOMweb +(\S+)\n +DICOM +\S+:(\d+)", log.read_text())
            assert found is not None
            time.sleep(2)
            yield Peer(name, int(found[2]), (child.pid,), found[1])


@contextmanager
def postgresql() -> Iterator[PostgresServer]:
    """A server that is durable as it comes (fsync and synchronous_commit on)."""
    with tempfile.TemporaryDirectory(prefix="vna-bench-pg-", ignore_cleanup_errors=True) as directory:
        server = PostgresServer(Path(directory), settings=())
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def vna_on_postgresql(server: PostgresServer | None = None) -> Iterator[Peer]:
    """The same with the index in PostgreSQL; on a server of its own unless one is given."""
    with ExitStack() as running:
        server = server or running.enter_context(postgresql())
        yield running.enter_context(vna("vna on PostgreSQL", VNA_DATABASE__URL=server.new_database()))


@contextmanager
def orthanc(**settings: object) -> Iterator[Peer]:
    """Orthanc on its defaults, ports and folder aside, or as told."""
    with folder() as path:
        port, http = free_port(), free_port()
        configuration = {
            "Name": "bench",
            "StorageDirectory": str(path / "db"),
            "IndexDirectory": str(path / "db"),
            "HttpPort": http,
            "DicomPort": port,
            "DicomAlwaysAllowStore": True,
            "RemoteAccessAllowed": False,
            **settings,
        }
        (path / "orthanc.json").write_text(json.dumps(configuration))
        with process(["/usr/sbin/Orthanc", str(path / "orthanc.json")], path / "log", NO_DELAY) as child:
            wait_for(lambda: answers(port), what="Orthanc", timeout=60)
            time.sleep(1)
            yield Peer("Orthanc", port, (child.pid,), f"http://127.0.0.1:{http}/dicom-web")


@contextmanager
def orthanc_on_postgresql(server: PostgresServer) -> Iterator[Peer]:
    """Orthanc with its index in PostgreSQL and its files in a folder."""
    at = make_url(server.new_database())
    index = {
        "EnableIndex": True,
        "EnableStorage": False,
        "Host": at.host,
        "Port": at.port,
        "Database": at.database,
        "Username": at.username,
        "Password": "",
    }
    with orthanc(Plugins=[_POSTGRESQL_INDEX], PostgreSQL=index) as peer:
        yield replace(peer, name="Orthanc on PostgreSQL")


@contextmanager
def storescp() -> Iterator[Peer]:
    """dcmtk's storescp +B: receives and writes, no index, no sync. The limit."""
    with folder() as path:
        port = free_port()
        argv = ["/usr/bin/storescp", "--fork", "+B", "+xa", "-od", str(path), str(port)]
        with process(argv, path.parent / f"{path.name}.log", NO_DELAY) as child:
            wait_for(lambda: answers(port), what="storescp", timeout=30)
            yield Peer("storescp +B", port, (child.pid,))
    (path.parent / f"{path.name}.log").unlink(missing_ok=True)

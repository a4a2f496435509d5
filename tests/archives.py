"""Whole archives for tests: use cases in this process, or `vna serve` in its own, on either pair of stores."""

from __future__ import annotations

import functools
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.index.engine import Database
from storage.index.migrate import upgrade
from tests.peers import forks
from tests.peers.postgres import PostgresServer
from tests.peers.processes import Child, start
from tests.peers.seaweedfs import SeaweedFS
from vna.app import Application, build, migrate, prepare
from vna.model.access import SYSTEM
from vna.model.instances import Accepted, Arrival, Door
from vna.settings import Settings

BACKENDS = ("sqlite+folder", "postgresql+seaweedfs")


@dataclass(frozen=True, slots=True)
class Backend:
    """A pair of index and blob store, empty, as settings name it."""

    name: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def settings(self, **sections: dict[str, object]) -> Settings:
        """Settings of an archive on free ports on this pair."""
        values: dict[str, dict[str, object]] = {
            "storage": {"min_free": 0},
            "http": {"port": 0, "workers": 1, "viewer": self.folder / "viewer"},
            "dimse": {"port": 0, "workers": 2},
            "hl7": {"port": 0},
        }
        for name, value in self.environment.items():
            section, key = name.removeprefix("VNA_").lower().split("__")
            values.setdefault(section, {})[key] = value
        for section, changes in sections.items():
            values[section] = {**values.get(section, {}), **changes}
        return Settings(data_dir=self.folder / "data", **values)  # type: ignore[arg-type]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Each test runs on both pairs."""
    return make_backend(request.param, request, tmp_path)


def make_backend(name: str, request: pytest.FixtureRequest, folder: Path) -> Backend:
    if name == "sqlite+folder":
        return Backend(name, folder)
    seaweedfs: SeaweedFS = request.getfixturevalue("seaweedfs")
    stored = seaweedfs.environment(seaweedfs.new_bucket())
    return Backend(name, folder, {"VNA_DATABASE__URL": new_index(request), **stored})


def ready(settings: Settings) -> None:
    """What the start of `vna serve` does, on an index that is there already."""
    if settings.database_url.startswith("sqlite"):
        lay_index(settings.data_dir)
    prepare(settings)


def lay_index(data: Path) -> None:
    """An index without rows in a new data folder; migrating takes longer than most tests."""
    data.mkdir(parents=True, exist_ok=True)
    if not (data / "index.sqlite").exists():
        (data / "index.sqlite").write_bytes(_empty_index())


def new_index(request: pytest.FixtureRequest) -> str:
    """The same on PostgreSQL, until whoever requests it is done."""
    postgres: PostgresServer = request.getfixturevalue("postgres_server")
    url = postgres.new_database(migrated(postgres))
    request.addfinalizer(functools.partial(postgres.drop, url))
    return url


def open_index(request: pytest.FixtureRequest, folder: Path) -> Database:
    """An index without rows on the database that the fixture's parameter names: sqlite or postgresql."""
    if request.param == "postgresql":
        return Database(new_index(request))
    lay_index(folder)
    return Database(f"sqlite:///{folder}/index.sqlite")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An index without rows, on either database."""
    opened = open_index(request, tmp_path)
    yield opened
    opened.close()


@functools.cache
def _empty_index() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "index.sqlite")
        _upgraded(f"sqlite:///{path}")
        return path.read_bytes()


@functools.cache
def migrated(postgres: PostgresServer) -> str:
    """An empty index that is copied: `postgres.new_database(migrated(postgres))`."""
    return _upgraded(postgres.new_database())


def _upgraded(url: str) -> str:
    database = Database(url, pool_size=1)
    upgrade(database)
    database.close()
    return url


Open = Callable[..., Application]


@pytest.fixture
def open_archive(backend: Backend) -> Iterator[Open]:
    """`open_archive(storage={"duplicates": "replace"})` builds use cases over the backend; several share it."""
    opened: list[Application] = []

    def make(**sections: dict[str, object]) -> Application:
        settings = backend.settings(**sections)
        if not opened:
            ready(settings)
        opened.append(build(settings))
        return opened[-1]

    yield make
    for application in opened:
        application.close()


def put(application: Application, data: bytes, *, source: str = "TEST", door: Door = Door.IMPORT) -> Accepted:
    """Store one Part 10 file through the one way in."""
    arrival = Arrival(door, calling_ae=source)
    with application.store.open(SYSTEM, arrival) as incoming:
        incoming.write(data)
        return application.store.accept(incoming, SYSTEM, arrival)


def rows(application: Application, sql: str) -> list[tuple[object, ...]]:
    """What the index holds, asked directly."""
    with application.database.read() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


@dataclass(slots=True)
class LiveArchive:
    """A running `vna serve`."""

    child: Child
    http: str
    dimse_port: int
    hl7_port: int
    environment: dict[str, str] = field(default_factory=dict)

    def vna(self, *arguments: str, stdin: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command on the same archive."""
        return forks.run(arguments, env=self.environment, stdin=stdin, timeout=timeout)

    @property
    def dicomweb(self) -> str:
        return f"{self.http}/dicom-web"

    def kill(self) -> None:
        """kill -9 of the supervisor; its workers end with it."""
        self.child.stop(signal.SIGKILL)

    def stop(self) -> None:
        self.child.stop(signal.SIGTERM, timeout=30)


_READY = re.compile(
    r"page +(?P<http>https?://\S+?)/\n.*?DICOM +\S+@\S+:(?P<dimse>\d+)\n +HL7 +\S+:(?P<hl7>\d+)\n", re.DOTALL
)


def start_archive(backend: Backend, *arguments: str, wrapper: tuple[str, ...] = (), **environment: str) -> LiveArchive:
    """`vna serve` on this pair of stores and free ports; keyword arguments are VNA_ settings without the prefix."""
    log = backend.folder / "serve.log"
    begin = log.stat().st_size if log.exists() else 0
    env = {
        "VNA_DATA_DIR": str(backend.folder / "data"),
        "VNA_HTTP__PORT": "0",
        "VNA_DIMSE__PORT": "0",
        "VNA_HL7__PORT": "0",
        "VNA_STORAGE__MIN_FREE": "0",
        "VNA_HTTP__WORKERS": "1",
        **backend.environment,
        **{f"VNA_{name}": value for name, value in environment.items()},
    }
    if backend.environment:
        migrate(backend.settings())
    else:
        lay_index(backend.folder / "data")
    if wrapper:
        child = start([*wrapper, sys.executable, "-m", "vna.cli", "serve", *arguments], log=log, env=env)
    else:
        with log.open("ab") as output:
            child = Child("vna", forks.fork(["serve", *arguments], output=output, env=env), log)

    def ready() -> re.Match[str] | None:
        return _READY.search(child.output()[begin:])

    child.wait_until(lambda: ready() is not None, timeout=60)
    found = ready()
    assert found is not None
    return LiveArchive(child, found["http"], int(found["dimse"]), int(found["hl7"]), env)


@pytest.fixture
def serve(backend: Backend) -> Iterator[Callable[..., LiveArchive]]:
    """`serve("--demo", SECURITY__MODE="enforced")` starts an archive over the backend, and stops it in the end."""
    started: list[LiveArchive] = []

    def begin(*arguments: str, **options: str) -> LiveArchive:
        started.append(start_archive(backend, *arguments, wrapper=(), **options))
        return started[-1]

    yield begin
    for live in started:
        live.stop()

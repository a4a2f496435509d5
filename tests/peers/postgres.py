"""A real PostgreSQL on a free port, one for each pytest process."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from .processes import Child, free_port, missing, start

# Durability is PostgreSQL's own to prove; the tests only want its answers quickly.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")


class PostgresServer:
    """A cluster of its own in `directory`; `stop` and `start` make an outage."""

    def __init__(self, directory: Path, *, settings: tuple[str, ...] = QUICK) -> None:
        self.port = free_port()
        self._directory = directory
        self.settings = settings
        self._numbers = itertools.count(1)
        self._child: Child | None = None
        self._initialise()

    def _initialise(self) -> None:
        if (user := _unprivileged_user()) is not None:
            shutil.chown(self._directory, user)
        initdb: list[str | Path] = [
            _binary("initdb"),
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
        ]
        subprocess.run(
            [*initdb, "--locale=C.UTF-8", "--pgdata", self._directory / "data"],
            check=True,
            capture_output=True,
            cwd=self._directory,
            user=user,
        )

    def replica(self, directory: Path) -> PostgresServer:
        """A server that follows this one, to be promoted some day."""
        return _Replica(directory, self)

    def promote(self) -> None:
        """From now on a replica is a primary."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")

    def start(self) -> None:
        options = (f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300")
        argv: list[str | Path] = [_binary("postgres"), "-D", self._directory / "data"]
        for option in (*options, *self.settings):
            argv += ["-c", option]
        log = self._directory / "log"
        self._child = start(argv, log=log, user=_unprivileged_user(), cwd=self._directory)
        self._child.wait_until(self._accepts)

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def stop(self) -> None:
        """Fast shutdown: open connections are cut."""
        self._end(signal.SIGINT)

    def throw_away(self) -> None:
        """Immediate shutdown: nothing of it is kept, and writing out what it holds takes many seconds."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """As a power cut: the postmaster and whatever it forked end at once."""
        if self._child is not None:
            children = psutil.Process(self._child.popen.pid).children(recursive=True)
            for process in (psutil.Process(self._child.popen.pid), *children):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._child is not None:
            self._child.stop(how)
            self._child = None

    def new_database(self, like: str = "") -> str:
        """Make an empty database, or a copy of one that nobody is connected to, and return its SQLAlchemy address."""
        name = f"vna_{next(self._numbers)}"
        original = like.rpartition("/")[2] or "template0"
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            how = "STRATEGY file_copy" if connection.info.server_version >= 150000 else ""  # as before, and quicker
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {original} {how}")
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def drop(self, url: str) -> None:
        """What is in memory is given back; whoever is still connected is cut."""
        with suppress(psycopg.OperationalError), psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def address(self, database: str = "postgres") -> str:
        """Where psycopg reaches a database here."""
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={database}"

    @property
    def _dsn(self) -> str:
        return self.address()

    def _accepts(self) -> bool:
        try:
            psycopg.connect(self._dsn).close()
        except psycopg.OperationalError:
            return False
        return True


class _Replica(PostgresServer):
    def __init__(self, directory: Path, primary: PostgresServer) -> None:
        self._primary = primary
        super().__init__(directory)

    def _initialise(self) -> None:
        if (user := _unprivileged_user()) is not None:
            shutil.chown(self._directory, user)
        copy: list[str | Path] = [_binary("pg_basebackup"), "-h", "127.0.0.1", "-p", str(self._primary.port)]
        copy += ["-U", "postgres", "-D", self._directory / "data", "-R", "--no-sync", "--checkpoint=fast"]
        subprocess.run(copy, check=True, capture_output=True, cwd=self._directory, user=user)


def _binary(name: str) -> Path:
    """The newest of the versions Debian keeps side by side."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    if not versions:
        missing("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return versions[-1]


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    return pwd.getpwnam("postgres").pw_name if os.geteuid() == 0 else None


def _memory() -> Path | None:
    """A file system in memory with room for us: on a disk, a copy of a database takes ten times as long."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30 else None


@contextmanager
def postgres_folder() -> Iterator[Path]:
    """Where a server may live: not pytest's own folder, which is closed to the user postgres."""
    with tempfile.TemporaryDirectory(prefix="vna-postgres-", dir=_memory(), ignore_cleanup_errors=True) as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL; `new_database()` gives an address of an empty database."""
    _binary("initdb")
    with postgres_folder() as directory:
        server = PostgresServer(directory)
        server.start()
        yield server
        server.throw_away()

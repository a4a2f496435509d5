"""Engines and transactions: SQLite that is durable at every commit, PostgreSQL as it comes."""

import fcntl
import os
import re
import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL

from storage.index.address import parsed
from storage.index.primary import Primary, is_cut
from vna.model.errors import OutOfResources, Unavailable

Connection = sa.Connection
"""What a transaction hands out; rooms above storage pass it on and never look inside."""

DRIVER_INTEGRITY_ERRORS = (sqlite3.IntegrityError, psycopg.IntegrityError)
"""What statements that go past SQLAlchemy raise."""

_LOG_BYTES = 8 << 20
"""Twice what is written between two checkpoints."""

_READ_ONLY = "25006"
"""SQLSTATE of a server that does not take writes: a primary that became a replica under us."""

_MOST_IDLE = 8
_FRESH_SECONDS = 60.0
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=30000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-32768",
    "PRAGMA wal_autocheckpoint=1000",
)


class Database:
    """One engine per process, with the two ways to use it: read and write.

    On SQLite writers of all processes queue on a lock file: SQLite's own busy handler sleeps and retries, which
    starves some and idles the disk.
    """

    def __init__(self, url: str, *, pool_size: int = 20, memory: Path | None = None, session: str = "") -> None:
        """`memory` is a file in which this node remembers what of PostgreSQL's servers was the newest primary,
        `session` what its sessions show there to be told from others' (storage.index.guards)."""
        self.url: URL = parsed(url)
        self._session = session
        self._primary = Primary(memory)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = self._sqlite() if self.is_sqlite else self._postgresql(pool_size)
        isolated = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._snapshots = self.engine.execution_options(**isolated)
        alone = {} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._has_index: dict[str, bool] = {}
        self._glances = self.engine.execution_options(**alone)
        self._idle: deque[tuple[float, sa.Connection]] = deque()

    def _sqlite(self) -> sa.Engine:
        database = self.url.database or ""
        self._lock_path = Path(database + ".lock")
        Path(database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(
            self.url,
            connect_args={"check_same_thread": False, "timeout": 30, "cached_statements": 512, "isolation_level": None},
            pool_size=64,
            max_overflow=64,
        )

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _record: Any) -> None:
            for pragma in _SQLITE_PRAGMAS:
                connection.execute(pragma)

        return engine

    def _postgresql(self, pool_size: int) -> sa.Engine:
        engine = sa.create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=False,
            pool_recycle=1800,
            pool_timeout=30,
        )

        @event.listens_for(engine, "do_connect")
        def _connect(dialect: Any, record: Any, _arguments: Any, parameters: Any) -> Any:
            if self._session:
                parameters["options"] = f"{parameters.get('options', '')} -c vna.session={self._session}".strip()
            connection = self._primary.connect(dialect.connect, parameters)
            record.info["timeline"] = self._primary.timeline
            return connection

        @event.listens_for(engine, "checkout")
        def _look(connection: Any, record: Any, _proxy: Any) -> None:
            if is_cut(connection) or not self._primary.is_newest(record.info.get("timeline", 0)):
                raise sa.exc.DisconnectionError  # then the pool makes another one

        return engine

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for reading, in one snapshot."""
        with self._translated(), self._snapshots.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            yield connection

    @contextmanager
    def glance(self) -> Iterator[sa.Connection]:
        """A connection for one reading statement: without the cost of a transaction around it."""
        with self._translated():
            connection = self._taken()
            try:
                yield connection
                if connection.in_transaction():
                    connection.rollback()
            except BaseException:
                connection.close()
                raise
            self._idle.append((time.monotonic(), connection))
            while len(self._idle) > _MOST_IDLE:
                self._let_go()

    def _taken(self) -> sa.Connection:
        """One that was used a moment ago, else one of the pool: taking it out costs more than a statement."""
        with suppress(IndexError):
            used, connection = self._idle.pop()
            driver: Any = connection.connection.driver_connection
            if time.monotonic() - used < _FRESH_SECONDS and (self.is_sqlite or not is_cut(driver)):
                return connection
            connection.close()
        return self._glances.connect()

    def _let_go(self) -> None:
        with suppress(IndexError):
            self._idle.popleft()[1].close()

    def has_index(self, name: str) -> bool:
        """Whether PostgreSQL has an index that depends on one of its extensions; SQLite has all that we make."""
        if self.is_sqlite:
            return True
        known = self._has_index.get(name)
        if known is None:
            with self.glance() as connection:
                known = connection.execute(sa.text("SELECT to_regclass(:name)"), {"name": name}).scalar() is not None
            self._has_index[name] = known
        return known

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A connection for writing: commits at the end, durable when it returns, or leaves nothing."""
        with self._translated():
            if self.is_sqlite:
                with self.engine.connect() as connection, self._writer_lock():
                    driver: Any = connection.connection.driver_connection
                    driver.execute("BEGIN IMMEDIATE")
                    try:
                        yield connection
                        driver.commit()
                    except BaseException:
                        driver.rollback()
                        raise
            else:
                with self.engine.begin() as connection:
                    yield connection

    @contextmanager
    def unreferenced(self) -> Iterator[sa.Connection]:
        """As `transaction`, for an index that nobody uses yet: on SQLite rows may refer to rows that come later."""
        with self._translated():
            if not self.is_sqlite:
                with self.engine.begin() as connection:
                    yield connection
                return
            with self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
                try:
                    driver: Any = connection.connection.driver_connection
                    driver.execute("BEGIN IMMEDIATE")
                    try:
                        yield connection
                        driver.commit()
                    except BaseException:
                        driver.rollback()
                        raise
                finally:
                    connection.exec_driver_sql("PRAGMA foreign_keys=ON")

    @contextmanager
    def stroke(self) -> Iterator[sa.Connection]:
        """A connection for one writing statement, which is durable when it returns: `transaction` without the cost of
        what begins and ends one. The statement is given to the driver (`Prepared`)."""
        with self.glance() as connection:
            if self.is_sqlite:
                with self._writer_lock():
                    yield connection
            else:
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """`translated`; after an outage connections that broke unnoticed are let go, so that it is over at once."""
        try:
            with translated():
                yield
        except Unavailable as error:
            if not self.is_sqlite and _is_outage(error.__cause__):
                while self._idle:
                    self._let_go()
                self.engine.dispose()
            raise

    @contextmanager
    def _writer_lock(self) -> Iterator[None]:
        descriptor = os.open(self._lock_path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def settle(self) -> None:
        """Give SQLite's write-ahead log its full size at once, where it is the embedded index; elsewhere nothing.

        A log that grows makes every commit a commit of the file system's journal too, which waits for the data of every
        file that is being written; one that is written over from its start is synced alone. It keeps its size while
        any process has the index open.
        """
        if not self.is_sqlite:
            return
        with self.transaction() as connection:
            connection.exec_driver_sql("CREATE TABLE settle (filler BLOB)")
            connection.exec_driver_sql("INSERT INTO settle VALUES (zeroblob(?))", (_LOG_BYTES,))
            connection.exec_driver_sql("DROP TABLE settle")
        with self.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(RESTART)")

    def close(self) -> None:
        """Close every connection that is not in use."""
        while self._idle:
            self._let_go()
        self.engine.dispose()


@contextmanager
def together(connection: sa.Connection) -> Iterator[None]:
    """Statements given to the driver (`Prepared`) go to PostgreSQL in one trip, errors come at the end, and only then
    may answers be looked at. On SQLite, where there is no way to go, each is done at once."""
    if connection.dialect.name == "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    with driver.pipeline():
        yield


def _is_outage(cause: BaseException | None) -> bool:
    """Whether PostgreSQL went away, and not just this transaction (SQLSTATE classes 08 and 57; none without an answer).

    Throwing all connections away for a deadlock would break what others are at.
    """
    if isinstance(cause, sa.exc.TimeoutError):
        return False
    state = sql_state(cause)
    return state is None or state[:2] in {"08", "57"} or state == _READ_ONLY


def sql_state(error: BaseException | None) -> str | None:
    """The SQLSTATE that PostgreSQL gave, of its own errors and those that SQLAlchemy wraps."""
    found = getattr(getattr(error, "orig", error), "sqlstate", None)
    return str(found) if found else None


_REFUSALS = (
    ("password authentication failed", "PostgreSQL refuses the user or the password"),
    ("no password supplied", "PostgreSQL wants a password, and none was given"),
    (r"no pg_hba\.conf entry", "PostgreSQL does not let this user in from here (pg_hba.conf)"),
    ('database "[^"]*" does not exist', "PostgreSQL has no database of this name"),
    ('role "[^"]*" does not exist', "PostgreSQL has no user of this name"),
    ("too many clients", "PostgreSQL has no free connection (max_connections)"),
    ("connection slots are reserved", "PostgreSQL has no free connection (max_connections)"),
)
"""What its answer has when it lets nobody in, which has no SQLSTATE in the driver; and what is said of it."""


def _refusal(text: str) -> str:
    for part, words in _REFUSALS:
        if re.search(part, text):
            return f": {words}"
    return ""


@contextmanager
def translated() -> Iterator[None]:
    """Foreign errors of the index become ours, by meaning."""
    try:
        yield
    except (sa.exc.OperationalError, sqlite3.OperationalError, psycopg.OperationalError) as exc:
        text = str(exc).lower()
        if "is full" in text or "no space" in text:
            raise OutOfResources("the index has no space left") from exc
        raise Unavailable("the index does not answer" + _refusal(text)) from exc
    except (sa.exc.InterfaceError, sqlite3.InterfaceError, psycopg.InterfaceError) as exc:
        raise Unavailable("the index does not answer") from exc
    except (sa.exc.InternalError, psycopg.InternalError) as exc:
        if sql_state(exc) == _READ_ONLY:
            raise Unavailable("the index is a replica, or was the primary once") from exc
        raise
    except sa.exc.TimeoutError as exc:
        raise Unavailable("the index has no free connection") from exc

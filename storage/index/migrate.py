"""Bringing the database's schema up to date while nodes work on it, and saying whether it suits this version."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage.index import dump
from storage.index.engine import Connection, Database, sql_state, translated
from storage.index.migrations import compatibility
from vna.model.errors import Unavailable

FOLDER = Path(__file__).parent / "migrations"

_LOCK = 0x766E6101
"""PostgreSQL's advisory lock, so that those who migrate at the same time do it one after the other."""
_LOCK_WAIT = "SET lock_timeout = '2s'"
"""A migration that waits for a table keeps whoever comes after it waiting too: better it lets go and tries again."""
_BUSY = frozenset({"55P03", "40P01"})
"""SQLSTATE: no lock in time, and deadlock."""
_PATIENCE_SECONDS = 600.0


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


@lru_cache(maxsize=8)
def _head(folder: Path) -> str:
    return ScriptDirectory(str(folder)).get_current_head() or ""


def newest() -> str:
    """The revision that this version of the archive was made for."""
    return _head(FOLDER)


def current(database: Database) -> str:
    """The revision the database has; "" for an empty one."""
    with translated(), database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def minimum(database: Database) -> str:
    """The smallest revision whose nodes may work on the database as it is."""
    found = current(database)
    if found < compatibility.FIRST:
        return found
    with database.read() as connection:
        return str(connection.execute(sa.text("SELECT minimum FROM compatibility")).scalar_one())


def asked(database: Database) -> str:
    """The same once everything that is due was done."""
    scripts = ScriptDirectory.from_config(_config())
    due = scripts.iterate_revisions("head", current(database) or "base")
    return max([compatibility.minimum_of(script) for script in due], default=minimum(database))


def require_usable(database: Database) -> None:
    """Unavailable says in one line what to do when this version cannot work on the database's schema."""
    found, ours = current(database), newest()
    if found < ours:
        raise Unavailable("the index's schema is not up to date: run `vna migrate` first")
    if found > ours and (least := minimum(database)) > ours:
        raise Unavailable(
            f"the index's schema is {found} and takes nodes made for {least} or later, this version was made for "
            f"{ours}: install the newer one"
        )


def upgrade(database: Database, revision: str = "") -> tuple[str, str]:
    """Bring the schema up to date, or to an older revision from before that; the revisions before and after. A newer
    one that this version may work on stays."""
    before, wanted = current(database), revision or newest()
    if before >= newest():
        require_usable(database)
    elif before >= wanted:
        pass
    elif database.is_sqlite:
        with database.transaction() as connection:
            command.upgrade(_config(connection), wanted)
    else:
        with translated(), _alone(database):
            _online(database, wanted)
    return before, current(database)


def _online(database: Database, wanted: str) -> None:
    """A transaction for each migration; one that did not get a lock is tried again, and those before it stay."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with _session(database) as connection:
                connection.exec_driver_sql(_LOCK_WAIT)
                connection.commit()
                command.upgrade(_config(connection), wanted)
                connection.commit()
                return
        except sa.exc.DBAPIError as exc:
            if sql_state(exc) not in _BUSY:
                raise
            if time.monotonic() > deadline:
                raise Unavailable("a table of the index is in use all the time: run `vna migrate` again") from exc
            time.sleep(random.uniform(0.1, 1))


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    """While nobody else migrates. The lock is asked for again and again, for a statement that waits for it would be
    waited for by an index that is made meanwhile."""
    with _session(database) as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        while not connection.execute(sa.select(sa.func.pg_try_advisory_lock(_LOCK))).scalar():
            time.sleep(0.2)
        yield


@contextmanager
def _session(database: Database) -> Iterator[Connection]:
    """A connection that ends with its settings and locks."""
    with database.engine.connect() as connection:
        try:
            yield connection
        finally:
            connection.invalidate()


def is_empty(database: Database) -> bool:
    """Whether no table has a row."""
    with database.read() as connection:
        return dump.is_empty(connection)

"""One state of the whole index, for whoever reads it for long."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from storage.index.engine import Database, translated


@contextmanager
def snapshot(database: Database, folder: Path) -> Iterator[sa.Connection]:
    """A connection that reads one state, however long it takes.

    On SQLite it reads a copy in `folder`: while a reader is at an old state of the file itself, nothing newer is
    written back from the write-ahead log, which grows with all that is stored. So that lasts as long as copying a file.
    """
    if not database.is_sqlite:
        with database.read() as connection:
            yield connection
        return
    descriptor, name = tempfile.mkstemp(prefix="backup-index-", dir=folder)
    os.close(descriptor)
    try:
        _copy(database, name)
        engine = sa.create_engine("sqlite://", creator=lambda: _opened(name, "immutable=1"), poolclass=sa.pool.NullPool)
        with translated(), engine.connect() as connection:
            yield connection
    finally:
        Path(name).unlink(missing_ok=True)


def _copy(database: Database, name: str) -> None:
    """In one step: in several it would begin anew whenever another process has written."""
    with closing(_opened(name, "nolock=1")) as copy, database.read() as connection:
        copy.execute("PRAGMA journal_mode=OFF")
        copy.execute("PRAGMA synchronous=OFF")
        driver: Any = connection.connection.driver_connection
        driver.backup(copy)


def _opened(name: str, how: str) -> sqlite3.Connection:
    """Without locks, which file systems of other machines may not have; it is ours alone."""
    return sqlite3.connect(f"file:{quote(name)}?{how}", uri=True, check_same_thread=False)

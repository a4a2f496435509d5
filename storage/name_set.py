"""A set of very many names, on disk for as long as it is needed."""

import os
import sqlite3
import tempfile
from pathlib import Path


class Names:
    """Bounded memory, however many there are; one thread at a time."""

    def __init__(self, folder: Path) -> None:
        descriptor, path = tempfile.mkstemp(prefix="names-", dir=folder)
        os.close(descriptor)
        self._path = Path(path)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=OFF")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute("CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID")
        self._connection.execute("BEGIN")

    def add(self, name: str) -> None:
        """One more; harmless when it is there."""
        self._connection.execute("INSERT OR IGNORE INTO names VALUES (?)", (name,))

    def __contains__(self, name: str) -> bool:
        return self._connection.execute("SELECT 1 FROM names WHERE name = ?", (name,)).fetchone() is not None

    def close(self) -> None:
        """Forget them."""
        self._connection.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> "Names":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""How far an export is: a small SQLite file beside it, so that an interrupted one goes on, in bounded memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = "export.work"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS plan (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS wanted (id INTEGER PRIMARY KEY, study TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS patients (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS studies (
  id INTEGER PRIMARY KEY, patient INTEGER NOT NULL, uid TEXT NOT NULL UNIQUE, record BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS studies_of ON studies (patient);
CREATE TABLE IF NOT EXISTS series (
  id INTEGER PRIMARY KEY, study INTEGER NOT NULL, uid TEXT NOT NULL, record BLOB NOT NULL, UNIQUE (study, uid));
CREATE TABLE IF NOT EXISTS files (
  id INTEGER PRIMARY KEY, volume INTEGER NOT NULL, path TEXT NOT NULL, series INTEGER NOT NULL, study TEXT NOT NULL,
  sop_instance TEXT NOT NULL UNIQUE, sop_class TEXT NOT NULL, syntax TEXT NOT NULL, size INTEGER NOT NULL,
  sha256 TEXT NOT NULL, created_at TEXT NOT NULL, source TEXT NOT NULL, note TEXT NOT NULL, record BLOB NOT NULL,
  UNIQUE (volume, path));
CREATE INDEX IF NOT EXISTS files_of ON files (volume, series, id);
CREATE INDEX IF NOT EXISTS files_of_study ON files (study);
CREATE TABLE IF NOT EXISTS omitted (sop_instance TEXT PRIMARY KEY, reason TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the file-set; `source` is what it was made of, `note` what is to be said of it."""

    volume: int
    path: str
    series: int
    study: str
    sop_instance: str
    sop_class: str
    syntax: str
    size: int
    sha256: str
    created_at: str
    source: str
    note: str
    record: bytes


_COLUMNS = ", ".join(Entry.__slots__)


class Book:
    """One export's; `commit` makes what was noted durable."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.connection = sqlite3.connect(self.path)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=NORMAL")  # a power cut costs the last rows, which are written again
        self.connection.executescript(_SCHEMA)

    def __enter__(self) -> "Book":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.commit()
        self.connection.close()

    def commit(self) -> None:
        """Keep what was noted."""
        self.connection.commit()

    def said(self, name: str) -> str:
        """What was said under a name; "" when nothing was."""
        row = self.connection.execute("SELECT value FROM plan WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def say(self, name: str, value: str) -> None:
        """Remember it."""
        self.connection.execute("INSERT OR REPLACE INTO plan VALUES (?, ?)", (name, value))

    def want(self, studies: Iterable[str]) -> None:
        """The studies to be written, in their order."""
        self.connection.executemany("INSERT INTO wanted (study) VALUES (?)", ((one,) for one in studies))

    def wanted(self) -> Iterator[tuple[int, str]]:
        """Number and Study Instance UID of each."""
        yield from self.connection.execute("SELECT id, study FROM wanted ORDER BY id")

    def patient(self, key: str, record: bytes) -> int:
        """The number of a patient, whose record is this now."""
        statement = (
            "INSERT INTO patients (uid, record) VALUES (?, ?) "
            "ON CONFLICT (uid) DO UPDATE SET record = excluded.record RETURNING id"
        )
        return self._number(statement, key, record)

    def study(self, patient: int, uid: str, record: bytes) -> int:
        """The same of a study."""
        statement = (
            "INSERT INTO studies (patient, uid, record) VALUES (?, ?, ?) "
            "ON CONFLICT (uid) DO UPDATE SET patient = excluded.patient, record = excluded.record RETURNING id"
        )
        return self._number(statement, patient, uid, record)

    def series(self, study: int, uid: str, record: bytes) -> int:
        """The same of a series."""
        statement = (
            "INSERT INTO series (study, uid, record) VALUES (?, ?, ?) "
            "ON CONFLICT (study, uid) DO UPDATE SET record = excluded.record RETURNING id"
        )
        return self._number(statement, study, uid, record)

    def _number(self, statement: str, *values: object) -> int:
        return int(self.connection.execute(statement, values).fetchall()[0][0])

    def entry(self, sop_instance: str) -> Entry | None:
        """What was written of an instance."""
        statement = f"SELECT {_COLUMNS} FROM files WHERE sop_instance = ?"  # noqa: S608
        row = self.connection.execute(statement, (sop_instance,)).fetchone()
        return Entry(*row) if row else None

    def entries(self, volume: int) -> Iterator[Entry]:
        """The files of a volume."""
        for row in self.connection.execute(f"SELECT {_COLUMNS} FROM files WHERE volume = ? ORDER BY id", (volume,)):  # noqa: S608
            yield Entry(*row)

    def has(self, volume: int, path: str) -> bool:
        """Whether a file is one that was noted."""
        row = self.connection.execute("SELECT 1 FROM files WHERE volume = ? AND path = ?", (volume, path)).fetchone()
        return row is not None

    def of_study(self, study: str) -> list[tuple[str, int, str]]:
        """SOP Instance UID, volume and path of what was written of a study."""
        return self.connection.execute(
            "SELECT sop_instance, volume, path FROM files WHERE study = ?", (study,)
        ).fetchall()

    def put(self, entry: Entry) -> None:
        """A file was written."""
        values = tuple(getattr(entry, name) for name in Entry.__slots__)
        marks = ", ".join("?" * len(values))
        self.forget(entry.sop_instance)
        self.connection.execute(f"INSERT INTO files ({_COLUMNS}) VALUES ({marks})", values)  # noqa: S608

    def forget(self, sop_instance: str) -> None:
        """It is written no more."""
        self.connection.execute("DELETE FROM files WHERE sop_instance = ?", (sop_instance,))

    def omit(self, sop_instance: str, reason: str) -> None:
        """It could not be written."""
        self.connection.execute("INSERT OR REPLACE INTO omitted VALUES (?, ?)", (sop_instance, reason))

    def omitted(self, limit: int) -> tuple[int, list[tuple[str, str]]]:
        """How many could not be written, and the first of them with the reason."""
        count = self.connection.execute("SELECT count(*) FROM omitted").fetchone()[0]
        rows = self.connection.execute("SELECT * FROM omitted ORDER BY sop_instance LIMIT ?", (limit,)).fetchall()
        return int(count), rows

    def clear_omitted(self) -> None:
        """They are tried again."""
        self.connection.execute("DELETE FROM omitted")

    def volumes(self) -> list[int]:
        """Numbers of the volumes that have files."""
        return [row[0] for row in self.connection.execute("SELECT DISTINCT volume FROM files ORDER BY volume")]

    def filled(self, volume: int) -> tuple[int, int]:
        """How many files a volume has, and what they take of it: whole sectors of 2048 bytes, records, manifest."""
        row = self.connection.execute(
            "SELECT count(*), coalesce(sum((size + 2047) / 2048 * 2048 + length(record) + 1024), 0) FROM files "
            "WHERE volume = ?",
            (volume,),
        ).fetchone()
        return int(row[0]), int(row[1])

    def counts(self) -> dict[str, int]:
        """Patients, studies, series, instances and bytes."""
        one = self.connection.execute
        used = "SELECT series FROM files"
        studies = f"SELECT study FROM series WHERE id IN ({used})"  # noqa: S608
        return {
            "patients": one(f"SELECT count(DISTINCT patient) FROM studies WHERE id IN ({studies})").fetchone()[0],  # noqa: S608
            "studies": one(f"SELECT count(*) FROM studies WHERE id IN ({studies})").fetchone()[0],  # noqa: S608
            "series": one(f"SELECT count(*) FROM series WHERE id IN ({used})").fetchone()[0],  # noqa: S608
            "instances": one("SELECT count(*) FROM files").fetchone()[0],
            "bytes": one("SELECT coalesce(sum(size), 0) FROM files").fetchone()[0],
        }

    def kinds(self) -> list[tuple[str, str, int]]:
        """Transfer syntax, SOP Class and how many files are of both."""
        return self.connection.execute(
            "SELECT syntax, sop_class, count(*) FROM files GROUP BY syntax, sop_class ORDER BY syntax, sop_class"
        ).fetchall()

    def notes(self) -> list[tuple[str, int]]:
        """What is said of files, and of how many."""
        return self.connection.execute(
            "SELECT note, count(*) FROM files WHERE note <> '' GROUP BY note ORDER BY note"
        ).fetchall()

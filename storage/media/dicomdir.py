"""DICOMDIR written as a stream: lengths first, so that every offset is known before its record (PS3.10 8.6, PS3.3 F.3).

Records come in the order of the tree, each before what is below it; memory holds one at a time.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import pack
from typing import BinaryIO, Final
from uuid import uuid4

from storage.encode import encode
from storage.media.book import Book
from storage.media.records import HEAD_BYTES, head
from storage.part10 import EXPLICIT_LITTLE, write_file_meta

NAME: Final = "DICOMDIR"
MEDIA_STORAGE_DIRECTORY: Final = "1.2.840.10008.1.3.10"

_LENGTHS = """
CREATE TEMP TABLE series_bytes AS
  SELECT s.id AS id, s.study AS above, {head} + length(s.record) + sum({head} + length(f.record)) AS bytes
  FROM files f JOIN series s ON s.id = f.series WHERE f.volume = {volume} GROUP BY s.id;
CREATE TEMP TABLE studies_bytes AS
  SELECT t.id AS id, t.patient AS above, {head} + length(t.record) + sum(b.bytes) AS bytes
  FROM series_bytes b JOIN studies t ON t.id = b.above GROUP BY t.id;
CREATE TEMP TABLE patients_bytes AS
  SELECT p.id AS id, 0 AS above, {head} + length(p.record) + sum(b.bytes) AS bytes
  FROM studies_bytes b JOIN patients p ON p.id = b.above GROUP BY p.id;
CREATE INDEX temp.series_above ON series_bytes (above);
CREATE INDEX temp.studies_above ON studies_bytes (above);
"""
_FORGET = "".join(f"DROP TABLE IF EXISTS temp.{name}_bytes;" for name in ("series", "studies", "patients"))
_LEVELS = ("patients", "studies", "series")


@dataclass(frozen=True, slots=True)
class _Record:
    key: int
    body: bytes
    whole: int
    """Bytes of it and all below it."""


def write(book: Book, volume: int, path: Path, file_set_id: str) -> None:
    """The DICOMDIR of a volume."""
    with path.open("wb") as out:
        _Writing(book.connection, volume, out).run(file_set_id)


class _Writing:
    def __init__(self, connection: sqlite3.Connection, volume: int, out: BinaryIO) -> None:
        self._connection = connection
        self._volume = volume
        self._out = out

    def run(self, file_set_id: str) -> None:
        self._connection.executescript(_FORGET + _LENGTHS.format(head=HEAD_BYTES, volume=int(self._volume)))
        total, last = self._root()
        meta = write_file_meta(MEDIA_STORAGE_DIRECTORY, f"2.25.{uuid4().int}", EXPLICIT_LITTLE)
        identity = encode({"00041130": {"vr": "CS", "Value": [file_set_id]}})
        first = len(meta) + len(identity) + 12 + 12 + 10 + 12
        self._out.write(meta + identity)
        for number, offset in ((0x1200, first), (0x1202, first + total - last)):
            self._out.write(pack("<HH2sHI", 4, number, b"UL", 4, offset if total else 0))
        self._out.write(pack("<HH2sHH", 4, 0x1212, b"US", 2, 0))
        self._out.write(pack("<HH2s2xI", 4, 0x1220, b"SQ", total))
        self._level(0, 0, first)
        self._connection.executescript(_FORGET)

    def _root(self) -> tuple[int, int]:
        query = "SELECT sum(bytes), (SELECT bytes FROM patients_bytes ORDER BY id DESC LIMIT 1) FROM patients_bytes"
        total, last = self._connection.execute(query).fetchone()
        return int(total or 0), int(last or 0)

    def _level(self, depth: int, above: int, at: int) -> None:
        for record, is_last in _ended(self._records(depth, above)):
            below = at + HEAD_BYTES + len(record.body)
            has_lower = depth < len(_LEVELS)
            self._out.write(
                head(len(record.body), 0 if is_last else at + record.whole, below if has_lower else 0) + record.body
            )
            if has_lower:
                self._level(depth + 1, record.key, below)
            at += record.whole

    def _records(self, depth: int, above: int) -> Iterator[_Record]:
        if depth == len(_LEVELS):
            query = "SELECT id, record FROM files WHERE volume = ? AND series = ? ORDER BY id"
            for key, body in self._connection.execute(query, (self._volume, above)):
                yield _Record(key, body, HEAD_BYTES + len(body))
            return
        name = _LEVELS[depth]
        query = (
            f"SELECT b.id, t.record, b.bytes FROM {name}_bytes b JOIN {name} t ON t.id = b.id "  # noqa: S608
            "WHERE b.above = ? ORDER BY b.id"
        )
        for row in self._connection.execute(query, (above,)):
            yield _Record(*row)


def _ended(records: Iterator[_Record]) -> Iterator[tuple[_Record, bool]]:
    """Each, and whether it is the last."""
    before = next(records, None)
    while before is not None:
        following = next(records, None)
        yield before, following is None
        before = following

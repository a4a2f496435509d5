"""Finding rows by a piece of text: an index of trigrams, FTS5 on SQLite, GIN of pg_trgm on PostgreSQL where it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.index.engine import Database
from storage.index.schema import GRAMS

_FTS = {
    table.name: sa.table(f"{table.name}_grams", sa.column("rowid"), *(sa.column(name, sa.Text) for name in columns))
    for table, columns in GRAMS.items()
}
_COLUMNS = frozenset(table.c[name] for table, columns in GRAMS.items() for name in columns)
_WILD = re.compile(r"[*?\[]+")
_LEAST, _LEAST_OF_WORDS = 3, 2
_DIGITS = 5

Clause = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which database it is, and whether it has the indexes of trigrams."""

    sqlite: bool
    grams: bool = True


def glob(column: sa.ColumnElement[str], pattern: str, dialect: Dialect) -> Clause:
    """Wild card matching, case sensitive. SQLite's LIKE is not, its GLOB is; PostgreSQL's LIKE is."""
    if dialect.sqlite:
        return column.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]"))
    escaped = pattern.replace("|", "||").replace("%", "|%").replace("_", "|_")
    return column.like(escaped.replace("*", "%").replace("?", "_"), escape="|")


def are_told_by_grams(pattern: str) -> bool:
    """Whether the pattern has enough text in one piece to be looked up: three characters, two of them of words."""
    return any(
        len(piece) >= _LEAST and sum(map(str.isalnum, piece)) >= _LEAST_OF_WORDS for piece in _WILD.split(pattern)
    )


def found(column: sa.Column[str], patterns: list[str], dialect: Dialect) -> sa.Select[Any] | None:
    """Keys of the rows in which all patterns match, and perhaps of more; None where the index has no answer."""
    if not dialect.grams or column not in _COLUMNS or not any(map(are_told_by_grams, patterns)):
        return None
    told = [pattern for pattern in patterns if are_told_by_grams(pattern)]
    if not dialect.sqlite:
        return sa.select(column.table.c.id).where(*(glob(column, pattern, dialect) for pattern in told))
    fts = _FTS[column.table.name]
    asked = " AND ".join(dict.fromkeys(phrase for pattern in told for phrase in _phrases(pattern)))
    is_there = sa.literal_column(fts.name).op("MATCH", is_comparison=True)(f"{column.name} : ({asked})")
    return sa.select(fts.c.rowid).where(is_there)


def _phrases(pattern: str) -> Iterator[str]:
    """The pieces of a pattern as FTS5 takes them; of a long number its last digits, as then fewer trigrams are read."""
    for piece in _WILD.split(pattern):
        if len(piece) >= _LEAST:
            end = piece[-_DIGITS:]
            text = end if end.isascii() and end.isdigit() else piece
            yield '"' + text.replace('"', '""') + '"'


def dialect_of(database: Database) -> Dialect:
    """What this database can do."""
    return Dialect(sqlite=database.is_sqlite, grams=database.has_index("ix_patients_patient_name_norm_grams"))

"""The rows of the index as files of lines, which either database can take in again: what a backup has of it.

A file is gzip of JSON lines: first `{"table", "columns", "binary"}`, then a row each as a list of values; binary values
are in base64. What the databases make of rows themselves (indexes of trigrams, the schema's revision) is not in it.
"""

import gzip
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson
import sqlalchemy as sa

from storage.index import lookup
from storage.index.lookup import StoredBlob
from storage.index.schema import events
from vna.model.errors import Damaged

_BATCH = 500
_REVISION = "alembic_version"
_GRAMS = "_grams"
_OF_MIGRATIONS = {"compatibility"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table to be written: `order` are the columns of its primary key."""

    name: str
    columns: tuple[str, ...]
    binary: tuple[str, ...]


def tables(connection: sa.Connection) -> list[sa.Table]:
    """Every table that the database really has, those that others refer to first."""
    metadata = sa.MetaData()
    metadata.reflect(connection, only=lambda name, _: name != _REVISION and _GRAMS not in name, resolve_fks=False)
    return list(metadata.sorted_tables)


def write(connection: sa.Connection, table: sa.Table, path: Path, where: sa.ColumnElement[bool] | None = None) -> int:
    """Write all rows of a table, or those of `where`, in the order of their keys, one by one; how many there are."""
    names = [column.name for column in table.columns]
    binary = [isinstance(column.type, sa.LargeBinary) for column in table.columns]
    head = {
        "table": table.name,
        "columns": names,
        "binary": [name for name, is_binary in zip(names, binary, strict=True) if is_binary],
    }
    count = 0
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0) as file:
        file.write(orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE))
        chosen = sa.select(table) if where is None else sa.select(table).where(where)
        for row in _streamed(connection, chosen.order_by(*table.primary_key.columns)):
            values = [_as_text(value) if is_binary else value for value, is_binary in zip(row, binary, strict=True)]
            file.write(orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def _streamed(connection: sa.Connection, statement: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
    with connection.execute(statement, execution_options={"stream_results": True, "yield_per": _BATCH}) as result:
        yield from result


def _as_text(value: bytes | None) -> str | None:
    return None if value is None else b64encode(value).decode()


def read(file: BinaryIO) -> tuple[Table, Iterator[list[Any]]]:
    """What table a file is of, and its rows; Damaged where it cannot be read, rows that were read before included."""
    lines = _lines(file)
    head = next(lines, None)
    if not isinstance(head, dict):
        raise Damaged("a file of the index begins without its table")
    table = Table(head["table"], tuple(head["columns"]), tuple(head["binary"]))
    return table, _rows(table, lines)


def _rows(table: Table, lines: Iterator[Any]) -> Iterator[list[Any]]:
    binary = [table.columns.index(name) for name in table.binary]
    for values in lines:
        for place in binary:
            if values[place] is not None:
                values[place] = b64decode(values[place])
        yield values


def _lines(file: BinaryIO) -> Iterator[Any]:
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            for line in unpacked:
                yield orjson.loads(line)
    except (OSError, EOFError, ValueError) as exc:
        raise Damaged("a file of the index cannot be read") from exc


def insert(connection: sa.Connection, table: sa.Table, head: Table, rows: Iterator[list[Any]]) -> int:
    """Put rows into a table in place of those that its migrations put there; how many there were."""
    connection.execute(sa.delete(table))
    if connection.dialect.name == "postgresql":
        return _copied(connection, head, rows)
    statement = sa.insert(table)
    count = 0
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(dict(zip(head.columns, row, strict=True)))
        count += 1
        if len(batch) == _BATCH:
            connection.execute(statement, batch)
            batch = []
    if batch:
        connection.execute(statement, batch)
    return count


def _copied(connection: sa.Connection, head: Table, rows: Iterator[list[Any]]) -> int:
    """By COPY: one statement for all of a table, so that rows may refer to later ones of the same table."""
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(map(quote, head.columns))
    driver = cast(Any, connection.connection.driver_connection)
    count = 0
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {quote(head.name)} ({columns}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def counted(connection: sa.Connection) -> dict[str, int]:
    """How many rows each table has."""
    return {str(table.name): _count(connection, table) for table in tables(connection)}


def is_empty(connection: sa.Connection) -> bool:
    """Whether no table has a row but those that migrations write."""
    return not any(
        connection.execute(sa.select(sa.literal(1)).select_from(t).limit(1)).first()
        for t in tables(connection)
        if t.name not in _OF_MIGRATIONS
    )


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def sequences(connection: sa.Connection) -> dict[str, int]:
    """The last number that was given to a row of each table, rows that are gone included."""
    if connection.dialect.name == "sqlite":
        return {
            str(name): int(last) for name, last in connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")
        }
    found: dict[str, int] = {}
    for table, sequence in _serials(connection):
        row = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()  # noqa: S608
        if row.is_called:
            found[table] = int(row.last_value)
    return found


def _serials(connection: sa.Connection) -> list[tuple[str, str]]:
    quote = connection.dialect.identifier_preparer.quote
    found = []
    for table in tables(connection):
        for column in table.primary_key.columns:
            named = sa.func.pg_get_serial_sequence(quote(table.name), column.name)
            sequence = connection.execute(sa.select(named)).scalar()
            if sequence:
                found.append((str(table.name), str(sequence)))
    return found


def continue_after(connection: sa.Connection, last: dict[str, int]) -> None:
    """The next rows get greater numbers than any that was given."""
    if connection.dialect.name == "postgresql":
        for table, sequence in _serials(connection):
            if last.get(table, 0) > 0:
                connection.execute(sa.select(sa.func.setval(sequence, last[table])))
        return
    for table, number in last.items():
        changed = connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (number, table))
        if not changed.rowcount:
            connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, number))


def broken_references(connection: sa.Connection) -> bool:
    """Whether rows refer to rows that are not there; PostgreSQL does not take such rows in the first place."""
    return (
        connection.dialect.name == "sqlite"
        and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None
    )


def blobs(connection: sa.Connection) -> Iterator[StoredBlob]:
    """Every object that a row names, in the caller's snapshot."""
    for table in lookup.KEPT:
        after = 0
        while batch := lookup.stored_blobs(connection, table, after=after, limit=_BATCH):
            yield from batch
            after = batch[-1].key


def last_event(connection: sa.Connection) -> int:
    """The greatest sequence number that was given to an event."""
    return int(connection.execute(sa.select(sa.func.max(events.c.sequence))).scalar() or 0)

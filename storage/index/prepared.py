"""Statements compiled once: on the ingest path SQLAlchemy's per-call work costs more than the database's."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

_Compiled = tuple[str, tuple[str, ...] | None, dict[str, Any]]
"""Text, order of positional parameters (None where they go by name), constants of the statement."""


class Prepared:
    """A Core statement whose text is compiled once per dialect; every run gives all its bind parameters by name."""

    __slots__ = ("_compiled", "_statement")

    def __init__(self, statement: sa.Select[Any] | sa.CompoundSelect[Any] | sa.Insert | sa.Update | sa.Delete) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: sa.Connection, **values: Any) -> Any:
        """Execute with these values and no others, by the driver itself; the answer is the driver's cursor.

        Errors are the driver's too: `storage.index.engine.translated` knows them.
        """
        dialect = connection.dialect
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compile(dialect)
            self._compiled[dialect.name] = found
        text, order, constants = found
        if constants:
            values |= constants
        driver: Any = connection.connection.driver_connection
        return driver.execute(text, values if order is None else [values[name] for name in order])

    def _compile(self, dialect: sa.Dialect) -> _Compiled:
        compiled = self._statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        order = tuple(compiled.positiontup or ()) if compiled.positional else None
        return str(compiled), order, {name: value for name, value in compiled.params.items() if value is not None}


def bindings(table: sa.Table, *, without: tuple[str, ...] = ("id",)) -> Mapping[str, sa.BindParameter[Any]]:
    """A bind parameter of its own name for every column but some."""
    return {
        column.name: sa.bindparam(column.name, type_=column.type)
        for column in table.columns
        if column.name not in without
    }

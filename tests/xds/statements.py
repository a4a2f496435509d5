"""What is asked of the index meanwhile, by SQLAlchemy and past it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa

from storage.index.engine import Database
from storage.index.prepared import Prepared


@contextmanager
def seen(database: Database, *, plans: bool = False) -> Iterator[list[str]]:
    """Every statement, or with `plans` the lines of their plans."""
    lines: list[str] = []
    word = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "

    def note(driver: Any, statement: str, parameters: Any) -> None:
        if not plans:
            lines.append(statement)
        elif "FROM" in statement:
            with closing(driver.cursor()) as cursor:
                lines.extend(str(row[-1]) for row in cursor.execute(word + statement, parameters).fetchall())

    def ran(connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        note(connection.connection.driver_connection, statement, parameters)

    original = Prepared.run

    def run(self: Prepared, connection: sa.Connection, **values: Any) -> Any:
        text, order, constants = self._compile(connection.dialect)
        given = values | constants
        note(connection.connection.driver_connection, text, given if order is None else [given[n] for n in order])
        return original(self, connection, **values)

    sa.event.listen(database.engine, "after_cursor_execute", ran)
    try:
        with patch.object(Prepared, "run", run):
            yield lines
    finally:
        sa.event.remove(database.engine, "after_cursor_execute", ran)

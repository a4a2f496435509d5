"""Rows put into a database as fast as it takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Rows that all have the same columns."""
    if connection.dialect.name == "sqlite":
        connection.execute(sa.insert(table), rows)
        return
    driver: Any = connection.connection.driver_connection
    columns = list(rows[0])
    with driver.cursor().copy(f"COPY {table.name} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([row[column] for column in columns])

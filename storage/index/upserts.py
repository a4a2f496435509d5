"""Rows that may be there already, in both databases."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def _insert(connection: sa.Connection, table: sa.Table, values: Mapping[str, Any]) -> Any:
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    return module.insert(table).values(**values)


def upsert(connection: sa.Connection, table: sa.Table, values: Mapping[str, Any], *, key: Sequence[str]) -> None:
    """Write a row, over the one of the same key where there is one."""
    rest = {name: value for name, value in values.items() if name not in key}
    connection.execute(_insert(connection, table, values).on_conflict_do_update(index_elements=list(key), set_=rest))


def insert_new(connection: sa.Connection, table: sa.Table, values: Mapping[str, Any]) -> None:
    """Write a row unless one of the same key is there."""
    connection.execute(_insert(connection, table, values).on_conflict_do_nothing())


def insert_returning(
    connection: sa.Connection, table: sa.Table, values: Mapping[str, Any], column: sa.Column[Any]
) -> Any:
    """Write a row unless one of the same key is there; a column of it, None when there was one."""
    return connection.execute(_insert(connection, table, values).on_conflict_do_nothing().returning(column)).scalar()

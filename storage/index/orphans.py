"""Blobs that nothing names, and since when a sweep knows it."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from storage.index.care_schema import orphans
from storage.index.upserts import insert_new


def note(connection: sa.Connection, blobs: Iterable[str], now: str) -> None:
    """They were seen now, unless they were before."""
    for blob in blobs:
        insert_new(connection, orphans, {"blob": blob, "seen_at": now})


def older(connection: sa.Connection, blobs: Sequence[str], before: str) -> set[str]:
    """Which of some hundred were seen before a time."""
    seen = sa.select(orphans.c.blob).where(orphans.c.blob.in_(blobs), orphans.c.seen_at < before)
    return set(connection.execute(seen).scalars())


def forget(connection: sa.Connection, blobs: Sequence[str]) -> None:
    """Some hundred are gone."""
    connection.execute(sa.delete(orphans).where(orphans.c.blob.in_(blobs)))


def forget_named(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    """Something names them after all."""
    for table in tables:
        connection.execute(sa.delete(orphans).where(orphans.c.blob.in_(sa.select(table.c.blob))))

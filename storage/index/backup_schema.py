"""Tables of backups and restore tests."""

import sqlalchemy as sa

from storage.index.columns import count, text, when, word
from storage.index.schema import Key, metadata

backup_runs = sa.Table(
    "backup_runs",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    word("kind", 16),
    text("place"),
    word("stamp"),
    when("began_at"),
    when("ended_at"),
    count("failed"),
    text("outcome"),
    sa.Index("ix_backup_runs_kind", "kind", "id"),
    sqlite_autoincrement=True,
)
"""Backups and restore tests as they ended; `kind` is `backup` or `test`."""

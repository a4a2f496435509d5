"""Bringing the database's schema up to date, and saying whether it is."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage.index import dump
from storage.index.engine import Database, translated

_LOCK = 0x766E6101
"""PostgreSQL's advisory lock, so that nodes that start together migrate one after the other."""


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """The revision that this version of the archive wants."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def current(database: Database) -> str:
    """The revision the database has; "" for an empty one."""
    with translated(), database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def upgrade(database: Database, revision: str = "") -> tuple[str, str]:
    """Bring the schema up to date, or to an older revision from before that; the revisions before and after."""
    before = current(database)
    wanted = revision or newest()
    if before != wanted:
        with database.transaction() as connection:
            if not database.is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            command.upgrade(_config(connection), wanted)
    return before, current(database)


def is_empty(database: Database) -> bool:
    """Whether no table has a row."""
    with database.read() as connection:
        return dump.is_empty(connection)

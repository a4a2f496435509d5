"""What migrations of big tables use, so that nobody who stores waits for them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


def create_index(name: str, table: str, columns: Sequence[str], *, unique: bool = False) -> None:
    """Make an index while rows are written: on PostgreSQL outside of any transaction, so it is the last thing of its
    migration, or its only one. One that was cut off before is made anew."""
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(name, table, list(columns), unique=unique)
        return
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for transactions, and holds nobody up meanwhile
        try:
            if _is_invalid(name):
                op.drop_index(name, postgresql_concurrently=True)
            op.create_index(name, table, list(columns), unique=unique, postgresql_concurrently=True, if_not_exists=True)
        finally:
            op.execute("SET lock_timeout = '2s'")


def _is_invalid(name: str) -> bool:
    found = op.get_bind().execute(
        sa.text("SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"), {"name": name}
    )
    return bool(found.scalar())

"""Which nodes go on working after a migration, written in the transaction of the migration."""

from typing import Any

import sqlalchemy as sa

FIRST = "0017"
"""The first revision that keeps it."""

_TABLE = sa.table("compatibility", sa.column("id"), sa.column("minimum"))


def minimum_of(script: Any) -> str:
    """The smallest revision whose nodes bear this migration."""
    return str(getattr(script.module, "minimum", script.revision))


def note(ctx: Any, step: Any, **_more: Any) -> None:
    """What Alembic calls after each migration: the greatest minimum of all that were done counts."""
    script = step.up_revision
    if script.revision < FIRST:
        return
    connection = ctx.connection
    before = connection.execute(sa.select(_TABLE.c.minimum)).scalar()
    least = max(before or FIRST, minimum_of(script))
    if before is None:
        connection.execute(sa.insert(_TABLE).values(id=1, minimum=least))
    else:
        connection.execute(sa.update(_TABLE).values(minimum=least))

"""Nodes say of themselves whether something may wait in their spools, and which of one name they are."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0021"
minimum = "0017"


def upgrade() -> None:
    """Of nodes that said nothing of it, something may wait."""
    op.add_column("nodes", sa.Column("identity", sa.String(length=64), server_default="", nullable=False))
    op.add_column("nodes", sa.Column("may_wait", sa.SmallInteger(), server_default="1", nullable=False))

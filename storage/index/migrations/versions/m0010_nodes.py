"""Nodes, and what is done at regular times."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "nodes",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.String(length=64), server_default="", nullable=False),
        sa.Column("schema_revision", sa.String(length=16), server_default="", nullable=False),
        sa.Column("started_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("seen_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("waiting", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("waiting_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "regular",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("due_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("begun_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("done_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )

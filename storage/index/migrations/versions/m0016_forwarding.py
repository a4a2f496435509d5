"""Forwarding to other archives."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_FAILED = sa.text("outcome = 'failed'")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "forwarded",
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("content", sa.String(length=64), server_default="", nullable=False),
        sa.Column("outcome", sa.String(length=16), server_default="", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("reason", sa.String(length=300), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("destination", "sop_instance_uid"),
    )
    op.create_index(
        "ix_forwarded_failed",
        "forwarded",
        ["destination", "study_instance_uid"],
        sqlite_where=_FAILED,
        postgresql_where=_FAILED,
    )

"""Storage commitment."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "commitments",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("direction", sa.String(length=16), server_default="", nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("door", sa.String(length=16), server_default="", nullable=False),
        sa.Column("partner", sa.String(length=64), server_default="", nullable=False),
        sa.Column("state", sa.String(length=16), server_default="", nullable=False),
        sa.Column("requested_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("checked_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("reported_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("held_until", sa.String(length=32), server_default="", nullable=False),
        sa.Column("instances", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("direction", "transaction_uid", name="uq_commitments"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_commitments_requested", "commitments", ["requested_at"])
    op.create_table(
        "commitment_references",
        sa.Column("commitment_fk", _KEY, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("result", sa.Integer(), server_default="-1", nullable=False),
        sa.ForeignKeyConstraint(["commitment_fk"], ["commitments.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("commitment_fk", "number"),
    )

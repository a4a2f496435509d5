"""Logins: what failed lately, sessions of browsers, and what else is known of accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
minimum = "0017"


def upgrade() -> None:
    """Make the tables, and columns that nodes before leave out."""
    op.add_column("users", sa.Column("addresses", sa.Text(), server_default="", nullable=False))
    op.add_column("users", sa.Column("password_at", sa.String(length=32), server_default="", nullable=False))
    op.add_column("users", sa.Column("temporary", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "login_failures",
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("locked_until", sa.String(length=32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_index("ix_login_failures_last", "login_failures", ["last_at"])
    op.create_table(
        "login_sessions",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("session_id", sa.String(length=16), server_default="", nullable=False),
        sa.Column("user_name", sa.String(length=128), server_default="", nullable=False),
        sa.Column("mark", sa.LargeBinary(length=32), nullable=False),
        sa.Column("rights", sa.Text(), server_default="", nullable=False),
        sa.Column("facility", sa.String(length=64), server_default="", nullable=False),
        sa.Column("role", sa.String(length=32), server_default="", nullable=False),
        sa.Column("person", sa.String(length=32), server_default="", nullable=False),
        sa.Column("address", sa.String(length=64), server_default="", nullable=False),
        sa.Column("created_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("seen_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("expires_at", sa.String(length=32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_login_sessions_user", "login_sessions", ["user_name"])
    op.create_index("ix_login_sessions_expires", "login_sessions", ["expires_at"])

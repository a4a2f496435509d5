"""Addresses and certificates that AE titles are bound to, certificates of sources, and TLS towards AE titles."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
minimum = "0017"


def upgrade() -> None:
    """Add the columns."""
    for name in ("addresses", "certificates"):
        op.add_column("peers", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.add_column("peers", sa.Column("tls", sa.Integer(), server_default="0", nullable=False))
    op.add_column("sources", sa.Column("certificates", sa.Text(), server_default="", nullable=False))

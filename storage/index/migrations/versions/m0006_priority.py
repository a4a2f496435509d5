"""Who asks has a highest priority, and bulk requests their part of what a source gives."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns."""
    for table in ("peers", "users", "tokens"):
        op.add_column(table, sa.Column("priority", sa.Text(), server_default="", nullable=False))
    op.add_column("sources", sa.Column("bulk_bandwidth", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("sources", sa.Column("bulk_connections", sa.Integer(), server_default="0", nullable=False))

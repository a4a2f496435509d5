"""Where blobs are, where there are several stores."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """A row for each store that holds a blob; none for what lies in the primary store alone."""
    op.create_table(
        "blob_places",
        sa.Column("blob", sa.Text, primary_key=True),
        sa.Column("store", sa.String(32), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False, server_default="0"),
        sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
    )

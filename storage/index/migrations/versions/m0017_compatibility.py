"""Which versions may work on the schema: nodes of several versions run side by side while they are upgraded.

A migration that says `minimum = "0017"` leaves everything as nodes of 0017 and later know it: new tables, new columns
that may be left out, new indexes. One that says nothing is for its own version alone, and nodes before it have to be
stopped first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the table; its row is written with each revision (`migrations.compatibility`)."""
    op.create_table(
        "compatibility",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("minimum", sa.String(length=16), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )

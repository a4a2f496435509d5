"""How HL7 messages of a source are read, and where those to it go."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns."""
    for name in ("hl7_profile", "hl7_character_set", "hl7_host"):
        op.add_column("sources", sa.Column(name, sa.Text(), server_default="", nullable=False))
    for name in ("hl7_port", "hl7_tls"):
        op.add_column("sources", sa.Column(name, sa.Integer(), server_default="0", nullable=False))

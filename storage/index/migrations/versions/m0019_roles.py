"""Who may see what: roles of users, permits, facilities; studies by facility."""

import sqlalchemy as sa
from alembic import op

from storage.index.migrations.online import create_index

revision = "0019"
down_revision = "0018"
minimum = "0017"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, the columns of users, and the index."""
    op.create_table(
        "permits",
        sa.Column("name", sa.String(length=16), nullable=False),
        _word("kind", 16),
        _word("reader", 128),
        _word("subject"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        *(_word(name, 32) for name in ("since", "until", "added_at")),
        _word("added_by", 128),
        _word("revoked_at", 32),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("ix_permits_reader", "permits", ["kind", "reader"])
    op.create_index("ix_permits_subject", "permits", ["kind", "subject"])
    op.create_table(
        "permit_studies",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        _word("permit", 16),
        _word("study_instance_uid"),
        _word("facility"),
        _word("accession_number", 16),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_permit_studies", "permit_studies", ["permit"])
    op.create_table(
        "facility_details",
        sa.Column("code", sa.String(length=64), nullable=False),
        _word("province"),
        _word("ownership", 16),
        _word("changed_at", 32),
        sa.PrimaryKeyConstraint("code"),
    )
    op.add_column("users", sa.Column("role", sa.Text(), server_default="", nullable=False))
    op.add_column("users", sa.Column("person", sa.Text(), server_default="", nullable=False))
    op.create_index("ix_publications_entry_uuid", "publications", ["entry_uuid"])
    create_index("ix_studies_facility", "studies", ["facility", "study_date", "study_time", "id"])


def _word(name: str, length: int = 64) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), server_default="", nullable=False)

"""Instances that are kept elsewhere, and the manifests that tell of them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UID = sa.String(64)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False)


def _when(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(32), server_default="", nullable=False)


def upgrade() -> None:
    """Add columns and tables."""
    for table in ("studies", "series"):
        op.add_column(table, _count("availability"))
    copies = sa.text("door = 'fetch' AND blob <> ''")
    op.create_index("ix_instances_copies", "instances", ["received_at"], sqlite_where=copies, postgresql_where=copies)
    op.create_table(
        "manifests",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("sop_instance_uid", _UID, nullable=False),
        *map(_text, ("series_instance_uid", "study_instance_uid", "door", "facility", "institution_name")),
        *map(_text, ("entry_uuid", "state", "made_at")),
        _when("received_at"),
        *map(_count, ("named", "missing")),
        *map(_text, ("problems", "download", "reason")),
        _when("download_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sop_instance_uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_manifests_study", "manifests", ["study_instance_uid"])
    op.create_index("ix_manifests_entry", "manifests", ["entry_uuid"])
    op.create_table(
        "manifest_series",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("manifest_fk", _KEY, nullable=False),
        sa.Column("study_instance_uid", _UID, nullable=False),
        sa.Column("series_instance_uid", _UID, nullable=False),
        *map(_text, ("retrieve_location_uid", "retrieve_ae_title")),
        _count("named"),
        sa.Column("instances", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["manifest_fk"], ["manifests.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_manifest_series_manifest", "manifest_series", ["manifest_fk"])
    op.create_index("ix_manifest_series_uid", "manifest_series", ["study_instance_uid", "series_instance_uid"])

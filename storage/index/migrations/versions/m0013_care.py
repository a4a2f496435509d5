"""Holds, retention, and runs of verify."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NOT_ERASED = sa.text("erased = 0")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "verify_runs",
        sa.Column("name", sa.String(length=64), nullable=False),
        _when("begun_at"),
        _when("changed_at"),
        sa.Column("part", sa.Integer(), server_default="0", nullable=False),
        sa.Column("after", _KEY, server_default="0", nullable=False),
        *(_large(name) for name in ("sound", "damaged", "forgotten", "bytes")),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "damages",
        sa.Column("blob", sa.Text(), nullable=False),
        _text("sop_instance_uid"),
        _large("size"),
        sa.Column("damage", sa.String(length=64), server_default="", nullable=False),
        _when("found_at"),
        sa.PrimaryKeyConstraint("blob"),
    )
    op.create_table(
        "orphans",
        sa.Column("blob", sa.Text(), nullable=False),
        _when("seen_at"),
        sa.PrimaryKeyConstraint("blob"),
    )
    op.create_table(
        "holds",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), server_default="", nullable=False),
        *(_text(name) for name in ("patient_id", "issuer", "reason")),
        sa.Column("until", sa.String(length=10), server_default="", nullable=False),
        _when("added_at"),
        _text("added_by"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("ix_holds_study", "holds", ["study_instance_uid"])
    op.create_index("ix_holds_patient", "holds", ["patient_id"])
    op.create_table(
        "purged",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), server_default="", nullable=False),
        _text("sop_instance_uid"),
        _large("size"),
        _large("event_fk"),
        sa.Column("erased", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("blob"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_purged_study", "purged", ["study_instance_uid"])
    op.create_index("ix_purged_left", "purged", ["id"], sqlite_where=_NOT_ERASED, postgresql_where=_NOT_ERASED)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _when(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=32), server_default="", nullable=False)


def _large(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)

"""Rejection notes, links, and corrections."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

Key = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rejections",
        sa.Column("note", sa.String(length=64), nullable=False),
        *(_text(name, length) for name, length in (("code", 16), ("facility", 64), ("source_ae", 64), ("actor", 64))),
        *(_text(name, length) for name, length in (("state", 16), ("made_at", 32), ("changed_at", 32))),
        _text("changed_by", 64),
        _text("reason"),
        sa.Column("named", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("note"),
    )
    op.create_table(
        "rejected",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("note", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sop_instance_uid", "note", name="uq_rejected_instance"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rejected_note", "rejected", ["note", "id"])
    op.create_table(
        "corrections",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        _text("name", 64),
        _text("kind", 16),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        *(_text(name, 64) for name in ("series_instance_uid", "sop_instance_uid", "target_study_uid")),
        _text("said"),
        _text("reason"),
        *(_text(name, length) for name, length in (("actor", 64), ("made_at", 32), ("revoked_at", 32))),
        _text("revoked_by", 64),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    for name, columns in (
        ("study", ["study_instance_uid", "id"]),
        ("target", ["target_study_uid", "id"]),
        ("name", ["name"]),
    ):
        op.create_index(f"ix_corrections_{name}", "corrections", columns)
    op.create_table(
        "patient_links",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        _text("one"),
        _text("other"),
        _text("made_at", 32),
        _text("actor", 64),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("one", "other", name="uq_patient_link"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_patient_links_other", "patient_links", ["other"])


def _text(name: str, length: int = 0) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length) if length else sa.Text(), server_default="", nullable=False)

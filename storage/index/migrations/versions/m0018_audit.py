"""The audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
minimum = "0017"

_INDEXES = {
    "ix_audit_records_at": (("at",), ""),
    "ix_audit_records_actor": (("actor", "id"), ""),
    "ix_audit_records_patient": (("patient", "id"), "patient <> ''"),
    "ix_audit_records_study": (("study_instance_uid", "id"), "study_instance_uid <> ''"),
    "ix_audit_records_event": (("event_id",), "event_id > 0"),
}


def upgrade() -> None:
    """Make the tables."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "audit_records",
        sa.Column("id", key, autoincrement=True, nullable=False),
        _text("kind", 32),
        _text("what"),
        _text("at", 32),
        sa.Column("outcome", sa.Integer(), server_default="0", nullable=False),
        _text("actor_kind", 16),
        _text("actor"),
        _text("actor_role", 32),
        _text("person"),
        _text("actor_facility"),
        _text("address"),
        _text("purpose", 16),
        _text("study_instance_uid"),
        _text("patient"),
        _text("issuer"),
        _text("facility"),
        _text("reason"),
        _text("detail"),
        sa.Column("event_id", sa.BigInteger(), server_default="0", nullable=False),
        _text("key_id", 16),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    for name, (columns, where) in _INDEXES.items():
        condition = sa.text(where) if where else None
        op.create_index(name, "audit_records", list(columns), sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "audit_batches",
        sa.Column("number", key, autoincrement=False, nullable=False),
        _text("at", 32),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("ids", sa.LargeBinary(), nullable=False),
        _text("gaps"),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        _text("key_id", 16),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("removed", sa.LargeBinary()),
        sa.Column("removed_mac", sa.LargeBinary(length=32)),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_audit_batches_last_id", "audit_batches", ["last_id"])
    op.create_table(
        "audit_seals",
        sa.Column("number", key, autoincrement=False, nullable=False),
        _text("at", 32),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        _text("blob"),
        sa.Column("token", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "audit_keys",
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("session_digest", sa.LargeBinary(length=32), nullable=False),
        _text("first_at", 32),
        sa.PrimaryKeyConstraint("key_id"),
    )
    op.create_table(
        "database_changes",
        sa.Column("id", key, autoincrement=True, nullable=False),
        _text("at", 32),
        _text("operation"),
        _text("object"),
        _text("database_user"),
        _text("address"),
        _text("application"),
        _text("statement"),
        _text("detail"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit_standing",
        sa.Column("name", sa.String(length=64), nullable=False),
        _text("value"),
        sa.PrimaryKeyConstraint("name"),
    )


def _text(name: str, length: int = 0) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length) if length else sa.Text(), server_default="", nullable=False)

"""Tables of storage commitment: who asked whom for which instances, and what came of each."""

import sqlalchemy as sa

from storage.index.columns import count, when, word
from storage.index.schema import UID, Key, metadata

commitments = sa.Table(
    "commitments",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    word("direction", 16),
    sa.Column("transaction_uid", UID, nullable=False),
    word("door", 16),
    word("partner"),
    word("state", 16),
    when("requested_at"),
    when("checked_at"),
    when("reported_at"),
    when("held_until"),
    count("instances"),
    count("failures"),
    sa.UniqueConstraint("direction", "transaction_uid", name="uq_commitments"),
    sa.Index("ix_commitments_requested", "requested_at"),
    sqlite_autoincrement=True,
)
"""`partner` is who asked, or whom we asked. While `held_until` has not come, an association that is open reports."""

commitment_references = sa.Table(
    "commitment_references",
    metadata,
    sa.Column("commitment_fk", Key, sa.ForeignKey("commitments.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sop_class_uid", UID, nullable=False),
    sa.Column("sop_instance_uid", UID, nullable=False),
    sa.Column("result", sa.Integer, nullable=False, server_default="-1"),
)
"""`result` is -1 until it is known, 0 for what is committed, else the Failure Reason (PS3.3 C.14.1.1)."""

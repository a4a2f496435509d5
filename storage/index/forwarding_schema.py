"""Tables of forwarding: what arrived where."""

import sqlalchemy as sa

from storage.index.columns import count, when, word
from storage.index.schema import UID, metadata

forwarded = sa.Table(
    "forwarded",
    metadata,
    sa.Column("destination", sa.String(64), primary_key=True),
    sa.Column("sop_instance_uid", UID, primary_key=True),
    sa.Column("study_instance_uid", UID, nullable=False),
    word("content"),
    word("outcome", 16),
    count("tries"),
    when("at"),
    word("reason", 300),
)
"""`content` names bytes and corrections as they were sent; `outcome` is sent or failed, `reason` why it failed."""
_FAILED = sa.text("outcome = 'failed'")
sa.Index(
    "ix_forwarded_failed",
    forwarded.c.destination,
    forwarded.c.study_instance_uid,
    sqlite_where=_FAILED,
    postgresql_where=_FAILED,
)

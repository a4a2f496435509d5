"""Tables of the audit trail: records, the chain over them, its seals, and what triggers saw."""

import sqlalchemy as sa

from storage.index.columns import count, text, when, word
from storage.index.schema import UID, Key, Text, metadata

audit_records = sa.Table(
    "audit_records",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    word("kind", 32),
    text("what"),
    when("at"),
    count("outcome"),
    word("actor_kind", 16),
    text("actor"),
    word("actor_role", 32),
    text("person"),
    text("actor_facility"),
    text("address"),
    word("purpose", 16),
    sa.Column("study_instance_uid", Text, nullable=False, server_default=""),
    text("patient"),
    text("issuer"),
    text("facility"),
    text("reason"),
    text("detail"),
    sa.Column("event_id", sa.BigInteger, nullable=False, server_default="0"),
    word("key_id", 16),
    sa.Column("mac", sa.LargeBinary(32), nullable=False),
    sqlite_autoincrement=True,
)
"""What happened, a row each that is never changed: `mac` is over all other columns, by a key that is not in the
database. `detail` is JSON."""

INDEXES: dict[str, tuple[tuple[str, ...], str]] = {
    "ix_audit_records_at": (("at",), ""),
    "ix_audit_records_actor": (("actor", "id"), ""),
    "ix_audit_records_patient": (("patient", "id"), "patient <> ''"),
    "ix_audit_records_study": (("study_instance_uid", "id"), "study_instance_uid <> ''"),
    "ix_audit_records_event": (("event_id",), "event_id > 0"),
}
"""Name to columns and condition."""
for _name, (_columns, _where) in INDEXES.items():
    _condition = sa.text(_where) if _where else None
    sa.Index(
        _name,
        *(audit_records.c[column] for column in _columns),
        sqlite_where=_condition,
        postgresql_where=_condition,
    )

audit_batches = sa.Table(
    "audit_batches",
    metadata,
    sa.Column("number", Key, primary_key=True, autoincrement=False),
    when("at"),
    sa.Column("last_id", sa.BigInteger, nullable=False),
    sa.Column("ids", sa.LargeBinary, nullable=False),
    text("gaps"),
    sa.Column("previous", sa.LargeBinary(32), nullable=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
    word("key_id", 16),
    sa.Column("mac", sa.LargeBinary(32), nullable=False),
    sa.Column("removed", sa.LargeBinary),
    sa.Column("removed_mac", sa.LargeBinary(32)),
    sa.Index("ix_audit_batches_last_id", "last_id"),
)
"""The chain: `digest` is over that of the batch before and the MACs of the rows whose `ids` are named. `gaps` are ids
that no row had yet, JSON pairs of id and time. `removed` are id and MAC of rows whose time was over."""

audit_seals = sa.Table(
    "audit_seals",
    metadata,
    sa.Column("number", Key, primary_key=True, autoincrement=False),
    when("at"),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
    text("blob"),
    sa.Column("token", sa.LargeBinary),
)
"""Batches that were sealed, each with all before it: `token` is a time stamp (RFC 3161), `blob` the seal's copy in the
object store."""

audit_keys = sa.Table(
    "audit_keys",
    metadata,
    sa.Column("key_id", sa.String(16), primary_key=True),
    sa.Column("session_digest", sa.LargeBinary(32), nullable=False),
    when("first_at"),
)
"""Keys that nodes have: what is written to PostgreSQL by a session that does not know any of them is recorded."""

database_changes = sa.Table(
    "database_changes",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    when("at"),
    text("operation"),
    text("object"),
    text("database_user"),
    text("address"),
    text("application"),
    text("statement"),
    text("detail"),
    sqlite_autoincrement=True,
)
"""What triggers saw that no node did, until it is in the trail."""

audit_standing = sa.Table(
    "audit_standing",
    metadata,
    sa.Column("name", UID, primary_key=True),
    text("value"),
)
"""Where those who read the trail are."""

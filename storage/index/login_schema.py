"""Tables of logins: what failed lately, and who is logged in with a browser."""

import sqlalchemy as sa

from storage.index.columns import count, text, when, word
from storage.index.schema import metadata

login_failures = sa.Table(
    "login_failures",
    metadata,
    sa.Column("subject", sa.String(80), primary_key=True),
    count("failures"),
    when("last_at"),
    when("locked_until"),
    sa.Index("ix_login_failures_last", "last_at"),
)
"""`subject` is an account, by the digest of its name, or an address; rows that no longer count are removed."""

login_sessions = sa.Table(
    "login_sessions",
    metadata,
    sa.Column("digest", sa.LargeBinary(32), primary_key=True),
    word("session_id", 16),
    word("user_name", 128),
    sa.Column("mark", sa.LargeBinary(32), nullable=False),
    text("rights"),
    word("facility"),
    word("role", 32),
    word("person", 32),
    word("address"),
    when("created_at"),
    when("seen_at"),
    when("expires_at"),
    sa.Index("ix_login_sessions_user", "user_name"),
    sa.Index("ix_login_sessions_expires", "expires_at"),
)
"""A browser in which somebody is logged in; only the SHA-256 of its secret is kept. `mark` is made of the password hash
of an account, so that a changed password ends its sessions, and empty for who was logged in elsewhere: then `rights`,
`facility`, `role` and `person` are what was said there."""

"""Tables of the nodes of an archive and of what is done at regular times."""

import sqlalchemy as sa

from storage.index.columns import text, when, word
from storage.index.schema import metadata

nodes = sa.Table(
    "nodes",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    text("url"),
    word("version"),
    word("schema_revision", 16),
    when("started_at"),
    when("seen_at"),
    sa.Column("waiting", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("waiting_bytes", sa.BigInteger, nullable=False, server_default="0"),
    word("identity"),
    sa.Column("may_wait", sa.SmallInteger, nullable=False, server_default="1"),
)
"""A row for each node that was ever started; `waiting` objects of so many bytes lie in its spool and nowhere else.
`may_wait` is 0 when nothing can have been added to that since it was said."""

regular = sa.Table(
    "regular",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    when("due_at"),
    when("begun_at"),
    when("done_at"),
    text("outcome"),
)
"""What is done at regular times by one node: when it is due again, when it was done last, and what came of it."""

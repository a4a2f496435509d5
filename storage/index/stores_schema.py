"""Tables of what lies in which store."""

import sqlalchemy as sa

from storage.index.columns import count
from storage.index.schema import metadata

blob_places = sa.Table(
    "blob_places",
    metadata,
    sa.Column("blob", sa.Text, primary_key=True),
    sa.Column("store", sa.String(32), primary_key=True),
    count("position"),
    sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
)
"""A row for each store that holds a blob, the first position first. A blob without one lies in the primary store."""

"""The table that says which versions of the archive may work on this schema."""

import sqlalchemy as sa

from storage.index.columns import word
from storage.index.schema import metadata

compatibility = sa.Table(
    "compatibility",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    word("minimum", 16),
)
"""One row: the smallest schema revision with which a node may have been made to work here."""

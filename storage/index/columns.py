"""Columns as every table has them: never NULL, empty or 0 where nothing was said."""

import sqlalchemy as sa


def text(name: str, kind: type[sa.types.TypeEngine[str]] | sa.types.TypeEngine[str] = sa.Text) -> sa.Column[str]:
    """Text, of any length unless `kind` bounds it."""
    return sa.Column(name, kind, nullable=False, server_default="")


def word(name: str, length: int = 64) -> sa.Column[str]:
    """Short text."""
    return text(name, sa.String(length))


def count(name: str) -> sa.Column[int]:
    """A number."""
    return sa.Column(name, sa.Integer, nullable=False, server_default="0")


def when(name: str) -> sa.Column[str]:
    """Time as ISO 8601 UTC text with microseconds: sorts as time does, the same in both databases."""
    return word(name, 32)

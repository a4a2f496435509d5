"""Holds, retention, and runs of verify."""

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Nothing yet."""

"""Forwarding to other archives and notices of availability."""

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Nothing yet."""

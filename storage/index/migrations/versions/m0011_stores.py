"""Where blobs are, where there are several stores."""

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Nothing yet."""

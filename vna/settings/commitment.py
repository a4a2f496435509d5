"""Settings of storage commitment and of notices that instances are available."""

from pydantic import Field

from vna.settings.values import Section


class CommitmentSettings(Section):
    """Storage commitment (PS3.4 J)."""

    max_instances: int = Field(
        default=20_000, ge=1, le=50_000, description="Most instances of one request (count); more is refused."
    )
    same_association: float = Field(
        default=10.0,
        ge=0,
        le=300,
        description="How long the association that asked is kept for the result while the requester leaves it open "
        "(seconds); then the result goes out on a new one. 0: always on a new one.",
    )
    keep_days: int = Field(
        default=30, ge=1, le=3650, description="How long requests and their results are kept (days)."
    )

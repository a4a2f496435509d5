"""Settings of storage commitment and of notices that instances are available."""

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from vna.settings.values import AETitle, Section, words


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


class AvailabilitySettings(Section):
    """Notices that instances are available (PS3.4 R)."""

    notify: Annotated[tuple[AETitle, ...], NoDecode, BeforeValidator(words)] = Field(
        default=(),
        description="AE titles that are told which instances of a study can be had (Instance Availability "
        "Notification), with commas between; their addresses are those of `vna ae`. Empty: nobody is.",
    )
    after: int = Field(
        default=60,
        ge=0,
        le=86_400,
        description="How long nothing of a study has to have come before that is told (seconds). What was deleted, or "
        "is kept elsewhere from now on, is told at once.",
    )

"""Settings of forwarding to other archives."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vna.settings.values import AETitle, Section


class When(StrEnum):
    """When something is sent."""

    INSTANCE = "instance"
    STUDY = "study"


class Urgency(StrEnum):
    """Behind what it waits."""

    ROUTINE = "routine"
    BULK = "bulk"


class ForwardSettings(Section):
    """A rule of what is sent to another archive. Every rule that fits applies."""

    name: str = Field(min_length=1, max_length=64, description="Name of the rule.")
    to: Annotated[str, Field(min_length=1, max_length=60)] = Field(
        description="Where it is sent: an AE title of `vna ae`, or a source of `vna source` with a STOW-RS service."
    )
    modalities: tuple[str, ...] = Field(
        default=(), description="Modality of the series; with `when = study`, of any series. Empty: any."
    )
    facilities: tuple[str, ...] = Field(default=(), description="Facilities that it came from. Empty: any.")
    calling: tuple[AETitle, ...] = Field(default=(), description="AE titles that sent it here. Empty: any.")
    sop_classes: tuple[str, ...] = Field(default=(), description="SOP Class UIDs. Empty: any.")
    younger_than: int | None = Field(default=None, ge=1, description="Only studies not older than this (days).")
    when: When = Field(default=When.INSTANCE, description="As it comes, or when the study has come to rest.")
    rest: int = Field(default=60, ge=0, le=86_400, description="How long nothing came of a study at rest (seconds).")
    priority: Urgency = Field(default=Urgency.ROUTINE, description="Bulk waits behind all other jobs.")
    again: bool = Field(default=False, description="Send again what is corrected or replaced later.")

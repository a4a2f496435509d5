"""Settings of searches that ask archives elsewhere too."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vna.model.identifiers import is_ae_title
from vna.settings.values import Seconds, Section


def _title_or_nothing(text: str) -> str:
    if text and not is_ae_title(text):
        raise ValueError("an AE title is 1 to 16 printable ASCII characters without backslash")
    return text.strip()


class AcrossSettings(Section):
    """Searches that ask archives elsewhere too."""

    ae_title: Annotated[str, AfterValidator(_title_or_nothing)] = Field(
        default="",
        description="A second AE title of ours: C-FIND that calls it asks the known archives too. Empty: none does.",
    )
    timeout: Seconds = Field(
        default=10.0, description="How long archives are waited for in one search (seconds); what is there then counts."
    )
    max_matches: int = Field(
        default=1000, ge=1, le=100_000, description="Most matches taken of one archive in one search (count)."
    )
    max_sources: int = Field(default=32, ge=1, le=1000, description="Most archives asked in one search (count).")
    max_requests: int = Field(
        default=8, ge=1, le=1000, description="Such searches that one worker process answers at once (count)."
    )
    partial: Literal["failure", "success"] = Field(
        default="failure",
        description="How a C-FIND ends in which an archive is missing, after all matches that there are: `failure` is "
        "status C010 with an Error Comment, `success` is 0000, for workstations that throw away what a failure ends.",
    )

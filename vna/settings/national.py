"""Settings of the national side."""

from pydantic import Field

from vna.settings.values import Section


class NationalSettings(Section):
    """Orders, reports and the national rules."""

    profile: str = Field(
        default="",
        description="File (TOML) of what differs from the default national profile at this site. Empty: nothing does.",
    )

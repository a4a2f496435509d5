"""Settings of the national side."""

from pydantic import Field

from vna.settings.values import Section


class NationalSettings(Section):
    """Orders, reports and the national rules."""

    profile: str = Field(
        default="",
        description="File (TOML) of what differs from the default national profile at this site. Empty: nothing does.",
    )
    lookups: str = Field(
        default="",
        description="File (TOML) of names and codes of the SOAP look-ups that differ from ours, with a published WSDL "
        "beside it. Empty: our own contract.",
    )
    link_lifetime: float = Field(
        default=900, ge=60, le=86_400, description="Seconds for which a link that a look-up gives can be opened."
    )

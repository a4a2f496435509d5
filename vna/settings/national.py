"""Settings of the national side."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from vna.settings.values import Section, service


class MedulaSettings(Section):
    """The payer's SOAP service."""

    url: str = Field(default="", description="Where the payer's service is. Empty: nowhere.")
    user: str = Field(default="", description="The name that is given there (HTTP Basic). Empty: none.")
    password: SecretStr = Field(default=SecretStr(""), description="The password that goes with it.")
    timeout: float = Field(
        default=30.0, gt=0, le=600, description="How long each wait on the network may last, in seconds."
    )
    wsdl: str = Field(
        default="", description="File with the service's own WSDL. Empty: the one that comes with the archive."
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return service(value)


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
    break_glass: bool = Field(
        default=True,
        description="Whether a look-up gives links to images of patients who have neither images nor orders at the "
        "caller's facility (break-glass: audited as such, with a warning in the log). Otherwise they are refused.",
    )
    payer: Literal["", "medula"] = Field(
        default="",
        description="How the payer is told of complete examinations: `medula` by its SOAP service. Empty: not at all.",
    )
    medula: MedulaSettings = MedulaSettings()

    @model_validator(mode="after")
    def _has_an_address(self) -> "NationalSettings":
        if self.payer == "medula" and not self.medula.url:
            raise ValueError("VNA_NATIONAL__PAYER is medula: VNA_NATIONAL__MEDULA__URL has to say where that is")
        return self

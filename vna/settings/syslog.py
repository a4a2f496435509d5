"""Settings of the audit record repository (ITI-20)."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from vna.settings.values import Section

_SCHEMES = frozenset({"tls", "udp"})


class SyslogSettings(Section):
    """Where audit messages are sent, and as whom."""

    url: str = Field(
        default="",
        description="Audit record repository: `tls://host:6514` (RFC 5425) or `udp://host:514` (RFC 5426). Empty: "
        "none.",
    )
    ca: str = Field(
        default="",
        description="File of the certificates that the repository's is checked with (PEM). Empty: those of "
        "the machine.",
    )
    certificate: str = Field(default="", description="File of our certificate (PEM). Empty: we show none.")
    key: str = Field(default="", description="File of its key (PEM). Empty: in the file of the certificate.")
    source_id: str = Field(
        default="", description="Who we are in messages (AuditSourceID). Empty: the name of the node that sends them."
    )
    site: str = Field(default="", description="Where we are in messages (AuditEnterpriseSiteID). Empty: not said.")

    @field_validator("url")
    @classmethod
    def _is_a_repository(cls, value: str) -> str:
        parts = urlsplit(value)
        try:
            has_port = parts.port != 0
        except ValueError:
            has_port = False
        if value and (parts.scheme not in _SCHEMES or not parts.hostname or not has_port):
            raise ValueError("an audit record repository is at tls://host:6514 or udp://host:514")
        return value

    @model_validator(mode="after")
    def _belong_together(self) -> "SyslogSettings":
        if self.key and not self.certificate:
            raise ValueError("a key needs its certificate")
        if self.url.startswith("udp:") and (self.ca or self.certificate):
            raise ValueError("certificates are for tls://: over UDP there are none")
        return self

"""TLS of a door."""

from pydantic import Field, model_validator

from vna.settings.values import Section


class TlsSettings(Section):
    """TLS of a door that speaks it itself."""

    certificate: str = Field(
        default="", description="File of our certificate, and those that lead to its authority (PEM). Empty: no TLS."
    )
    key: str = Field(default="", description="File of its key (PEM). Empty: in the file of the certificate.")
    ca: str = Field(default="", description="File of the certificates that client certificates are checked against.")
    require_client_certificate: bool = Field(
        default=False, description="Whether only those get in who show a certificate (true or false)."
    )

    @model_validator(mode="after")
    def _belong_together(self) -> "TlsSettings":
        if not self.certificate and (self.key or self.ca or self.require_client_certificate):
            raise ValueError("TLS needs a certificate of ours first")
        if self.require_client_certificate and not self.ca:
            raise ValueError("to require client certificates, ca has to say which ones are good")
        return self

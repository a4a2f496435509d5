"""The two versions of SOAP, and what differs between them."""

from enum import Enum

from vna.xml.namespaces import SOAP11, SOAP12


class Version(Enum):
    """A version, by the namespace of its envelope."""

    SOAP11 = SOAP11
    SOAP12 = SOAP12

    @property
    def media_type(self) -> str:
        """Of an envelope alone (SOAP 1.1 6, RFC 3902)."""
        return _MEDIA_TYPES[self]

    @property
    def label(self) -> str:
        """For people."""
        return "SOAP 1.1" if self is Version.SOAP11 else "SOAP 1.2"

    def name_of(self, local: str) -> str:
        """An element of the envelope, as lxml writes it."""
        return f"{{{self.value}}}{local}"


_MEDIA_TYPES = {Version.SOAP11: "text/xml", Version.SOAP12: "application/soap+xml"}
BY_MEDIA_TYPE = {media_type: version for version, media_type in _MEDIA_TYPES.items()}

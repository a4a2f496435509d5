"""Faults: what is raised, what errors by meaning become, and their HTTP status (SOAP 1.2 part 1 5.4, part 2 7.5)."""

from enum import Enum

from vna.model.errors import OutOfResources, TooLarge, Unavailable, VnaError
from vna.soap.versions import Version
from vna.xml.namespaces import WSA, qname


class FaultCode(Enum):
    """Who is to blame, in the words of SOAP 1.2."""

    SENDER = "Sender"
    RECEIVER = "Receiver"
    MUST_UNDERSTAND = "MustUnderstand"
    VERSION_MISMATCH = "VersionMismatch"

    def local_name(self, version: Version) -> str:
        """SOAP 1.1 4.4.1 has other words for two of them."""
        return _SOAP11.get(self, self.value) if version is Version.SOAP11 else self.value


_SOAP11 = {FaultCode.SENDER: "Client", FaultCode.RECEIVER: "Server"}


class SoapFault(VnaError):
    """An answer that is a fault; the message is its reason, one sentence without patient data.

    `subcodes` go from general to special, as names in lxml's notation. `blocks` are names of elements: header blocks
    not understood, the one that a WS-Addressing fault is about, or envelopes that are taken. `status` replaces the
    version's own HTTP status.
    """

    def __init__(
        self,
        code: FaultCode,
        reason: str,
        *,
        subcodes: tuple[str, ...] = (),
        blocks: tuple[str, ...] = (),
        status: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.subcodes = subcodes
        self.blocks = blocks
        self.status = status

    @property
    def is_addressing(self) -> bool:
        """Whether WS-Addressing names it (WS-Addressing 1.0 SOAP Binding 6.4)."""
        return any(subcode.startswith(f"{{{WSA}}}") for subcode in self.subcodes)

    def status_in(self, version: Version) -> int:
        """HTTP status of the answer."""
        if self.status is not None:
            return self.status
        return 400 if version is Version.SOAP12 and self.code is FaultCode.SENDER else 500


def sender(reason: str, *, status: int | None = None) -> SoapFault:
    """The message is wrong."""
    return SoapFault(FaultCode.SENDER, reason, status=status)


def receiver(reason: str) -> SoapFault:
    """The message may be right, and cannot be answered."""
    return SoapFault(FaultCode.RECEIVER, reason)


def version_mismatch(reason: str, *supported: Version) -> SoapFault:
    """The envelope is of another version than these."""
    names = tuple(version.name_of("Envelope") for version in supported)
    return SoapFault(FaultCode.VERSION_MISMATCH, reason, blocks=names)


def addressing_fault(reason: str, *subcodes: str, header: str) -> SoapFault:
    """One of WS-Addressing's own faults, about one header of that name."""
    names = tuple(qname(WSA, subcode) for subcode in subcodes)
    return SoapFault(FaultCode.SENDER, reason, subcodes=names, blocks=(qname(WSA, header),))


_CODES: dict[type[VnaError], tuple[FaultCode, int | None]] = {
    TooLarge: (FaultCode.SENDER, 413),
    OutOfResources: (FaultCode.RECEIVER, None),
    Unavailable: (FaultCode.RECEIVER, None),
    VnaError: (FaultCode.SENDER, None),
}


def as_fault(error: VnaError) -> SoapFault:
    """The fault itself, or the one that an error by meaning becomes."""
    if isinstance(error, SoapFault):
        return error
    code, status = next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)
    return SoapFault(code, str(error), status=status)

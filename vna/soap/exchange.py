"""What is done with a message once it has arrived whole: judged, handed to its operation, answered."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lxml import etree

from storage.scratch import Scratch
from vna.model.access import Actor
from vna.model.errors import NotAuthorized, VnaError
from vna.model.file_range import BodyPiece
from vna.soap import addressing, envelope
from vna.soap.addressing import ADDRESSING_FAULT_ACTION, FAULT_ACTION, Addressing
from vna.soap.envelope import Envelope
from vna.soap.faults import FaultCode, SoapFault, addressing_fault, as_fault, receiver, version_mismatch
from vna.soap.message import Message, Packaging, Reply
from vna.soap.outgoing import Outgoing, outgoing
from vna.soap.package import Unpacking
from vna.soap.versions import Version
from vna.xml.namespaces import WSSE, qname
from vna.xml.parser import Bounds

log = logging.getLogger(__name__)

Identify = Callable[[Sequence[etree._Element], Actor], Actor]
"""Who asks, by the header blocks of a message and by who sent it; or NotAuthorized."""
SECURITY = qname(WSSE, "Security")

Operation = Callable[[Message, Actor], Reply]
"""Runs in the thread pool; raises SoapFault, or errors of `vna.model.errors`."""


@dataclass(frozen=True, slots=True)
class Answered:
    """HTTP status, Content-Type, and the body: whole, or in pieces and then with its length where that is known."""

    status: int
    content_type: str
    body: bytes | Iterator[BodyPiece]
    size: int | None


@dataclass(frozen=True, slots=True)
class Rules:
    """What an address takes: actions with their operations, header blocks that it understands, versions.

    `identify` reads the Security header, which is understood with it.
    Without `wants_addressing` the SOAPAction field or the action parameter stands in for a wsa:Action that is absent.
    """

    operations: Mapping[str, Operation]
    understood: frozenset[str] = frozenset()
    versions: tuple[Version, ...] = (Version.SOAP12, Version.SOAP11)
    wants_addressing: bool = True
    identify: Identify | None = None


@dataclass(slots=True)
class Exchange:
    """One message and its answer; what is known of the message shapes even a fault."""

    rules: Rules
    bounds: Bounds
    actor: Actor
    http_action: str = ""
    version: Version = Version.SOAP12
    said: Addressing = field(default_factory=Addressing)
    packaging: Packaging = Packaging.PLAIN

    def answer(self, unpacking: Unpacking, rest: bytes, scratch: Scratch) -> Answered:
        """What comes of a message whose last bytes are these; never raises what can be said in a fault."""
        try:
            unpacking.feed(rest)
            message = self._message(unpacking, scratch)
            reply = self.rules.operations[self._action](message, self.actor)
            headers = addressing.answer_headers(self.version, reply.action, self.said)
            written = envelope.write(self.version, reply.body, headers)
            return _answered(200, outgoing(written, self.version, reply.contents, self.packaging))
        except Exception as error:  # noqa: BLE001  # told in a fault, and logged there
            return self.refused(error)

    def refused(self, error: Exception) -> Answered:
        """The fault that an error is; one without a meaning is logged with its trace, and not told."""
        if isinstance(error, VnaError):
            fault = as_fault(error)
            fields = {"action": self._action[:100], "reason": fault.reason, "address": self.actor.address}
            log.warning("message refused", extra=fields)
        else:
            log.error("operation failed", extra={"action": self._action[:100]}, exc_info=error)
            fault = receiver("the archive could not process the message; its log says why")
        return self._faulted(fault)

    def _faulted(self, fault: SoapFault) -> Answered:
        action = ADDRESSING_FAULT_ACTION if fault.is_addressing else FAULT_ACTION
        headers = addressing.answer_headers(self.version, action, self.said)
        written = envelope.write_fault(self.version, fault, headers)
        return _answered(fault.status_in(self.version), outgoing(written, self.version))

    def _message(self, unpacking: Unpacking, scratch: Scratch) -> Message:
        package = unpacking.finish()
        self.packaging = package.packaging
        found = envelope.read(package, self.bounds)
        self.version = found.version
        self.said = addressing.read(found.blocks)
        self._judge(found)
        self._identify(found)
        return envelope.message(found, package, replace(self.said, action=self._action), scratch)

    @property
    def _action(self) -> str:
        """What the message is for; the transport is asked only where WS-Addressing is optional and absent."""
        return self.said.action or ("" if self.rules.wants_addressing else self.http_action)

    def _judge(self, found: Envelope) -> None:
        if found.version not in self.rules.versions:
            names = " and ".join(version.label for version in self.rules.versions)
            raise version_mismatch(f"this address takes {names} alone", *self.rules.versions)
        ours = {SECURITY} if self.rules.identify is not None else frozenset()
        foreign = found.not_understood(self.rules.understood | ours)
        if foreign:
            sentence = f"header blocks that must be understood are not: {', '.join(foreign)[:300]}"
            raise SoapFault(FaultCode.MUST_UNDERSTAND, sentence, blocks=tuple(foreign))
        if self.rules.wants_addressing:
            addressing.require(self.said)
        if self._action not in self.rules.operations:
            known = ", ".join(self.rules.operations)
            sentence = f"the action {self._action[:100]!r} is not supported at this address; it supports {known}"
            raise addressing_fault(sentence, "ActionNotSupported", header="Action")

    def _identify(self, found: Envelope) -> None:
        """Who asks, as the message says; a fault of WS-Security where it cannot be proved (WSS 1.1 12)."""
        if self.rules.identify is None:
            return
        try:
            self.actor = self.rules.identify(found.blocks, self.actor)
        except NotAuthorized as error:
            raise SoapFault(FaultCode.SENDER, str(error), subcodes=(qname(WSSE, "FailedAuthentication"),)) from error


def _answered(status: int, sent: Outgoing) -> Answered:
    whole = sent.joined()
    return Answered(status, sent.content_type, sent.begun() if whole is None else whole, sent.size)

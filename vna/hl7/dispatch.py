"""From the bytes of a message to those of its answer: who sends, which type it is, who does what it says."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from vna import events as signals
from vna.hl7.acknowledgment import NO_CODING, Coding, acknowledge, code_of
from vna.hl7.message import Message, Segment, read, read_header
from vna.hl7.refusal import Condition, Refused
from vna.model.access import Actor
from vna.model.certificates import Certificate
from vna.model.errors import BadRequest, Conflict, NotAuthorized, NotFound, Rejected, Reused, RuleBroken, VnaError
from vna.model.message_charsets import UNDECLARED, codec_of
from vna.security.certificates import shown
from vna.security.sources import Sources

log = logging.getLogger(__name__)

VERSIONS: Final = frozenset(
    {"2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9", "2.9.1"}
)
_KEPT: Final = (3, 4)
_MOST_KEPT: Final = 180
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
PROCESSING_IDS: Final = frozenset({"P", "T", "D"})

Handler = Callable[[Actor, Message], bytes | None]
"""Does what a message says; returns when that is durable, with the acknowledgment where it is not a plain one. Raises
Refused, or an error of the model."""

Table = Mapping[str, Mapping[str, Handler]]
"""By message type and trigger event."""

_CONDITIONS: Final[tuple[tuple[type[VnaError], Condition, str], ...]] = (
    (BadRequest, Condition.DATA_TYPE, "text"),
    (NotFound, Condition.UNKNOWN_KEY, "unknown_order"),
    (Reused, Condition.DUPLICATE_KEY, "control_id"),
    (Conflict, Condition.UNKNOWN_KEY, "order_closed"),
    (RuleBroken, Condition.DATA_TYPE, ""),
    (Rejected, Condition.DATA_TYPE, "text"),
    (VnaError, Condition.INTERNAL, ""),
)
"""What an error of a use case is in HL7 table 0357, and by the rules of the national profile; those that may pass by
themselves are AR, so that the sender tries again."""

_PLACES: Final[Mapping[str, tuple[str | int, ...]]] = {
    "parts": ("OBX", 5),
    "findings": ("OBX", 5),
    "radiologist": ("OBX", 16),
}
"""The fields that rules of use cases are about."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Answers messages. `undeclared` is the codec of messages that do not name their character set."""

    table: Table
    sources: Sources
    undeclared: str = UNDECLARED
    coding: Coding = NO_CODING

    def answer(self, data: bytes, address: str, certificate: bytes = b"") -> bytes:
        """The acknowledgment; nothing is acknowledged with AA before it is durable."""
        started = time.monotonic()
        header = read_header(data, self.undeclared)
        answer, refused = None, None
        try:
            answer = self._handle(data, header, address, certificate)
        except Refused as exc:
            refused = exc
        except VnaError as exc:
            refused = _refusal(exc)
        except Exception:
            log.exception("message failed", extra={"address": address})
            refused = Refused(Condition.INTERNAL, "the archive failed at this message")
        self._tell(header, refused, address, time.monotonic() - started)
        return answer or acknowledge(header, refused, self.coding)

    def reject(self, data: bytes, words: str, address: str) -> bytes:
        """The answer to a message of which only the beginning was read."""
        header = read_header(data, self.undeclared)
        refused = Refused(Condition.DATA_TYPE, f"{words}: do not send it again as it is")
        self._tell(header, refused, address, 0.0)
        return acknowledge(header, refused)

    def _handle(self, data: bytes, header: Segment | None, address: str, certificate: bytes) -> bytes | None:
        if header is None:
            raise Refused(Condition.SEQUENCE, "this is no HL7 message: it does not begin with MSH", rejects=True)
        _require_bounded(header)
        actor = self._actor(header, address, shown(certificate) if certificate else None)
        message = self._read(data, header, actor)
        handler = self._handler(message)
        _require_current(message.header)
        return handler(actor, message)

    def _actor(self, header: Segment, address: str, certificate: Certificate | None) -> Actor:
        try:
            return self.sources.actor_for(header.value(3), header.value(4), address, certificate)
        except NotAuthorized as exc:
            if header.value(9, 1) in self.coding.kinds:
                raise RuleBroken(
                    "company", "MSH-3 and MSH-4 are not what a sender at this address is known by"
                ) from exc
            raise

    def _read(self, data: bytes, header: Segment, actor: Actor) -> Message:
        """In the character set of MSH-18, else in that which its sender declared."""
        source = self.sources.known(actor)
        declared = codec_of([source.messages.character_set]) if source and source.messages.character_set else None
        if declared is None or declared == self.undeclared:
            return read(data, header, self.undeclared)
        return read(data, read_header(data, declared) or header, declared)

    def _handler(self, message: Message) -> Handler:
        kind, event = message.type
        if not kind:
            raise Refused(Condition.REQUIRED, "MSH-9 does not say what kind of message it is", ("MSH", 9), rejects=True)
        events = self.table.get(kind)
        if events is None:
            known = ", ".join(self.table)
            raise Refused(Condition.MESSAGE_TYPE, f"messages of this type are not taken, only {known}", ("MSH", 9, 1))
        handler = events.get(event)
        if handler is None:
            raise Refused(Condition.EVENT, f"of {kind} only {', '.join(events)} are taken", ("MSH", 9, 2))
        return handler

    def _tell(self, header: Segment | None, refused: Refused | None, address: str, seconds: float) -> None:
        code = code_of(refused)
        kind = self._known_type(header)
        signals.emit("message.answered", type=kind, code=code.value, seconds=seconds)
        if refused is not None:
            log.warning(
                "message refused", extra={"type": kind, "code": code.value, "reason": str(refused), "address": address}
            )

    def _known_type(self, header: Segment | None) -> str:
        """For counting: a word of our table, never one that a sender made up."""
        kind, event = (header.value(9, 1), header.value(9, 2)) if header is not None else ("", "")
        return f"{kind}^{event}" if event in self.table.get(kind, ()) else "other"


def _refusal(exc: VnaError) -> Refused:
    condition, rule = next((condition, rule) for kind, condition, rule in _CONDITIONS if isinstance(exc, kind))
    rule = exc.rule if isinstance(exc, RuleBroken) else rule
    return Refused(condition, str(exc), _PLACES.get(rule, ()), rule=rule)


def _require_bounded(header: Segment) -> None:
    """The names of the sender are kept, whoever it is (HL7 v2.5 2.15.9)."""
    for field in _KEPT:
        value = header.value(field)
        if len(value) > _MOST_KEPT or _CONTROL.search(value):
            words = f"MSH-{field} has control characters in it, or more than {_MOST_KEPT} characters"
            raise Refused(Condition.DATA_TYPE, words, ("MSH", field), rejects=True)


def _require_current(header: Segment) -> None:
    if header.value(12) not in VERSIONS:
        raise Refused(Condition.VERSION, "MSH-12 names no version from 2.3 to 2.9", ("MSH", 12), rule="version")
    if header.value(11) not in PROCESSING_IDS:
        raise Refused(Condition.PROCESSING_ID, "MSH-11 is none of P, T and D", ("MSH", 11), rule="processing")
    if not header.value(10):
        raise Refused(
            Condition.REQUIRED, "MSH-10 is empty: the answer could not say to what", ("MSH", 10), rule="control_id"
        )

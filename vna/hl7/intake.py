"""Orders and reports come in: each message is read, checked, and done once."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Protocol

from storage.index.received import Receipt
from vna.hl7 import orm_o01, oru_r01
from vna.hl7.acknowledgment import Code, acknowledge
from vna.hl7.dispatch import Handler
from vna.hl7.field_table import Rules
from vna.hl7.headers import check_header
from vna.hl7.message import Message
from vna.model.access import Actor
from vna.model.profile import Profile
from vna.model.reports import Report
from vna.model.sources import MessageProfile, Messages
from vna.security.sources import Sources
from vna.worklist.orders import Orders
from vna.worklist.receipts import Receipts

_SOURCE = 128
"""What is kept of a sender's name."""


class Filing(Protocol):
    """Where reports go: filing the same again changes nothing."""

    def file(self, actor: Actor, report: Report) -> Report:
        """Keep it, and give it with its number."""


class Intake:
    """What order and report messages do."""

    def __init__(self, sources: Sources, orders: Orders, reports: Filing, receipts: Receipts, profile: Profile) -> None:
        self._sources = sources
        self._orders = orders
        self._reports = reports
        self._receipts = receipts
        self._profile = profile

    def events(self) -> Mapping[str, Mapping[str, Handler]]:
        """Trigger events by message type."""
        return {"ORM": {"O01": self._take_orders}, "ORU": {"R01": self._take_reports}}

    def _take_orders(self, actor: Actor, message: Message) -> bytes:
        rules = self._rules(actor, message)
        tidings = orm_o01.tidings(message, rules)
        receipt = _receipt(actor, message)
        answer = self._receipts.once(actor, receipt, lambda connection: self._orders.take(connection, actor, tidings))
        return answer.encode(message.header.codec, "replace")

    def _take_reports(self, actor: Actor, message: Message) -> bytes:
        found = oru_r01.reports(message, self._rules(actor, message))

        def work() -> None:
            for one in found:
                self._orders.expect(actor, one.report.key, one.patient)
            for one in found:
                self._reports.file(actor, one.report)

        answer = self._receipts.after(actor, _receipt(actor, message), work)
        return answer.encode(message.header.codec, "replace")

    def _rules(self, actor: Actor, message: Message) -> Rules:
        """By which the message is read, once its header is as they want it."""
        source = self._sources.known(actor)
        spoken = source.messages if source is not None else Messages()
        hl7 = self._profile.hl7
        rules = Rules(
            profile=hl7,
            sender=hl7.national if spoken.profile is MessageProfile.NATIONAL else hl7.hospital,
            markers=self._profile.matching.markers,
            zone=self._profile.zone,
            facility=actor.facility,
            source=actor.name[:_SOURCE],
        )
        check_header(message.header, rules, spoken.character_set)
        return rules


def _receipt(actor: Actor, message: Message) -> Receipt:
    header = message.header
    answer = acknowledge(header).decode(header.codec, "replace")
    source = f"{actor.kind.value}:{actor.name}"[:_SOURCE]
    return Receipt(source, header.value(10), digest(message), Code.ACCEPT.value, answer)


def digest(message: Message) -> bytes:
    """Of all that a message says but when it was sent (MSH-7), which a sender may write anew when it tries again."""
    header = message.header
    fields = header.text.split(header.delimiters.field)
    texts = (header.delimiters.field.join((*fields[:6], *fields[7:])), *(one.text for one in message.segments[1:]))
    return sha256("\r".join(texts).encode("utf-8", "replace")).digest()

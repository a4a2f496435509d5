"""Orders and reports come in: each message is read, checked, and done once."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from vna.hl7 import orm_o01, oru_r01
from vna.hl7.dispatch import Handler
from vna.hl7.field_table import Rules
from vna.hl7.headers import check_header
from vna.hl7.message import Message
from vna.hl7.receipt import SOURCE, receipt
from vna.model.access import Actor
from vna.model.profile import Profile
from vna.model.reports import Report
from vna.model.sources import MessageProfile, Messages
from vna.security.sources import Sources
from vna.worklist.orders import Orders
from vna.worklist.receipts import Receipts


class Filing(Protocol):
    """Where reports go: filing the same again changes nothing."""

    def file(self, actor: Actor, report: Report) -> Report:
        """Keep it, and give it with its number."""

    def judge(self, actor: Actor, reports: Sequence[Report]) -> None:
        """Raise what filing them would."""


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
        answer = self._receipts.once(
            actor, receipt(actor, message), lambda connection: self._orders.take(connection, actor, tidings)
        )
        return answer.encode(message.header.codec, "replace")

    def _take_reports(self, actor: Actor, message: Message) -> bytes:
        found = oru_r01.reports(message, self._rules(actor, message))

        def work() -> None:
            for one in found:
                self._orders.expect(actor, one.report.key, one.patient)
            if len(found) > 1:  # all of a message or nothing
                self._reports.judge(actor, [one.report for one in found])
            for one in found:
                self._reports.file(actor, one.report)

        answer = self._receipts.after(actor, receipt(actor, message), work)
        return answer.encode(message.header.codec, "replace")

    def _rules(self, actor: Actor, message: Message) -> Rules:
        """By which the message is read, once its header is as they want it."""
        source = self._sources.known(actor)
        spoken = source.messages if source is not None else Messages()
        hl7 = self._profile.hl7
        is_national = source is None or spoken.profile is MessageProfile.NATIONAL  # unknown: in local mode
        rules = Rules(
            profile=hl7,
            sender=hl7.national if is_national else hl7.hospital,
            markers=self._profile.matching.markers,
            zone=self._profile.zone,
            facility=actor.facility,
            source=actor.name[:SOURCE],
        )
        check_header(message.header, rules, spoken.character_set)
        return rules

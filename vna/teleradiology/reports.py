"""Reports: filed, approved and added to. What was approved never changes."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from storage.index import events
from storage.index import orders as order_rows
from storage.index import reports as rows
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.instances import Raced
from vna.model.access import Action, Actor, ActorKind
from vna.model.errors import BadRequest, Conflict, NotFound, RuleBroken, TooLarge, Unavailable
from vna.model.events import Event, EventKind
from vna.model.orders import OrderKey, Person
from vna.model.profile import Profile
from vna.model.reports import Report, ReportKind, ReportState
from vna.security.policy import Policy
from vna.teleradiology import report_objects
from vna.teleradiology.codes import Codes
from vna.teleradiology.outbound import send_report
from vna.teleradiology.own_orders import check_own
from vna.teleradiology.report_rules import RADIOLOGIST, check, kept

log = logging.getLogger(__name__)

Versions = Sequence[Report]

_ATTEMPTS = 5
_MOST_VERSIONS = 1000
_AHEAD = timedelta(minutes=5)
"""As far a clock may go before ours."""


class Radiologists(Protocol):
    """Who may approve reports, from a table or a service."""

    def may_approve(self, number: str) -> bool | None:
        """Whether this national number is a radiologist's; None when there is no list to look into."""


class NoList:
    """Nobody is asked."""

    def may_approve(self, number: str) -> bool | None:  # noqa: ARG002 (the protocol's)
        """Nothing is known."""
        return None


class Listed:
    """Those who are active in the code list `radiologists`, once there is one."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes

    def may_approve(self, number: str) -> bool | None:
        """Whether the list in force has them as active."""
        found = self._codes.radiologist(number)
        if found is not None:
            return found.active
        return False if self._codes.has("radiologists") else None


def nobody(facility: str) -> bool:  # noqa: ARG001 (told of by name)
    """No hospital takes reports."""
    return False


class Reports:
    """Reports by the order they are of. Whoever files one needs the right to report or to feed, whoever reads them to
    look up; who is of a facility has to do with those of orders that it ordered or performs, and of no other.

    `receives` says of a facility whether there is somebody there who takes reports made elsewhere.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        profile: Profile,
        radiologists: Radiologists | None = None,
        receives: Callable[[str], bool] = nobody,
    ) -> None:
        self._database = database
        self._policy = policy
        self._profile = profile
        self._radiologists = radiologists or NoList()
        self._receives = receives

    def file(self, actor: Actor, report: Report) -> Report:
        """Keep a version, and give it with its number.

        Number 0 takes the place of the draft that is open from the same source, or is a version of its own; any other
        is a draft to be replaced. After an approved report of its kind it is an addendum to that. What was approved
        already, word for word, is answered and not written again. The order need not be known yet.

        RuleBroken for what the profile refuses of an approved one, NotFound for a draft that is not known or another
        facility's order, Conflict for a number that was approved.
        """
        report = self._kept(actor, report)
        return self._write(actor, report.key, lambda known: _placed(known, report))

    def judge(self, actor: Actor, reports: Sequence[Report]) -> None:
        """What `file` raises for any of these, one after another, is raised, and none of them is filed."""
        known: dict[OrderKey, Versions] = {}
        for one in reports:
            report = self._kept(actor, one)
            if report.key not in known:
                with self._database.read() as connection:
                    known[report.key] = rows.of(connection, report.key)
            placed = _placed(known[report.key], report)
            if placed not in known[report.key] and placed.state is ReportState.APPROVED:
                check(placed, self._profile.reports)
            known[report.key] = (*known[report.key], placed)

    def approve(
        self, actor: Actor, key: OrderKey, number: int, by: Sequence[Person] = (), approved_at: str = ""
    ) -> Report:
        """Make a draft final: approved by these, or by whom it names. One that these approved is answered as it is,
        Conflict where somebody else did."""
        self._check_writes(actor, key)
        with self._database.read() as connection:
            draft = _named(rows.of(connection, key), number)
        if draft.state is ReportState.APPROVED:
            if not {one.number or one.name for one in by} <= {one.number or one.name for one in draft.radiologists}:
                raise Conflict("somebody else approved this version: what is to be said after it is an addendum")
            return draft
        said = replace(draft, radiologists=tuple(by) or draft.radiologists, approved_at=approved_at)
        self._check_approver(self._bounded(actor, said))

        def approved(known: Versions) -> Report:
            now = replace(_named(known, number), radiologists=said.radiologists, approved_at=approved_at)
            return _placed(known, replace(now, state=ReportState.APPROVED))

        return self._write(actor, key, approved)

    def of(self, actor: Actor, key: OrderKey) -> tuple[Report, ...]:
        """Every version, by number; none where nothing was reported. NotFound for another facility's order."""
        self._policy.check(actor, Action.LOOK_UP, str(key))
        with self._database.read() as connection:
            check_own(connection, actor, key)
            return rows.of(connection, key)

    def of_earlier(self, actor: Actor, key: OrderKey) -> tuple[Report, ...]:
        """Approved versions of an earlier examination, which may be any facility's: for who was given its `OrderId`."""
        self._policy.check(actor, Action.LOOK_UP, str(key))
        with self._database.read() as connection:
            return tuple(one for one in rows.of(connection, key) if one.state is ReportState.APPROVED)

    def is_known(self, actor: Actor, key: OrderKey) -> bool:
        """Whether the order itself has come. NotFound for another facility's."""
        self._policy.check(actor, Action.LOOK_UP, str(key))
        with self._database.read() as connection:
            check_own(connection, actor, key)
            return order_rows.find(connection, key) is not None

    def _check_writes(self, actor: Actor, key: OrderKey) -> None:
        self._policy.check(actor, Action.FEED if Action.FEED in actor.rights else Action.REPORT, str(key))
        with self._database.read() as connection:
            check_own(connection, actor, key)

    def _kept(self, actor: Actor, report: Report) -> Report:
        self._check_writes(actor, report.key)
        report = self._bounded(actor, report)
        if report.state is ReportState.APPROVED:
            self._check_approver(report)
        return report

    def _bounded(self, actor: Actor, report: Report) -> Report:
        """As it is kept. How the clock of a system that sends messages goes is told nobody by refusing its reports."""
        report = kept(report, self._profile.reports, self._profile.matching.markers)
        if actor.kind is not ActorKind.SOURCE and report.approved_at > self._now(_AHEAD):
            raise BadRequest("the time of approval is in the future")
        return report

    def _check_approver(self, report: Report) -> None:
        """Somebody approved it, and from the rule's date on a radiologist, by the ordering date where that is known."""
        if not any(one.number or one.name for one in report.radiologists):
            raise RuleBroken(RADIOLOGIST, "the report does not say who approved it")
        if report.kind is not ReportKind.RADIOLOGY:
            return
        with self._database.read() as connection:
            known = order_rows.find(connection, report.key)
        since = known.order.requested_at if known is not None else ""
        if not self._profile.reports.radiologist_check.in_force(since or report.approved_at or self._now()):
            return
        if any(self._radiologists.may_approve(one.number) is False for one in report.radiologists):
            raise RuleBroken(RADIOLOGIST, "who approved the report is not in the list of radiologists")

    def _write(self, actor: Actor, key: OrderKey, said: Callable[[Versions], Report]) -> Report:
        """What is said of the versions that are known, in one transaction with its event and its jobs."""
        sends = self._receives(key.facility) and not (actor.kind is ActorKind.SOURCE and actor.facility == key.facility)
        for _ in range(_ATTEMPTS):
            with suppress(Raced), self._database.transaction() as connection:
                rows.lock(connection, key)
                known = rows.of(connection, key)
                report = said(known)
                if report in known:
                    return report
                report = self._dated(report)
                if report.state is ReportState.APPROVED:
                    check(report, self._profile.reports)
                self._put(connection, known, report)
                self._tell(connection, actor, report)
                if report.state is ReportState.APPROVED and sends:
                    send_report(connection, report)
                return report
        raise Unavailable("too many are writing the report of this order")

    def _put(self, connection: Connection, known: Versions, report: Report) -> None:
        is_new = all(one.number != report.number for one in known)
        if is_new and len(known) >= _MOST_VERSIONS:
            raise TooLarge(f"the order has {_MOST_VERSIONS} versions of its report")
        if not (rows.add(connection, report) if is_new else rows.change(connection, report)):
            raise Raced

    def _tell(self, connection: Connection, actor: Actor, report: Report) -> None:
        if order_rows.find(connection, report.key) is None:
            log.warning("report of an order that is not known", extra={"facility": report.key.facility})
        write_jobs(connection, report)
        events.append(
            connection,
            EventKind.REPORT_CHANGED,
            at=events.read_time(report.received_at),
            actor=actor.name,
            study_instance_uid=str(report.key)[:64],
            detail={"report": report.as_plain()},
        )

    def _dated(self, report: Report) -> Report:
        report = replace(report, received_at=time_text(datetime.now(UTC)))
        if report.state is ReportState.DRAFT:
            return replace(report, approved_at="")
        return replace(report, approved_at=report.approved_at or self._now())

    def _now(self, ahead: timedelta = timedelta()) -> str:
        return (datetime.now(UTC) + ahead).astimezone(self._profile.zone).strftime("%Y%m%d%H%M%S")


def _placed(known: Versions, report: Report) -> Report:
    """Which version it is, and what it adds to; one that is known as it is when there is nothing new in it."""
    adds_to = _adds_to(known, report)
    same = [one for one in known if _says(one) == _says(report) and one.kind is report.kind]
    approved = [one for one in same if one.state is ReportState.APPROVED]
    if approved and not report.number:
        return approved[0]
    held = _held(known, report)
    number = held.number if held is not None else max((one.number for one in known), default=0) + 1
    report = replace(report, number=number, addendum_to=adds_to)
    if held is not None and replace(report, received_at=held.received_at, approved_at=held.approved_at) == held:
        return held
    return report


def _held(known: Versions, report: Report) -> Report | None:
    """The draft whose place it takes."""
    if not report.number:
        return next((one for one in known if _is_open(one, report)), None)
    held = _named(known, report.number)
    if held.state is ReportState.APPROVED:
        raise Conflict("an approved report does not change: what is to be said after it is an addendum")
    return held


def _is_open(one: Report, report: Report) -> bool:
    return one.state is ReportState.DRAFT and (one.kind, one.source) == (report.kind, report.source)


def _adds_to(known: Versions, report: Report) -> int:
    """The approved one that was named, else the one in its own right."""
    approved = [one.number for one in known if one.state is ReportState.APPROVED and one.kind is report.kind]
    if report.addendum_to in approved:
        return report.addendum_to
    if report.addendum_to:
        raise NotFound(f"there is no approved version {report.addendum_to} of this kind of report")
    return min(approved, default=0)


def _says(report: Report) -> object:
    """All that a reader learns of it."""
    return (
        report.parts,
        report.radiologists,
        (report.reason_rating, report.quality_rating),
        report.contrast,
        report.diagnoses,
    )


def _named(known: Versions, number: int) -> Report:
    for one in known:
        if one.number == number:
            return one
    raise NotFound(f"the order has no version {number} of its report")


def write_jobs(connection: Connection, report: Report) -> None:
    """What has to be done once a report is approved, and again after a reindex."""
    if report.state is ReportState.APPROVED:
        report_objects.queue(connection, report.key)


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of."""
    write_jobs(connection, rows.replay(connection, dict(event.detail["report"])))

"""The national side: from the profile to its use cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from storage.index.engine import Database
from vna.archive.reindex import Replay
from vna.hl7.report_sender import ReportSender
from vna.jobs.dispatch import Subscriber
from vna.jobs.retries import Ladder
from vna.jobs.workers import Work
from vna.model import profile
from vna.model.events import EventKind
from vna.model.profile import Profile
from vna.security.policy import Policy
from vna.security.sources import Sources
from vna.settings.national import NationalSettings
from vna.teleradiology import codes, reports
from vna.teleradiology.codes import Codes
from vna.teleradiology.outbound import SEND_REPORT
from vna.teleradiology.report_out import ReportsOut
from vna.teleradiology.reports import Reports
from vna.worklist import orders, performed
from vna.worklist.orders import Orders
from vna.worklist.performed import PerformedSteps
from vna.worklist.receipts import Receipts
from vna.worklist.schedule import Bounds, Schedule


@dataclass(frozen=True, slots=True)
class Worklist:
    """What the worklist has of the archive's own settings."""

    bounds: Bounds
    phonetic: bool


@dataclass(frozen=True, slots=True)
class National:
    """Use cases of orders, reports and rules, in one process."""

    database: Database
    profile: Profile
    orders: Orders
    receipts: Receipts
    codes: Codes
    reports: Reports
    reports_out: ReportsOut
    schedule: Schedule
    performed: PerformedSteps

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""
        return {}

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {SEND_REPORT: self.reports_out}

    def ladders(self) -> Mapping[str, Ladder]:
        """When jobs that failed are tried again, where that is not as usual."""
        return {SEND_REPORT: Ladder(self.profile.hl7.retry_seconds, self.profile.hl7.retry_days)}


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.ORDER_CHANGED: orders.replay,
    EventKind.CODES_LOADED: codes.replay,
    EventKind.REPORT_CHANGED: reports.replay,
    EventKind.STEP_CHANGED: performed.replay,
}
"""What a reindex does again."""


def build(
    settings: NationalSettings, database: Database, policy: Policy, worklist: Worklist, sources: Sources
) -> National:
    """Wire the national side; BadRequest when the site's profile cannot be read."""
    said = profile.read(Path(settings.profile) if settings.profile else None)
    known = Orders(database, policy)
    tables = Codes(database, policy)
    reports_known = Reports(database, policy, said, receives=lambda facility: bool(sources.receivers(facility)))

    def institution(facility: str) -> str:
        found = tables.facility(facility)
        return found.name if found is not None else ""

    return National(
        database=database,
        profile=said,
        orders=known,
        receipts=Receipts(database, policy, days=said.hl7.remembered_days),
        codes=tables,
        reports=reports_known,
        reports_out=ReportsOut(database, known, reports_known, sources.receivers, ReportSender(said)),
        schedule=Schedule(database, policy, worklist.bounds, phonetic=worklist.phonetic, institution=institution),
        performed=PerformedSteps(database, policy, known),
    )

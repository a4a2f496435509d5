"""The national side: from the profile to its use cases."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from storage.index.engine import Connection, Database
from vna.archive.deletion import Deletion
from vna.archive.reindex import Replay
from vna.archive.store import Admits, Store
from vna.board import SharedBoard
from vna.hl7.report_sender import ReportSender
from vna.jobs.dispatch import Subscriber
from vna.jobs.retries import Ladder
from vna.jobs.workers import Work
from vna.model import profile
from vna.model.audit import NoTrail, Trail
from vna.model.events import Event, EventKind
from vna.model.notifications import Payer
from vna.model.profile import Profile
from vna.security.links import Links
from vna.security.policy import Policy
from vna.security.sources import Sources
from vna.settings.national import MedulaSettings, NationalSettings
from vna.sgk.medula import Medula
from vna.teleradiology import codes, dose, looks, matching, notifying, quarantine, reports, standing
from vna.teleradiology.codes import Codes
from vna.teleradiology.dose import DOSE, Doses
from vna.teleradiology.duplicates import Duplicates
from vna.teleradiology.ending import END, Endings
from vna.teleradiology.guesses import Guesses
from vna.teleradiology.listings import Listings
from vna.teleradiology.looks import Looks
from vna.teleradiology.lookups import LookupRules, Lookups
from vna.teleradiology.matching import MATCH, Matching
from vna.teleradiology.notifying import NOTIFY, Notifying
from vna.teleradiology.order_ids import OrderIds
from vna.teleradiology.outbound import SEND_REPORT
from vna.teleradiology.quarantine import RELEASE, Quarantine
from vna.teleradiology.report_objects import STORE_REPORTS, ReportObjects
from vna.teleradiology.report_out import ReportsOut
from vna.teleradiology.reports import Listed, Reports
from vna.teleradiology.reprocessing import Reprocessing
from vna.teleradiology.rules import Rules
from vna.teleradiology.standing import STANDING, Standings
from vna.teleradiology.tracking import Tracking
from vna.teleradiology.unmatched import Unmatched
from vna.teleradiology.windows import Windows
from vna.worklist import orders, patients, performed
from vna.worklist.orders import Orders
from vna.worklist.performed import PerformedSteps
from vna.worklist.receipts import Receipts
from vna.worklist.schedule import Bounds, Schedule


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the national side has of the rest of the archive: settings of searches, and use cases.

    `affinity_domain` is the authority of patient identifiers, where there is one; `shared` is the folder by which the
    processes of this node agree.
    """

    database: Database
    policy: Policy
    bounds: Bounds
    phonetic: bool
    affinity_domain: str
    store: Store
    deletion: Deletion
    links: Links
    sources: Sources
    shared: Path
    trail: Trail = field(default_factory=NoTrail)


@dataclass(frozen=True, slots=True)
class National:
    """Use cases of orders, reports and rules, in one process."""

    database: Database
    profile: Profile
    orders: Orders
    codes: Codes
    reports: Reports
    reports_out: ReportsOut
    report_objects: ReportObjects
    lookups: Lookups
    schedule: Schedule
    performed: PerformedSteps
    rules: Rules
    doses: Doses
    standings: Standings
    endings: Endings
    notifying: Notifying
    duplicates: Duplicates
    looks: Looks
    tracking: Tracking
    receipts: Receipts
    matching: Matching
    unmatched: Unmatched
    quarantine: Quarantine
    listings: Listings
    reprocessing: Reprocessing
    order_ids: OrderIds

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""

        def standing(batch: Sequence[Event]) -> None:
            self.looks(batch)  # first: how an order stands depends on these
            self.doses(batch)
            self.standings(batch)

        return {
            "worklist": patients.following(self.database),
            "matching": self.matching,
            "report-objects": self.report_objects.notice,
            "standing": standing,
        }

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {
            MATCH: self.matching.every,
            RELEASE: self.quarantine,
            STORE_REPORTS: self.report_objects,
            SEND_REPORT: self.reports_out,
            STANDING: self.standings.every,
            END: self.endings,
            DOSE: self.doses.every,
            NOTIFY: self.notifying,
        }

    def ladders(self) -> Mapping[str, Ladder]:
        """When jobs that failed are tried again, where that is not as usual."""
        return {SEND_REPORT: Ladder(self.profile.hl7.retry_seconds, self.profile.hl7.retry_days)}


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.ORDER_CHANGED: orders.replay,
    EventKind.PREVIOUS_SEEN: looks.replay,
    EventKind.NOTIFICATION_CHANGED: notifying.replay,
    EventKind.CODES_LOADED: codes.replay,
    EventKind.REPORT_CHANGED: reports.replay,
    EventKind.STEP_CHANGED: performed.replay,
    EventKind.MATCH_CHANGED: matching.replay,
}
"""What a reindex does again."""


def after_reindex(connection: Connection) -> None:
    """What a rebuilt index has to find out again."""
    matching.again(connection)
    dose.again(connection)  # and then how orders stand
    notifying.after_reindex(connection)


def admission(settings: NationalSettings) -> Admits | None:
    """What storing asks about images that match no order; None where all of them are accepted."""
    return quarantine.admission(_profile(settings))


def authorities(settings: NationalSettings, affinity_domain: str) -> tuple[str, ...]:
    """The OIDs under which patients are known by their national number."""
    return _authorities(_profile(settings), affinity_domain)


def _authorities(said: Profile, affinity_domain: str) -> tuple[str, ...]:
    return tuple(sorted({said.national_authority, affinity_domain} - {""}))


def build(settings: NationalSettings, around: Surroundings) -> National:
    """Wire the national side; BadRequest when the site's profile, or a file that it names, cannot be read."""
    database, policy = around.database, around.policy
    said = _profile(settings)
    known, tables = Orders(database, policy), Codes(database, policy)
    rules = Rules(said, tables, _windows(settings, said))
    known_under = _authorities(said, around.affinity_domain)
    duplicates = Duplicates(database, policy, rules, known_under)
    receivers = around.sources.receivers
    filed = Reports(database, policy, said, Listed(tables), lambda facility: bool(receivers(facility)))
    match = Matching(database, policy, said.matching)

    def institution(facility: str) -> str:
        found = tables.facility(facility)
        return found.name if found is not None else ""

    def since() -> str:
        days = timedelta(days=said.worklist.days_back)
        return f"{datetime.now(said.zone) - days:%Y%m%d}" if days else ""

    payer = PAYERS[settings.payer](settings)
    endings, begin = Endings(database, known, said.worklist), notifying.begin if payer is not None else None
    standings = Standings(database, said, rules, known_under, begin, endings.notice)
    telling = Notifying(database, policy, said, tables, standings, payer)
    return National(
        database=database,
        profile=said,
        orders=known,
        receipts=Receipts(database, policy, days=said.hl7.remembered_days),
        codes=tables,
        reports=filed,
        reports_out=ReportsOut(database, known, filed, receivers, ReportSender(said)),
        report_objects=ReportObjects(database, around.store, around.deletion, said.reports),
        schedule=Schedule(
            database,
            policy,
            around.bounds,
            phonetic=around.phonetic,
            institution=institution,
            since=since,
            trail=around.trail,
        ),
        performed=PerformedSteps(database, policy, known),
        rules=rules,
        doses=Doses(database, standing.again),
        standings=standings,
        endings=endings,
        notifying=telling,
        duplicates=duplicates,
        looks=Looks(database, policy, said, rules, known_under),
        tracking=Tracking(database, policy),
        matching=match,
        unmatched=Unmatched(database, policy, said.matching),
        quarantine=Quarantine(database, policy, around.deletion),
        lookups=_lookups(settings, around, tables, duplicates, said, known_under),
        order_ids=OrderIds(database, policy),
        reprocessing=Reprocessing(database, policy, match, standings, telling),
        listings=Listings(database, policy, tables, said.zone),
    )


def _medula(settings: MedulaSettings) -> Payer:
    password = settings.password.get_secret_value()
    return Medula(settings.url, settings.user, password, timeout=settings.timeout, wsdl=settings.wsdl)


PAYERS: Mapping[str, Callable[[NationalSettings], Payer | None]] = {
    "": lambda _: None,
    "medula": lambda settings: _medula(settings.medula),
}
"""By what VNA_NATIONAL__PAYER says."""


def _windows(settings: NationalSettings, said: Profile) -> Windows:
    """A file that the profile names from its own folder."""
    return Windows(Path(settings.profile).parent / said.rules.windows if said.rules.windows else None)


def _lookups(
    settings: NationalSettings,
    around: Surroundings,
    known: Codes,
    duplicates: Duplicates,
    said: Profile,
    authorities: Sequence[str],
) -> Lookups:
    rules = LookupRules(
        markers=said.matching.markers,
        requires=said.notification.tells_accession,
        zone=said.zone,
        link_lifetime=timedelta(seconds=settings.link_lifetime),
        break_glass=settings.break_glass,
        authorities=tuple(authorities),
    )
    guesses = Guesses(lambda part: SharedBoard(around.shared, f"look-ups {part}"))
    return Lookups(around.database, around.policy, around.links, known, duplicates, rules, guesses)


def _profile(settings: NationalSettings) -> Profile:
    return profile.read(Path(settings.profile) if settings.profile else None)

"""The national side: from the profile to its use cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from storage.index.engine import Connection, Database
from vna.archive.deletion import Deletion
from vna.archive.reindex import Replay
from vna.archive.store import Store
from vna.board import SharedBoard
from vna.jobs.dispatch import Subscriber
from vna.jobs.workers import Work
from vna.model import profile
from vna.model.events import Event, EventKind
from vna.model.profile import Profile
from vna.security.links import Links
from vna.security.policy import Policy
from vna.settings.national import NationalSettings
from vna.teleradiology import codes, dose, looks, reports, standing
from vna.teleradiology.codes import Codes
from vna.teleradiology.dose import DOSE, Doses
from vna.teleradiology.duplicates import Duplicates
from vna.teleradiology.guesses import Guesses
from vna.teleradiology.looks import Looks
from vna.teleradiology.lookups import LookupRules, Lookups
from vna.teleradiology.report_objects import STORE_REPORTS, ReportObjects
from vna.teleradiology.reports import Listed, Reports
from vna.teleradiology.rules import Rules
from vna.teleradiology.standing import STANDING, Standings
from vna.teleradiology.tracking import Tracking
from vna.teleradiology.windows import Windows
from vna.worklist import orders, performed
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
    shared: Path


@dataclass(frozen=True, slots=True)
class National:
    """Use cases of orders, reports and rules, in one process."""

    database: Database
    profile: Profile
    orders: Orders
    codes: Codes
    reports: Reports
    report_objects: ReportObjects
    lookups: Lookups
    schedule: Schedule
    performed: PerformedSteps
    rules: Rules
    doses: Doses
    standings: Standings
    duplicates: Duplicates
    looks: Looks
    tracking: Tracking
    receipts: Receipts

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""

        def standing(batch: Sequence[Event]) -> None:
            self.doses(batch)  # first: how an order stands depends on them
            self.standings(batch)

        return {"report-objects": self.report_objects.notice, "standing": standing}

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {STORE_REPORTS: self.report_objects, STANDING: self.standings.every, DOSE: self.doses.every}


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.ORDER_CHANGED: orders.replay,
    EventKind.PREVIOUS_SEEN: looks.replay,
    EventKind.CODES_LOADED: codes.replay,
    EventKind.REPORT_CHANGED: reports.replay,
    EventKind.STEP_CHANGED: performed.replay,
}
"""What a reindex does again."""


def after_reindex(connection: Connection) -> None:
    """What a rebuilt index has to find out again."""
    dose.again(connection)  # and then how orders stand


def build(settings: NationalSettings, around: Surroundings) -> National:
    """Wire the national side; BadRequest when the site's profile, or a file that it names, cannot be read."""
    database, policy = around.database, around.policy
    said = profile.read(Path(settings.profile) if settings.profile else None)
    known, tables = Orders(database, policy), Codes(database, policy)
    rules = Rules(said, tables, _windows(settings, said))
    authorities = sorted({said.national_authority, around.affinity_domain} - {""})
    duplicates = Duplicates(database, policy, rules, authorities)

    def institution(facility: str) -> str:
        found = tables.facility(facility)
        return found.name if found is not None else ""

    return National(
        database=database,
        profile=said,
        orders=known,
        receipts=Receipts(database, policy, days=said.hl7.remembered_days),
        codes=tables,
        reports=Reports(database, policy, said, Listed(tables)),
        report_objects=ReportObjects(database, around.store, around.deletion, said.reports),
        schedule=Schedule(database, policy, around.bounds, phonetic=around.phonetic, institution=institution),
        performed=PerformedSteps(database, policy, known),
        rules=rules,
        doses=Doses(database, standing.again),
        standings=Standings(database, said, rules, authorities),
        duplicates=duplicates,
        looks=Looks(database, policy, said, rules, authorities),
        tracking=Tracking(database, policy),
        lookups=_lookups(settings, around, tables, duplicates, said),
    )


def _windows(settings: NationalSettings, said: Profile) -> Windows:
    """A file that the profile names from its own folder."""
    return Windows(Path(settings.profile).parent / said.rules.windows if said.rules.windows else None)


def _lookups(
    settings: NationalSettings, around: Surroundings, known: Codes, duplicates: Duplicates, said: Profile
) -> Lookups:
    rules = LookupRules(
        markers=said.matching.markers,
        requires=said.notification.tells_accession,
        zone=said.zone,
        link_lifetime=timedelta(seconds=settings.link_lifetime),
    )
    guesses = Guesses(lambda part: SharedBoard(around.shared, f"look-ups {part}"))
    return Lookups(around.database, around.policy, around.links, known, duplicates, rules, guesses)

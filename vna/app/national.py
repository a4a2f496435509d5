"""The national side: from the profile to its use cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from storage.index.engine import Connection, Database
from vna.archive.reindex import Replay
from vna.jobs.dispatch import Subscriber
from vna.jobs.workers import Work
from vna.model import profile
from vna.model.events import EventKind
from vna.model.profile import Profile
from vna.security.policy import Policy
from vna.settings.national import NationalSettings
from vna.teleradiology import codes, looks, reports, standing
from vna.teleradiology.codes import Codes
from vna.teleradiology.duplicates import Duplicates
from vna.teleradiology.looks import Looks
from vna.teleradiology.reports import Reports
from vna.teleradiology.rules import Rules
from vna.teleradiology.standing import STANDING, Standings
from vna.teleradiology.tracking import Tracking
from vna.teleradiology.windows import Windows
from vna.worklist import orders, performed
from vna.worklist.orders import Orders
from vna.worklist.performed import PerformedSteps
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
    codes: Codes
    reports: Reports
    schedule: Schedule
    performed: PerformedSteps
    rules: Rules
    standings: Standings
    duplicates: Duplicates
    looks: Looks
    tracking: Tracking

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""
        return {"standing": self.standings}

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {STANDING: self.standings.every}


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
    standing.again(connection)


def build(
    settings: NationalSettings, database: Database, policy: Policy, worklist: Worklist, affinity_domain: str = ""
) -> National:
    """Wire the national side; BadRequest when the site's profile, or a file that it names, cannot be read.

    `affinity_domain` is the authority of patient identifiers, where there is one.
    """
    said = profile.read(Path(settings.profile) if settings.profile else None)
    known = Orders(database, policy)
    tables = Codes(database, policy)
    rules = Rules(said, tables, _windows(settings, said))
    authorities = sorted({said.national_authority, affinity_domain} - {""})

    def institution(facility: str) -> str:
        found = tables.facility(facility)
        return found.name if found is not None else ""

    return National(
        database=database,
        profile=said,
        orders=known,
        codes=tables,
        reports=Reports(database, policy, said),
        schedule=Schedule(database, policy, worklist.bounds, phonetic=worklist.phonetic, institution=institution),
        performed=PerformedSteps(database, policy, known),
        rules=rules,
        standings=Standings(database, said, rules, authorities),
        duplicates=Duplicates(database, policy, rules, authorities),
        looks=Looks(database, policy, said, rules, authorities),
        tracking=Tracking(database, policy),
    )


def _windows(settings: NationalSettings, said: Profile) -> Windows:
    """A file that the profile names from its own folder."""
    return Windows(Path(settings.profile).parent / said.rules.windows if said.rules.windows else None)

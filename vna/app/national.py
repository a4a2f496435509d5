"""The national side: from the profile to its use cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from storage.index.engine import Database
from vna.archive.reindex import Replay
from vna.jobs.dispatch import Subscriber
from vna.jobs.workers import Work
from vna.model import profile
from vna.model.events import EventKind
from vna.model.profile import Profile
from vna.security.policy import Policy
from vna.settings.national import NationalSettings
from vna.teleradiology import codes, reports
from vna.teleradiology.codes import Codes
from vna.teleradiology.reports import Reports
from vna.worklist import orders, patients, performed
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

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""
        return {"worklist": patients.following(self.database)}

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {}


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.ORDER_CHANGED: orders.replay,
    EventKind.CODES_LOADED: codes.replay,
    EventKind.REPORT_CHANGED: reports.replay,
    EventKind.STEP_CHANGED: performed.replay,
}
"""What a reindex does again."""


def build(settings: NationalSettings, database: Database, policy: Policy, worklist: Worklist) -> National:
    """Wire the national side; BadRequest when the site's profile cannot be read."""
    said = profile.read(Path(settings.profile) if settings.profile else None)
    known = Orders(database, policy)
    tables = Codes(database, policy)

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
    )

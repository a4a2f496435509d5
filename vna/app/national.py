"""The national side: from the profile to its use cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.index.engine import Connection, Database
from vna.archive.reindex import Replay
from vna.jobs.dispatch import Subscriber
from vna.jobs.workers import Work
from vna.model import profile
from vna.model.events import Event, EventKind
from vna.model.profile import Profile
from vna.security.policy import Policy
from vna.settings.national import NationalSettings
from vna.teleradiology import codes, dose, looks, reports, standing
from vna.teleradiology.codes import Codes
from vna.teleradiology.dose import DOSE, Doses
from vna.teleradiology.duplicates import Duplicates
from vna.teleradiology.looks import Looks
from vna.teleradiology.reports import Reports
from vna.teleradiology.rules import Rules
from vna.teleradiology.standing import STANDING, Standings
from vna.teleradiology.tracking import Tracking
from vna.teleradiology.windows import Windows
from vna.worklist import orders
from vna.worklist.orders import Orders


@dataclass(frozen=True, slots=True)
class National:
    """Use cases of orders, reports and rules, in one process."""

    database: Database
    profile: Profile
    orders: Orders
    codes: Codes
    reports: Reports
    rules: Rules
    doses: Doses
    standings: Standings
    duplicates: Duplicates
    looks: Looks
    tracking: Tracking

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""

        def standing(batch: Sequence[Event]) -> None:
            self.doses(batch)  # first: how an order stands depends on them
            self.standings(batch)

        return {"standing": standing}

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {STANDING: self.standings.every, DOSE: self.doses.every}


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.ORDER_CHANGED: orders.replay,
    EventKind.PREVIOUS_SEEN: looks.replay,
    EventKind.CODES_LOADED: codes.replay,
    EventKind.REPORT_CHANGED: reports.replay,
}
"""What a reindex does again."""


def after_reindex(connection: Connection) -> None:
    """What a rebuilt index has to find out again."""
    dose.again(connection)  # and then how orders stand


def build(settings: NationalSettings, database: Database, policy: Policy, affinity_domain: str = "") -> National:
    """Wire the national side; BadRequest when the site's profile, or a file that it names, cannot be read.

    `affinity_domain` is the authority of patient identifiers, where there is one.
    """
    said = profile.read(Path(settings.profile) if settings.profile else None)
    known = Codes(database, policy)
    rules = Rules(said, known, _windows(settings, said))
    authorities = sorted({said.national_authority, affinity_domain} - {""})
    return National(
        database=database,
        profile=said,
        orders=Orders(database, policy),
        codes=known,
        reports=Reports(database, policy, said),
        rules=rules,
        doses=Doses(database, standing.again),
        standings=Standings(database, said, rules, authorities),
        duplicates=Duplicates(database, policy, rules, authorities),
        looks=Looks(database, policy, said, rules, authorities),
        tracking=Tracking(database, policy),
    )


def _windows(settings: NationalSettings, said: Profile) -> Windows:
    """A file that the profile names from its own folder."""
    return Windows(Path(settings.profile).parent / said.rules.windows if said.rules.windows else None)

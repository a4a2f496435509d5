"""The national side: from the profile to its use cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from storage.index.engine import Database
from vna.archive.reindex import Replay
from vna.jobs.dispatch import Subscriber
from vna.jobs.workers import Work
from vna.model import profile
from vna.model.events import EventKind
from vna.model.profile import Profile
from vna.security.links import Links
from vna.security.policy import Policy
from vna.settings.national import NationalSettings
from vna.teleradiology import codes, reports
from vna.teleradiology.codes import Codes
from vna.teleradiology.lookup_checks import covered
from vna.teleradiology.lookups import LookupRules, Lookups
from vna.teleradiology.reports import Reports
from vna.teleradiology.until_landed import SameCode
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
    lookups: Lookups

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""
        return {}

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {}


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.ORDER_CHANGED: orders.replay,
    EventKind.CODES_LOADED: codes.replay,
    EventKind.REPORT_CHANGED: reports.replay,
}
"""What a reindex does again."""


def build(settings: NationalSettings, database: Database, policy: Policy, links: Links) -> National:
    """Wire the national side; BadRequest when the site's profile cannot be read."""
    said = profile.read(Path(settings.profile) if settings.profile else None)
    known = Codes(database, policy)
    return National(
        database=database,
        profile=said,
        orders=Orders(database, policy),
        codes=known,
        reports=Reports(database, policy, said),
        lookups=_lookups(settings, database, policy, links, known, said),
    )


def _lookups(
    settings: NationalSettings, database: Database, policy: Policy, links: Links, known: Codes, said: Profile
) -> Lookups:
    rules = LookupRules(
        markers=said.matching.markers,
        requires=covered(said.notification.sut_codes).__contains__,
        zone=said.zone,
        link_lifetime=timedelta(seconds=settings.link_lifetime),
    )
    return Lookups(database, policy, links, known, SameCode(database), rules)

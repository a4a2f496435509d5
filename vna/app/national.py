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
from vna.worklist import orders
from vna.worklist.orders import Orders
from vna.worklist.receipts import Receipts


@dataclass(frozen=True, slots=True)
class National:
    """Use cases of orders, reports and rules, in one process."""

    database: Database
    profile: Profile
    orders: Orders
    receipts: Receipts

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""
        return {}

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {}


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.ORDER_CHANGED: orders.replay,
}
"""What a reindex does again."""


def build(settings: NationalSettings, database: Database, policy: Policy) -> National:
    """Wire the national side; BadRequest when the site's profile cannot be read."""
    said = profile.read(Path(settings.profile) if settings.profile else None)
    return National(
        database=database,
        profile=said,
        orders=Orders(database, policy),
        receipts=Receipts(database, policy, days=said.hl7.remembered_days),
    )

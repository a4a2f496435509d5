"""The national side: from the profile to its use cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from storage.index.engine import Connection, Database
from vna.archive.deletion import Deletion
from vna.archive.reindex import Replay
from vna.archive.store import Admits
from vna.jobs.dispatch import Subscriber
from vna.jobs.workers import Work
from vna.model import profile
from vna.model.events import EventKind
from vna.model.profile import Profile
from vna.security.policy import Policy
from vna.settings.national import NationalSettings
from vna.teleradiology import codes, matching, quarantine
from vna.teleradiology.codes import Codes
from vna.teleradiology.matching import MATCH, Matching
from vna.teleradiology.quarantine import RELEASE, Quarantine
from vna.teleradiology.unmatched import Unmatched
from vna.worklist import orders
from vna.worklist.orders import Orders


@dataclass(frozen=True, slots=True)
class National:
    """Use cases of orders, reports and rules, in one process."""

    database: Database
    profile: Profile
    orders: Orders
    codes: Codes
    matching: Matching
    unmatched: Unmatched
    quarantine: Quarantine

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""
        return {"matching": self.matching}

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {MATCH: self.matching.every, RELEASE: self.quarantine}


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.ORDER_CHANGED: orders.replay,
    EventKind.CODES_LOADED: codes.replay,
    EventKind.MATCH_CHANGED: matching.replay,
}
"""What a reindex does again."""


def after_reindex(connection: Connection) -> None:
    """What a rebuilt index has to find out again."""
    matching.again(connection)


def admission(settings: NationalSettings) -> Admits | None:
    """What storing asks about images that match no order; None where all of them are accepted."""
    return quarantine.admission(_profile(settings))


def build(settings: NationalSettings, database: Database, policy: Policy, deletion: Deletion) -> National:
    """Wire the national side; BadRequest when the site's profile cannot be read."""
    said = _profile(settings)
    return National(
        database=database,
        profile=said,
        orders=Orders(database, policy),
        codes=Codes(database, policy),
        matching=Matching(database, policy, said.matching),
        unmatched=Unmatched(database, policy, said.matching),
        quarantine=Quarantine(database, policy, deletion),
    )


def _profile(settings: NationalSettings) -> Profile:
    return profile.read(Path(settings.profile) if settings.profile else None)

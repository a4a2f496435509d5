"""How the archive is kept: its nodes, stores, copies and care; from settings to use cases."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from storage.blobs.base import BlobStore
from storage.index.engine import Connection, Database
from vna.app import corrections
from vna.archive import rejecting
from vna.archive.correcting import Corrections
from vna.archive.correction import Identify, nobody
from vna.archive.deletion import Deletion
from vna.archive.nodes import Nodes, nothing_waits
from vna.archive.refiling import REFILE, REFILE_LATER, Refiling
from vna.archive.reindex import Replay
from vna.archive.rejecting import REJECT, Rejections
from vna.archive.store import Store
from vna.identity.people import UNMERGE, People
from vna.jobs.dispatch import Subscriber
from vna.jobs.regular import Regular, Regularly
from vna.jobs.retries import Ladder
from vna.jobs.workers import Work
from vna.model.events import EventKind
from vna.security.policy import Policy
from vna.settings import Settings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What keeping has of the rest of the archive."""

    settings: Settings
    database: Database
    blobs: BlobStore
    policy: Policy
    store: Store
    deletion: Deletion
    identify: Identify = nobody


@dataclass(frozen=True, slots=True)
class Keeping:
    """Use cases of nodes, copies and care, in one process."""

    database: Database
    nodes: Nodes
    rejections: Rejections
    corrections: Corrections
    refiling: Refiling
    people: People

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""
        return {"rejections": rejecting.noticing(self.database)}

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {
            REJECT: self.rejections,
            REFILE: self.refiling,
            REFILE_LATER: self.refiling.later,
            UNMERGE: self.refiling.unmerged,
        }

    def ladders(self) -> Mapping[str, Ladder]:
        """When jobs that failed are tried again, where that is not as usual."""
        return {}

    def regularly(self) -> Regularly:
        """What makes jobs of what is due at regular times."""
        kinds: dict[str, Regular] = {}
        return Regularly(self.database, kinds)


REPLAYS: Mapping[EventKind, Replay] = {**corrections.REPLAYS}
"""What a reindex does again."""


def after_reindex(connection: Connection) -> None:
    """What a rebuilt index has to find out again."""
    corrections.after_reindex(connection)


def build(around: Surroundings) -> Keeping:
    """Wire it."""
    rules = corrections.rejection_rules(around.settings)
    return Keeping(
        database=around.database,
        nodes=_nodes(around),
        rejections=Rejections(around.database, around.blobs, around.policy, around.deletion, rules),
        corrections=Corrections(around.database, around.policy),
        refiling=Refiling(around.database, around.blobs, around.store, around.identify),
        people=People(around.database, around.policy),
    )


def _nodes(around: Surroundings) -> Nodes:
    settings = around.settings
    scheme = f"http://{settings.http.host}:{settings.http.port}"
    return Nodes(
        around.database,
        around.policy,
        name=settings.node.name or socket.gethostname()[:64],
        url=settings.node.url or scheme,
        waiting=nothing_waits,
    )

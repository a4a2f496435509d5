"""How the archive is kept: its nodes, stores, copies and care; from settings to use cases."""

from collections.abc import Mapping
from dataclasses import dataclass

from storage.blobs.base import BlobStore
from storage.index.engine import Connection, Database
from vna.app import commitment, corrections, spooling
from vna.app.commitment import Committing
from vna.archive import rejecting
from vna.archive.backup import Backup
from vna.archive.commitment import Commitments
from vna.archive.commitment import replay as replay_commitment
from vna.archive.deletion import Deletion
from vna.archive.nodes import Nodes
from vna.archive.reindex import Replay
from vna.archive.rejecting import REJECT, Rejections
from vna.archive.store import Store
from vna.jobs.dispatch import Subscriber
from vna.jobs.regular import Regular, Regularly
from vna.jobs.retries import Ladder
from vna.jobs.workers import Work
from vna.model.events import EventKind
from vna.security.peers import Peers
from vna.security.policy import Policy
from vna.settings import Settings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What keeping has of the rest of the archive."""

    settings: Settings
    database: Database
    blobs: BlobStore
    policy: Policy
    peers: Peers
    store: Store
    deletion: Deletion


@dataclass(frozen=True, slots=True)
class Keeping:
    """Use cases of nodes, copies and care, in one process."""

    database: Database
    nodes: Nodes
    committing: Committing
    rejections: Rejections
    backup: Backup

    @property
    def commitments(self) -> Commitments:
        """Requests for storage commitment."""
        return self.committing.commitments

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""
        return {
            **self.committing.subscribers(),
            "rejections": rejecting.noticing(self.database),
        }

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {
            **self.committing.works(),
            REJECT: self.rejections,
        }

    def ladders(self) -> Mapping[str, Ladder]:
        """When jobs that failed are tried again, where that is not as usual."""
        return {**self.committing.ladders()}

    def regularly(self) -> Regularly:
        """What makes jobs of what is due at regular times."""
        kinds: dict[str, Regular] = {**self.committing.regularly()}
        return Regularly(self.database, kinds)


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.COMMITMENT_CHANGED: replay_commitment,
    **corrections.REPLAYS,
}
"""What a reindex does again."""


def after_reindex(connection: Connection) -> None:
    """What a rebuilt index has to find out again."""
    rejecting.after_reindex(connection)


def build(around: Surroundings) -> Keeping:
    """Wire it."""
    rules = corrections.rejection_rules(around.settings)
    return Keeping(
        database=around.database,
        nodes=_nodes(around),
        committing=commitment.build(around),
        rejections=Rejections(around.database, around.blobs, around.policy, around.deletion, rules),
        backup=Backup(around.database, around.blobs, around.policy),
    )


def _nodes(around: Surroundings) -> Nodes:
    settings = around.settings
    scheme = f"http://{settings.http.host}:{settings.http.port}"
    return Nodes(
        around.database,
        around.policy,
        name=spooling.node_name(settings),
        url=settings.node.url or scheme,
        waiting=spooling.waiting(around.blobs),
    )

"""How the archive is kept: its nodes, stores, copies and care; from settings to use cases."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from storage.blobs.base import BlobStore
from storage.index.engine import Connection, Database
from vna.app import backups
from vna.archive.backup import Backup
from vna.archive.backup_standing import BackupStanding
from vna.archive.deletion import Deletion
from vna.archive.nodes import Nodes, nothing_waits
from vna.archive.reindex import Replay
from vna.archive.store import Store
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


@dataclass(frozen=True, slots=True)
class Keeping:
    """Use cases of nodes, copies and care, in one process."""

    database: Database
    nodes: Nodes
    settings: Settings
    backup: Backup
    backup_standing: BackupStanding

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""
        return {}

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {**backups.works(self.settings, self.database, self.backup, self.backup_standing)}

    def ladders(self) -> Mapping[str, Ladder]:
        """When jobs that failed are tried again, where that is not as usual."""
        return {}

    def regularly(self) -> Regularly:
        """What makes jobs of what is due at regular times."""
        kinds: dict[str, Regular] = {**backups.regularly(self.settings)}
        return Regularly(self.database, kinds)


REPLAYS: Mapping[EventKind, Replay] = {}
"""What a reindex does again."""


def after_reindex(connection: Connection) -> None:
    """What a rebuilt index has to find out again."""


def build(around: Surroundings) -> Keeping:
    """Wire it."""
    return Keeping(
        database=around.database,
        nodes=_nodes(around),
        settings=around.settings,
        backup_standing=BackupStanding(around.database, around.policy, backups.plan_of(around.settings)),
        backup=Backup(around.database, around.blobs, around.policy),
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

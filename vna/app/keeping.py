"""How the archive is kept: its nodes, stores, copies and care; from settings to use cases."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from storage.blobs.base import BlobStore
from storage.index.engine import Connection, Database
from vna.app import backups, care, commitment, corrections, forwarding, spooling
from vna.app.care import Caring
from vna.app.certificates import Certificates
from vna.app.commitment import Committing
from vna.app.data_folder import identity
from vna.app.forwarding import Sending
from vna.app.remotes import Remotes
from vna.archive import holds, purging, rejecting
from vna.archive.backup import Backup
from vna.archive.backup_standing import BackupStanding
from vna.archive.commitment import Commitments
from vna.archive.commitment import replay as replay_commitment
from vna.archive.correcting import Corrections
from vna.archive.correction import Identify, nobody
from vna.archive.deletion import Deletion
from vna.archive.exporting import Exports
from vna.archive.holds import Holds
from vna.archive.nodes import Nodes
from vna.archive.placement import MOVE, PLACE, TAKE_AWAY, TIDY, Placement, PlacementRule, stores_of
from vna.archive.refiling import REFILE, REFILE_LATER, Refiling
from vna.archive.reindex import Replay
from vna.archive.rejecting import REJECT, Rejections
from vna.archive.replicas import REPAIR, Replicas
from vna.archive.retrieve import Retrieval
from vna.archive.store import Store
from vna.archive.stores import Stores
from vna.identity.people import UNMERGE, People
from vna.jobs.dispatch import Subscriber
from vna.jobs.regular import Regular, Regularly
from vna.jobs.retries import Ladder
from vna.jobs.schedule import Schedule
from vna.jobs.workers import Work
from vna.model.events import EventKind
from vna.routing import forwarding as forwards
from vna.security.peers import Peers
from vna.security.policy import Policy
from vna.security.sources import Sources
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
    retrieval: Retrieval
    sources: Sources
    remotes: Remotes
    shared: Path
    certificates: Certificates
    identify: Identify = nobody
    regularly: Mapping[str, Regular] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keeping:
    """Use cases of nodes, copies and care, in one process."""

    database: Database
    nodes: Nodes
    settings: Settings
    holds: Holds
    care: Caring
    kinds: Mapping[str, Regular]
    schedule: Schedule
    stores: Stores
    replicas: Replicas
    placement: Placement
    committing: Committing
    rejections: Rejections
    forwarding: Sending
    backup: Backup
    backup_standing: BackupStanding
    corrections: Corrections
    refiling: Refiling
    people: People
    exports: Exports

    @property
    def commitments(self) -> Commitments:
        """Requests for storage commitment."""
        return self.committing.commitments

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""
        return {
            **self.committing.subscribers(),
            **self.forwarding.subscribers(),
            "rejections": rejecting.noticing(self.database),
        }

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {
            **backups.works(self.settings, self.database, self.backup, self.backup_standing),
            **self.care.works(),
            PLACE: self.placement.place,
            MOVE: self.placement.move,
            TAKE_AWAY: self.placement.take_away,
            TIDY: self.placement.tidy,
            REPAIR: self.replicas,
            **self.committing.works(),
            **self.forwarding.works(),
            REJECT: self.rejections,
            REFILE: self.refiling,
            REFILE_LATER: self.refiling.later,
            UNMERGE: self.refiling.unmerged,
        }

    def ladders(self) -> Mapping[str, Ladder]:
        """When jobs that failed are tried again, where that is not as usual."""
        return {**self.committing.ladders(), **self.forwarding.ladders()}

    def regularly(self) -> Regularly:
        """What makes jobs of what is due at regular times."""
        return Regularly(self.database, self.kinds)


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.HOLD_CHANGED: holds.replay,
    EventKind.INSTANCE_PURGED: purging.replay,
    EventKind.COMMITMENT_CHANGED: replay_commitment,
    EventKind.INSTANCES_FORWARDED: forwards.replay,
    **corrections.REPLAYS,
}
"""What a reindex does again."""


def after_reindex(connection: Connection) -> None:
    """What a rebuilt index has to find out again."""
    corrections.after_reindex(connection)
    forwards.after_reindex(connection)


def build(around: Surroundings) -> Keeping:
    """Wire it."""
    settings, database, blobs, policy = around.settings, around.database, around.blobs, around.policy
    rules = corrections.rejection_rules(settings)
    replicas, placement = Replicas(blobs, policy), Placement(database, blobs, _rules(settings))
    committing = commitment.build(around, replicas.repair)
    kinds = {
        **care.regularly(settings),
        **committing.regularly(),
        **backups.regularly(settings),
        **around.regularly,
        TIDY: Regular(timedelta(days=1), at_once=False),
    }
    if placement.is_on:
        kinds[PLACE] = Regular(timedelta(hours=1))
    return Keeping(
        database=database,
        nodes=_nodes(around),
        settings=settings,
        holds=Holds(database, policy),
        care=care.build(settings, database, blobs, policy, around.deletion, replicas.repair),
        kinds=kinds,
        schedule=Schedule(database, policy, kinds),
        committing=committing,
        rejections=Rejections(database, blobs, policy, around.deletion, rules),
        forwarding=forwarding.build(around),
        backup=Backup(database, blobs, policy),
        backup_standing=BackupStanding(database, policy, backups.plan_of(settings)),
        stores=Stores(database, blobs, policy),
        replicas=replicas,
        placement=placement,
        corrections=Corrections(around.database, around.policy),
        refiling=Refiling(around.database, around.blobs, around.store, around.identify),
        people=People(around.database, around.policy),
        exports=Exports(database, around.retrieval, policy),
    )


def _rules(settings: Settings) -> list[PlacementRule]:
    return [
        PlacementRule(
            one.modality,
            one.facility,
            timedelta(days=one.age_days),
            one.since == "study",
            stores_of(one.store, one.replicas),
        )
        for one in settings.storage.placement
    ]


def _nodes(around: Surroundings) -> Nodes:
    settings = around.settings
    scheme = f"http://{settings.http.host}:{settings.http.port}"
    return Nodes(
        around.database,
        around.policy,
        name=spooling.node_name(settings),
        url=settings.node.url or scheme,
        waiting=spooling.waiting(around.blobs),
        identity=partial(identity, settings.data_dir),
        spools=settings.storage.acknowledge == "spool",
    )

"""How the archive is guarded: its audit trail; from settings to use cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from storage.blobs.base import BlobStore
from storage.index.engine import Connection, Database
from vna.app import national
from vna.archive.reindex import Replay
from vna.audit import key as keys
from vna.audit.key import AuditKey
from vna.audit.trail import AuditTrail
from vna.jobs.dispatch import Subscriber
from vna.jobs.regular import Regular
from vna.jobs.retries import Ladder
from vna.jobs.workers import Work
from vna.model.audit import NoTrail, Trail
from vna.model.events import EventKind
from vna.security import permits
from vna.security.permits import Permits
from vna.security.policy import AuditedPolicy, Policy
from vna.security.reach import StudiesReached
from vna.settings import Settings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What guarding has of the rest of the archive."""

    settings: Settings
    database: Database
    blobs: BlobStore
    policy: Policy
    trail: Trail


@dataclass(frozen=True, slots=True)
class Guarding:
    """Use cases of the audit trail, in one process."""

    trail: Trail
    permits: Permits
    kinds: Mapping[str, Regular]

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""
        return {}

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {}

    def ladders(self) -> Mapping[str, Ladder]:
        """When jobs that failed are tried again, where that is not as usual."""
        return {}


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.PERMIT_CHANGED: permits.replay,
    EventKind.FACILITY_CHANGED: permits.replay_facility,
}
"""What a reindex does again."""


def after_reindex(connection: Connection) -> None:
    """What a rebuilt index has to find out again."""


def build(around: Surroundings) -> Guarding:
    """Wire it."""
    return Guarding(trail=around.trail, permits=Permits(around.database, around.policy), kinds={})


def trail(settings: Settings, database: Database) -> Trail:
    """Where records go."""
    return AuditTrail(database, audit_key(settings)) if settings.audit.on else NoTrail()


def reaching(settings: Settings, database: Database) -> StudiesReached:
    """Whose studies each role reaches; national numbers are known under the authorities of look-ups."""
    authorities = cache(partial(national.authorities, settings.national, settings.xds.affinity_domain))
    return StudiesReached(database, authorities, public_grants=settings.access.public_grants)


def audited(policy: Policy, trail: Trail) -> Policy:
    """A policy whose answers are written down, where anything is."""
    return policy if isinstance(trail, NoTrail) else AuditedPolicy(policy, trail)


def audit_key(settings: Settings) -> AuditKey:
    """The key of the trail; the one in the data folder is made when it is not there."""
    if settings.audit.key_file:
        return keys.read(Path(settings.audit.key_file))
    path = settings.data_dir / "audit.key"
    keys.make(path)
    return keys.read(path)

"""How the archive is guarded: its audit trail; from settings to use cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from pathlib import Path

from storage.blobs.base import BlobStore
from storage.index.engine import Connection, Database
from vna.app import atna, national, spooling
from vna.archive.reindex import Replay
from vna.audit import key as keys
from vna.audit.authority import Authority
from vna.audit.chain import CHAIN, Chain
from vna.audit.clock_watch import ClockWatch
from vna.audit.delivery import DELIVER, unsent
from vna.audit.expiring import EXPIRE, SHORT, Expiring
from vna.audit.key import AuditKey
from vna.audit.noticing import Noticing
from vna.audit.reading import Reading
from vna.audit.seals import Sealing
from vna.audit.timestamps import HttpAuthority
from vna.audit.trail import AuditTrail
from vna.audit.verifying import Verification
from vna.audit.watching import WATCH, Watching
from vna.jobs.dispatch import Subscriber
from vna.jobs.regular import Regular
from vna.jobs.retries import Ladder
from vna.jobs.workers import Work
from vna.metrics import Gauges
from vna.model.audit import AuditKind, NoTrail, Trail
from vna.model.events import EventKind
from vna.security import permits
from vna.security.permits import Permits
from vna.security.policy import AuditedPolicy, Policy
from vna.security.reach import StudiesReached
from vna.settings import Settings
from vna.settings.audit import AuditSettings

_YEAR = timedelta(days=365.25)
_WATCH_SECONDS = 10


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

    database: Database
    trail: Trail
    reading: Reading
    verification: Verification
    clock: ClockWatch
    permits: Permits
    kinds: Mapping[str, Regular]
    subscribed: Mapping[str, Subscriber]
    does: Mapping[str, Work]

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""
        return self.subscribed

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return self.does

    def ladders(self) -> Mapping[str, Ladder]:
        """When jobs that failed are tried again, where that is not as usual."""
        return atna.LADDERS

    def gauges(self) -> Gauges:
        """How it stands, as numbers."""
        return unsent(self.database) if DELIVER in self.does else {}


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.PERMIT_CHANGED: permits.replay,
    EventKind.FACILITY_CHANGED: permits.replay_facility,
}
"""What a reindex does again."""


def after_reindex(connection: Connection) -> None:
    """What a rebuilt index has to find out again."""


def build(around: Surroundings) -> Guarding:
    """Wire it."""
    settings, database, blobs, policy, trail = (
        around.settings.audit,
        around.database,
        around.blobs,
        around.policy,
        around.trail,
    )
    key, authority = audit_key(around.settings), _authority(settings)
    kinds: dict[str, Regular] = {}
    works: dict[str, Work] = {}
    subscribers: dict[str, Subscriber] = {}
    if isinstance(trail, AuditTrail):
        subscribers["audit"] = Noticing(database, trail)
        sealing = Sealing(database, blobs, key, authority, timedelta(seconds=settings.seal_seconds))
        works[CHAIN] = Chain(database, key, sealing)
        works[EXPIRE] = Expiring(database, blobs, key, trail, _ages(settings))
        works[WATCH] = Watching(database, key, trail, is_on=settings.watch_database)
        kinds[CHAIN] = Regular(timedelta(seconds=settings.chain_seconds), priority=0)
        kinds[EXPIRE] = Regular(timedelta(days=1), at_once=False)
        if settings.watch_database and not database.is_sqlite:
            kinds[WATCH] = Regular(timedelta(seconds=_WATCH_SECONDS), priority=0)
        kinds |= atna.regularly(around.settings)
        works |= atna.works(around.settings, database)
    return Guarding(
        database=database,
        trail=trail,
        permits=Permits(database, policy),
        reading=Reading(database, policy, trail),
        clock=ClockWatch(
            trail,
            node=spooling.node_name(around.settings),
            server=settings.time_server,
            most=settings.time_offset,
            every=settings.time_seconds,
        ),
        verification=Verification(database, blobs, policy, key, authority),
        kinds=kinds,
        subscribed=subscribers,
        does=works,
    )


def _ages(settings: AuditSettings) -> dict[AuditKind, timedelta]:
    years = {kind: settings.other_years if kind in SHORT else settings.years for kind in AuditKind}
    return {kind: kept * _YEAR for kind, kept in years.items() if kept}


def _authority(settings: AuditSettings) -> Authority | None:
    certificates = Path(settings.timestamp_ca) if settings.timestamp_ca else None
    if not settings.timestamp_url and certificates is None:
        return None
    return HttpAuthority(settings.timestamp_url, certificates)


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


def session(settings: Settings) -> str:
    """What sessions of a node show the database."""
    return audit_key(settings).session() if settings.audit.on else ""


def audit_key(settings: Settings) -> AuditKey:
    """The key of the trail; the one in the data folder is made when it is not there."""
    if settings.audit.key_file:
        return keys.read(Path(settings.audit.key_file))
    path = settings.data_dir / "audit.key"
    keys.make(path)
    return keys.read(path)

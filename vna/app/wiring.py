"""From settings to use cases."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from storage import journal, spool
from storage.blobs.base import BlobStore
from storage.index import migrate
from storage.index.engine import Connection, Database
from storage.limits import Limits
from vna.app import corrections, guarding, keeping, logins, national, spooling
from vna.app.blobs import blob_store, ready_blobs, store_itself
from vna.app.certificates import Certificates, for_calls
from vna.app.communities import clients
from vna.app.guarding import Guarding
from vna.app.keeping import Keeping
from vna.app.logins import Logins
from vna.app.national import National
from vna.app.remotes import Remotes
from vna.archive import merging
from vna.archive.care import Care
from vna.archive.changes import Changes
from vna.archive.deletion import Deletion
from vna.archive.merging import Merging
from vna.archive.nodes import newer_runs
from vna.archive.reindex import Reindex, Replay
from vna.archive.rendered import Rendering
from vna.archive.restore import refuse_half_restored
from vna.archive.retrieve import Retrieval
from vna.archive.search import Search
from vna.archive.space import Space
from vna.archive.status import Status
from vna.archive.store import Duplicates, Store, StoreRules
from vna.archive.tags import FILL, SearchTags, filling
from vna.board import SharedBoard
from vna.documents import domain, own_oid, profile, publishing
from vna.documents.affinity import own_identifier
from vna.documents.changes import replaying
from vna.documents.communities import Directory
from vna.documents.descriptions import Describing
from vna.documents.imaging_source import ImagingSource
from vna.documents.initiating_gateway import InitiatingGateway
from vna.documents.own_oid import OwnOid
from vna.documents.own_repository import OwnMetadata, OwnRepository
from vna.documents.publisher import Destination, Publisher
from vna.documents.publishing import PUBLISH, Publishing, noticing
from vna.documents.registry import Registry, RegistryRules
from vna.documents.removing import REMOVE, Removing
from vna.documents.reports import Reports
from vna.documents.repository import InMemory, Repository
from vna.documents.responding_gateway import RespondingGateway
from vna.documents.unanswered import SETTLE
from vna.identity import hospital
from vna.identity import patients as identity
from vna.identity.hospital import UPDATE, HospitalPatients
from vna.identity.patients import MERGE, Patients
from vna.jobs.desk import Jobs
from vna.jobs.dispatch import Dispatcher
from vna.jobs.workers import Work, Workers
from vna.model.access import SYSTEM, Actor, Coercion
from vna.model.documents import Submission
from vna.model.errors import Unavailable
from vna.model.events import Event, EventKind
from vna.model.identifiers import PatientIdentifier, PatientKey
from vna.model.priority import Priority
from vna.pacing import Pace
from vna.routing import asking, manifests, prefetch_rules, prefetch_tasks
from vna.routing.across import Across
from vna.routing.discovery import Discovery
from vna.routing.downloads import FETCH, Fetching
from vna.routing.eviction import EVICT, Eviction, Room
from vna.routing.fetching import Fetch
from vna.routing.manifests import Manifests
from vna.routing.migration import Migration
from vna.routing.on_demand import FetchRules, OnDemand
from vna.routing.prefetch import Prefetch
from vna.routing.prefetch_tasks import PREFETCH
from vna.routing.reconciliation import Reconciling
from vna.routing.same_patient import SamePatient
from vna.routing.survey import SURVEY, Survey
from vna.routing.trial import Trial
from vna.security import sources
from vna.security.accounts import Accounts
from vna.security.links import Links
from vna.security.peers import Peers
from vna.security.policy import EnforcedPolicy, LocalPolicy, Policy
from vna.security.sources import Sources
from vna.settings import FederationSettings, SecurityMode, Settings, XdsSettings
from vna.turns import Turns
from vna.worklist.schedule import Bounds
from xds.community_client import CommunityClient
from xds.ebrim.writing import rendition
from xds.remote import RemoteMetadata, RemoteRepository
from xds.remote_registry import RemoteRegistry

SHARED = "turns"
"""The folder of the data folder in which the processes of this node agree whose turn it is."""


@dataclass(frozen=True, slots=True)
class Application:
    """Everything that doors and commands work with, in one process."""

    settings: Settings
    database: Database
    blobs: BlobStore
    policy: Policy
    peers: Peers
    logins: Logins
    links: Links
    store: Store
    search: Search
    across: Across
    tags: SearchTags
    retrieval: Retrieval
    rendering: Rendering
    deletion: Deletion
    changes: Changes
    jobs: Jobs
    care: Care
    reindex: Reindex
    status: Status
    sources: Sources
    remotes: Remotes
    trial: Trial
    migration: Migration
    reconciling: Reconciling
    on_demand: OnDemand
    fetching: Fetching
    manifests: Manifests
    survey: Survey
    eviction: Eviction
    prefetch: Prefetch
    patients: Patients
    hospitals: HospitalPatients
    documents: Registry
    repository: Repository
    imaging: ImagingSource
    space: Space
    publishing: Publishing
    reports: Reports
    publisher: Publisher
    merging: Merging
    responding: RespondingGateway | None
    initiating: InitiatingGateway | None
    communities: Mapping[str, CommunityClient]
    removing: Removing
    national: National
    keeping: Keeping
    certificates: Certificates
    guarding: Guarding

    @property
    def local(self) -> bool:
        """Whether nobody has to log in."""
        return self.settings.security.mode is SecurityMode.LOCAL

    @property
    def accounts(self) -> Accounts:
        """Users and tokens."""
        return self.logins.accounts

    def dispatcher(self) -> Dispatcher:
        """What hands events to their subscribers."""
        idle = self.settings.xds.publish_after
        noticed = noticing(self.database, timedelta(seconds=idle) if idle else None)
        known = manifests.noticing(self.database)
        subscribers = {"journal": self._journal, "publishing": noticed, "manifests": known}
        if self.prefetch.is_on:
            subscribers["prefetch"] = prefetch_tasks.noticing(self.database)
        subscribers |= {
            **self.national.subscribers(),
            **self.keeping.subscribers(),
            **self.guarding.subscribers(),
        }
        return Dispatcher(self.database, subscribers, newer_runs)

    def turns(self, door: str, *, waiting: int = 100) -> Turns:
        """Whose turn it is at one of our doors, of whose requests so many wait in this process."""
        settings, folder = self.settings, self.settings.data_dir / SHARED
        rates = {
            Priority.BULK: int(settings.priority.bulk_bandwidth),
            Priority.ROUTINE: int(settings.priority.routine_bandwidth),
        }
        most = {Priority.BULK: settings.priority.bulk_requests, Priority.ROUTINE: settings.priority.routine_requests}
        pace = Pace(0, most=rates, board=SharedBoard(folder, "our doors"))
        return Turns(door, most, pace, folder, waiting=waiting)

    def workers(self) -> Workers:
        """What does durable jobs."""
        works: dict[str, Work] = {
            FILL: filling(self.database),
            MERGE: self.merging,
            UPDATE: self.merging.update,
            PUBLISH: self.publisher,
            SETTLE: partial(self.repository.settle, SYSTEM),
            manifests.READ: self.manifests,
            manifests.RATE: self.manifests.rate,
            SURVEY: self.survey,
            FETCH: self.fetching,
            EVICT: self.eviction,
            PREFETCH: self.prefetch,
        }
        works[REMOVE] = self.removing
        return Workers(
            self.database,
            {**works, **self.national.works(), **self.keeping.works(), **self.guarding.works()},
            threads=self.settings.jobs.workers,
            ladders={**self.national.ladders(), **self.keeping.ladders(), **self.guarding.ladders()},
        )

    def catch_up(self) -> None:
        """Do what is pending and due now, unless an archive is running that does it."""
        if self.dispatcher().drain():
            self.workers().drain()

    def _journal(self, batch: Sequence[Event]) -> None:
        journal.write(self.blobs, batch)

    def close(self) -> None:
        """Let go of connections."""
        self.on_demand.close()
        for client in self.communities.values():
            client.close()
        self.remotes.close()
        self.database.close()


def build(settings: Settings, *, policy: Policy | None = None, certificates: Certificates | None = None) -> Application:
    """Wire an archive; nothing is started, and the schema has to be there (`prepare`). Doors need `certificates`, which
    commands do without: they may be run by somebody who cannot read the keys."""
    certificates = certificates or for_calls(settings)
    memory = settings.data_dir / "primary"
    shown, most = guarding.session(settings), settings.database.pool_size
    database = Database(settings.database_url, pool_size=most, memory=memory, session=shown)
    blobs = blob_store(settings, database)
    spooling.ask_neighbours(blobs, database, settings)
    local = settings.security.mode is SecurityMode.LOCAL
    trail = guarding.trail(settings, database)
    policy = policy or guarding.audited(
        LocalPolicy() if local else EnforcedPolicy(guarding.reaching(settings, database)), trail
    )
    peers = Peers(database, policy, local=local, trail=trail)

    def coercion_for(ae_title: str) -> Coercion | None:
        peer = peers.get(ae_title)
        return peer.coercion if peer is not None else None

    rules = StoreRules(
        unknown_sop_classes=settings.dimse.unknown_sop_classes,
        duplicates=Duplicates(settings.storage.duplicates),
        min_free=int(settings.storage.min_free),
    )
    space = Space(blobs, int(settings.storage.min_free))
    own = OwnOid(database, settings.xds.repository_unique_id)
    said = profile.named(settings.xds.profile)

    def identify(connection: Connection, key: PatientKey) -> PatientIdentifier | None:
        return own_identifier(key, said, own.known(connection), settings.xds.affinity_domain)

    store = Store(
        database,
        blobs,
        policy,
        coercion_for,
        rules,
        identify,
        national.admission(settings.national),
        corrections.rejection_rules(settings),
    )
    sources_known = Sources(database, policy, local=local)
    remotes = Remotes(settings.dimse.ae_title, blobs.spool_folder, space.check, shared=settings.data_dir / SHARED)
    on_demand = _on_demand(settings.federation, database, store, sources_known, remotes)
    retrieval = Retrieval(database, blobs, policy, on_demand)
    patients = Patients(
        database, policy, authority=settings.xds.affinity_domain, registers=settings.xds.unknown_patients == "register"
    )
    documents = Registry(database, policy, patients, rendition, _registry_rules(settings.xds), trail=trail)

    def describing() -> Describing:
        return Describing(said, own(), settings.xds.affinity_domain)

    remote = RemoteRegistry(settings.xds.registry_url, blobs.spool_folder) if settings.xds.registry_url else None
    most = int(settings.xds.max_document_bytes)
    repository = Repository(
        database, blobs, policy, documents, own, max_bytes=most, room=space.check, remote=remote, trail=trail
    )
    imaging = ImagingSource(policy, retrieval, own, sources_known.archives)
    communities = clients(settings.xds, blobs.spool_folder, space.check)
    responding, initiating = None, None
    if settings.xds.home_community_id:
        home = settings.xds.home_community_id
        responding = RespondingGateway(home, policy, documents, repository, imaging)
        directory = Directory(home, {name: client.community for name, client in communities.items()})
        requests, seconds = settings.xds.gateway_requests, settings.xds.gateway_timeout
        initiating = InitiatingGateway(directory, policy, requests=requests, seconds=seconds)
    search = Search(
        database,
        policy,
        settings.dimse.ae_title,
        settings.dimse.max_matches,
        settings.database.max_scanned,
        phonetic=settings.search.phonetic,
        trail=trail,
    )
    destination = _destination(settings.xds, database, repository, documents, patients, blobs)
    deletion = Deletion(database, blobs, policy, store, Limits())
    links = Links(database, policy)
    guard = guarding.build(guarding.Surroundings(settings, database, blobs, policy, trail))
    fetching, same = Fetching(database, policy, on_demand.bring), SamePatient(identify)
    return Application(
        settings=settings,
        certificates=certificates,
        database=database,
        blobs=blobs,
        policy=policy,
        peers=peers,
        logins=logins.build(settings, database, policy, trail),
        links=links,
        store=store,
        search=search,
        across=Across(
            policy,
            search,
            sources_known,
            remotes.doors,
            asking.Bounds(settings.across.timeout, settings.across.max_matches, sources=settings.across.max_sources),
            requests=settings.across.max_requests,
            most=settings.dimse.max_matches,
        ),
        tags=SearchTags(database, policy),
        retrieval=retrieval,
        rendering=Rendering(retrieval, blobs),
        deletion=deletion,
        changes=Changes(database, policy),
        jobs=Jobs(database, policy),
        care=Care(database, blobs, policy),
        reindex=Reindex(database, blobs, policy, store, Limits(), REPLAYS, _after_reindex),
        status=Status(database, blobs, policy, min_free=int(settings.storage.min_free)),
        sources=sources_known,
        remotes=remotes,
        trial=Trial(policy, sources_known, remotes.doors),
        migration=Migration(database, store, policy, sources_known, remotes.doors),
        reconciling=Reconciling(database, policy),
        on_demand=on_demand,
        fetching=fetching,
        prefetch=Prefetch(
            database,
            policy,
            prefetch_rules.named(settings.federation.prefetch),
            sources_known.archives,
            Discovery(database, store, same, remotes.doors),
            same,
            fetching,
        ),
        manifests=Manifests(
            database, blobs, policy, store, partial(sources_known.archives, anew=True), own, settings.dimse.ae_title
        ),
        survey=Survey(database, sources_known.archives, remotes.doors),
        eviction=Eviction(
            database,
            blobs,
            policy,
            sources_known.archives,
            remotes.doors,
            Room(int(settings.federation.cache_size), settings.federation.cache_seconds),
        ),
        patients=patients,
        hospitals=HospitalPatients(database, policy),
        documents=documents,
        repository=repository,
        space=space,
        imaging=imaging,
        publishing=Publishing(database, policy),
        reports=Reports(database, policy, describing, destination),
        merging=Merging(database, identify),
        publisher=Publisher(database, describing, destination, settings.dimse.ae_title),
        responding=responding,
        initiating=initiating,
        communities=communities,
        removing=Removing(database, destination),
        national=national.build(
            settings.national,
            national.Surroundings(
                database=database,
                policy=policy,
                bounds=Bounds(settings.dimse.max_matches, settings.database.max_scanned),
                phonetic=settings.search.phonetic,
                affinity_domain=settings.xds.affinity_domain,
                store=store,
                deletion=deletion,
                links=links,
                sources=sources_known,
                shared=settings.data_dir / SHARED,
                trail=trail,
            ),
        ),
        keeping=keeping.build(
            keeping.Surroundings(
                settings=settings,
                certificates=certificates,
                database=database,
                blobs=blobs,
                policy=policy,
                peers=peers,
                store=store,
                deletion=deletion,
                identify=identify,
                retrieval=retrieval,
                sources=sources_known,
                remotes=remotes,
                shared=settings.data_dir / SHARED,
                regularly=guard.kinds,
            )
        ),
        guarding=guard,
    )


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.ARCHIVE_NAMED: own_oid.replay,
    EventKind.MANIFEST_PUBLISHED: publishing.replay,
    EventKind.SOURCE_CHANGED: sources.replay,
    EventKind.PATIENT_REGISTERED: identity.replay,
    EventKind.PATIENT_MERGED: identity.replay,
    EventKind.PATIENT_UPDATED: hospital.replay,
    EventKind.STUDY_REASSIGNED: merging.replay,
    EventKind.INSTANCE_CORRECTED: merging.replay,
    EventKind.DOCUMENT_REGISTERED: replaying(rendition),
    EventKind.DOCUMENT_UPDATED: replaying(rendition),
    EventKind.DOCUMENT_REMOVED: replaying(rendition),
    **national.REPLAYS,
    **keeping.REPLAYS,
    **guarding.REPLAYS,
}
"""What a reindex does again, beside what it knows of images."""


def _after_reindex(connection: Connection) -> None:
    manifests.after_reindex(connection)
    national.after_reindex(connection)
    keeping.after_reindex(connection)
    guarding.after_reindex(connection)


def _destination(
    settings: XdsSettings,
    database: Database,
    repository: Repository,
    documents: Registry,
    patients: Patients,
    blobs: BlobStore,
) -> Destination:
    if settings.publish_to:
        return RemoteRepository(settings.publish_to, settings.publish_registry, blobs.spool_folder)

    def provide(actor: Actor, submission: Submission, contents: Mapping[str, bytes]) -> None:
        repository.provide(actor, submission, {name: InMemory(data) for name, data in contents.items()})

    elsewhere = RemoteMetadata(settings.registry_url, blobs.spool_folder)
    metadata = elsewhere if settings.registry_url else OwnMetadata(documents)
    return OwnRepository(database, patients, provide, repository.remove, metadata)


def _on_demand(
    settings: FederationSettings, database: Database, store: Store, known: Sources, remotes: Remotes
) -> OnDemand:
    rules = FetchRules(at_once=settings.series_at_once, wait_seconds=settings.wait_timeout, ahead=settings.ahead)
    return OnDemand(database, Fetch(store, remotes.doors), known.archives, rules)


def _registry_rules(settings: XdsSettings) -> RegistryRules:
    path = domain.TURKEY if settings.codes == "turkey" else Path(settings.codes)
    codes = domain.read(path) if settings.codes else domain.ANY
    return RegistryRules(codes, settings.max_objects, settings.max_results)


def prepare(settings: Settings) -> None:
    """Before the first process starts: what `make_ready` does, and the spool emptied of what a killed process left."""
    blobs = make_ready(settings)
    spool.sweep(blobs.spool_folder)
    spooling.recover(blobs)


def make_ready(settings: Settings) -> BlobStore:
    """Data folder, schema (migrated here only on the embedded default), seeds, bucket; also while an archive runs."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    blobs = ready_blobs(settings)
    with suppress(Unavailable):  # what is behind a spool may be away
        refuse_half_restored(store_itself(blobs))
    memory, shown = settings.data_dir / "primary", guarding.session(settings)
    database = Database(settings.database_url, pool_size=1, memory=memory, session=shown)
    try:
        if database.is_sqlite:
            migrate.upgrade(database)
        else:
            migrate.require_usable(database)
        local = settings.security.mode is SecurityMode.LOCAL
        peers = Peers(database, LocalPolicy(), local=local)
        peers.seed(peer.as_peer() for peer in settings.dimse.peers)
    finally:
        database.close()
    return blobs

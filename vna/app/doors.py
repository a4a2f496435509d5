"""The doors, each given the use cases it translates for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import socket
from ssl import SSLContext
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp

from dicomweb.routes import MOST_ASKED
from dicomweb.routes import routes as dicomweb_routes
from dicomweb.service import PREFIX, StudiesService
from dimse.commitment import CommitmentProvider
from dimse.entity import Admission, profile
from dimse.find import INCOMPLETE, SUCCESS, Broker
from dimse.retrieve import MoveRules
from dimse.upper_layer.limits import Limits
from dimse.upper_layer.server import Server
from vna import web
from vna.app import certificates, spooling
from vna.app.communities import message_bytes
from vna.app.unmatched import unmatched
from vna.app.wiring import SHARED, Application
from vna.board import SharedBoard
from vna.hl7.acknowledgment import Coding
from vna.hl7.adt import HospitalFeed
from vna.hl7.dispatch import Dispatch
from vna.hl7.intake import Intake
from vna.hl7.iti8 import AssigningAuthority, PatientFeed
from vna.hl7.listener import Limits as Hl7Limits
from vna.hl7.listener import Listener
from vna.metrics import Metrics
from vna.model.message_charsets import UNDECLARED, codec_of
from vna.model.priority import Priority
from vna.places import Places
from vna.proxied import Proxies
from vna.security import http as http_security
from vna.security.http import HttpRules
from vna.security.identity import Identities
from vna.security.secured import Secured
from vna.settings import DimseSettings, Settings
from vna.sgk import contract
from vna.sgk.service import LookupService
from vna.soap.exchange import Rules
from vna.soap.limits import Limits as MessageLimits
from vna.soap.service import Service
from vna.turns import Turns
from vna.web import login
from vna.web.login import LoginDoor
from vna.web.national import routes as national_routes
from vna.web.national.door import NationalDoor
from xds import imaging_source, initiating_gateway, responding_gateway
from xds import registry as document_registry
from xds import repository as document_repository
from xds.forwarding import Forwarding
from xds.wsdl import wsdl


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the doors really are, once they listen: a port of 0 in the settings has become a number."""

    http: tuple[str, int]
    dimse: tuple[str, int]
    hl7: tuple[str, int] | None = None
    dimse_tls: tuple[str, int] | None = None


_ASKED = ("Accept", "Authorization", "Content-Type", "If-Modified-Since", "If-None-Match", "If-Range", "Range")
_TOLD = (
    "Accept-Ranges",
    "Allow",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Location",
    "Content-Range",
    "ETag",
    "Last-Modified",
    "Link",
    "Location",
    "Vary",
    "WWW-Authenticate",
    "Warning",
    "X-Total-Count",
)
"""Header fields that pages of other origins may send, and read of an answer, beside those that they always may."""


def http_application(
    application: Application, addresses: Addresses, metrics: Metrics, draining: Callable[[], bool] = web.never
) -> ASGIApp:
    """Every HTTP door of one process, behind who asks; `draining` says that the node is being stopped."""
    settings = application.settings
    service = StudiesService(
        store=application.store,
        search=application.search,
        across=application.across,
        retrieval=application.retrieval,
        rendering=application.rendering,
        deletion=application.deletion,
        changes=application.changes,
        commitments=application.keeping.commitments,
        arriving=application.on_demand,
        public_url=settings.http.public_url,
        max_body=int(settings.http.max_body),
        turns=application.turns("HTTP"),
    )
    sharing = document_services(application, service.turns)
    lookups = lookup_service(application, service.turns)
    shown = web.Addresses(
        settings.dimse.ae_title,
        *addresses.dimse,
        PREFIX,
        settings.http.public_url,
        addresses.hl7,
        tuple(dict.fromkeys(route.path for route in sharing)),
    )
    site = web.Site(
        mode=settings.security.mode.value,
        addresses=shown,
        search=application.search,
        status=application.status,
        backups=application.keeping.backup_standing,
        metrics=metrics,
        viewer=settings.http.viewer,
        links=application.links,
        sources=application.sources,
        trial=application.trial,
        reports=application.national.reports,
        looks=application.national.looks,
        spool=spooling.for_nodes(application.blobs, settings),
        draining=draining,
        expiry=certificates.expiry(settings, application.certificates, application.sources.all),
        guarding=application.guarding.gauges,
    )
    national = NationalDoor(
        listings=application.national.listings,
        tracking=application.national.tracking,
        order_ids=application.national.order_ids,
        unmatched=application.national.unmatched,
        matching=application.national.matching,
        reprocessing=application.national.reprocessing,
        duplicates=application.national.duplicates,
        looks=application.national.looks,
        reports=application.national.reports,
        accounts=application.accounts,
        profile=application.national.profile,
    )
    dicomweb = dicomweb_routes(service)
    starlette = Starlette(
        # Tried in this order: what viewers ask for each picture comes first.
        routes=[
            *dicomweb[:MOST_ASKED],
            *lookups.routes(),
            *web.routes(site),
            *login.routes(login_door(application)),
            *national_routes.routes(national),
            *sharing,
            *dicomweb[MOST_ASKED:],
        ],
        exception_handlers={HTTPException: unmatched, Exception: unmatched},
    )
    starlette.router.redirect_slashes = False  # its redirects are absolute
    app = web.Routed(starlette)
    rules = HttpRules(
        public_url=settings.http.public_url,
        names=(settings.http.host, urlsplit(settings.node.url).hostname or ""),
        any_host=web.OPEN_PATHS - {"/"},
        origins=settings.http.origins,
        trusted_proxies=settings.http.trusted_proxies,
        open_paths=web.OPEN_PATHS
        | national_routes.OPEN_PATHS
        | login.OPEN_PATHS
        | {lookups.path}
        | _with_assertions(application, sharing),
        login_paths=national_routes.LOGIN_PATHS,
        open_folders=web.OPEN_FOLDERS,
        own_logins=frozenset({lookups.path}),
        login_page=login.PATH,
        max_body=int(settings.http.max_body),
        body_idle_seconds=settings.http.network_timeout,
    )
    if application.local:
        guarded = http_security.local(app, rules, application.links)
    else:
        logins = application.logins
        guarded = http_security.enforced(
            app,
            rules,
            logins.accounts,
            application.links,
            application.peers,
            logins.sessions,
            logins.bearer,
        )
    return web.Observed(_shared(guarded, settings.http.origins))


def _with_assertions(application: Application, sharing: list[Route]) -> frozenset[str]:
    """Where a message itself may say who asks."""
    return frozenset(route.path for route in sharing) if application.logins.assertions is not None else frozenset()


def login_door(application: Application) -> LoginDoor:
    """Where people log in with a browser."""
    logins = application.logins
    public_url = application.settings.http.public_url
    return LoginDoor(logins.accounts, logins.sessions, logins.elsewhere, public_url, is_local=application.local)


def lookup_service(application: Application, turns: Turns) -> LookupService:
    """The look-ups by accession number; the names on their wire are ours, or those of a site's file."""
    settings = application.settings
    return LookupService(
        application.national.lookups,
        application.accounts,
        contract.read(Path(settings.national.lookups) if settings.national.lookups else None),
        link_path=web.LINK,
        public_url=settings.http.public_url,
        turns=turns,
    )


def document_services(application: Application, turns: Turns) -> list[Route]:
    """The actors of document sharing, each at its address."""
    most = int(application.settings.xds.max_document_bytes)
    requests = MessageLimits(attachments=10, attachment_bytes=1 << 20, message_bytes=32 << 20)
    documents = MessageLimits(attachment_bytes=most, message_bytes=message_bytes(application.settings.xds))
    services = [
        (document_registry.PATH, document_registry.operations(application.documents), "registry", requests),
        (document_repository.PATH, document_repository.operations(application.repository), "repository", documents),
        (imaging_source.PATH, imaging_source.operations(application.imaging), "imaging-source", requests),
    ]
    if application.responding is not None and application.initiating is not None:
        forwarding = Forwarding(application.initiating, application.responding, application.communities)
        responding = responding_gateway.operations(application.responding)
        initiating = initiating_gateway.operations(forwarding)
        services += [
            (responding_gateway.PATH, responding, "responding-gateway", requests),
            (initiating_gateway.PATH, initiating, "initiating-gateway", requests),
        ]
    return [
        route
        for path, operations, name, limits in services
        for route in Service(
            path,
            Rules(operations, identify=application.logins.assertions),
            application.blobs.spool_folder,
            wsdl(name),
            application.settings.http.public_url,
            limits,
            application.space.check,
            turns,
            Priority.ROUTINE if name == "imaging-source" else Priority.INTERACTIVE,
        ).routes()
    ]


def _shared(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    """Pages of these origins may read answers; what they send is judged like everything else (Fetch 3.2)."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST", "DELETE", "OPTIONS"),
        allow_headers=_ASKED,
        expose_headers=_TOLD,
        max_age=600,
    )


def dimse_server(application: Application, tls_port: int | None = None) -> Server:
    """The DICOM door of one process; `tls_port` is the only one that speaks TLS, where there are two."""
    settings, across = application.settings.dimse, application.settings.across
    broker = None
    if across.ae_title:
        broker = Broker(across.ae_title, application.across, SUCCESS if across.partial == "success" else INCOMPLETE)
    entity = profile(
        ae_title=settings.ae_title,
        store=application.store,
        search=application.search,
        retrieval=application.retrieval,
        schedule=application.national.schedule,
        performed=application.national.performed,
        peers=application.peers,
        admission=Admission(
            application.peers,
            settings.ae_title,
            across.ae_title,
            local=application.local,
            bulk=_bulk_associations(application),
            identities=Identities(application.accounts.authenticate_basic, application.accounts.authenticate_token),
        ),
        limits=Limits(
            max_pdu=settings.max_pdu_bytes,
            network_timeout=settings.idle_timeout,
            receive_timeout=settings.network_timeout,
            send_timeout=settings.network_timeout,
        ),
        commitment=CommitmentProvider(
            application.keeping.commitments, settings.ae_title, application.settings.commitment.same_association
        ),
        unknown_sop_classes=settings.unknown_sop_classes,
        move_rules=MoveRules(associations=settings.move_associations),
        broker=broker,
        retrieving=application.turns("retrievals", waiting=_waiting_retrievals(settings)),
        storing=application.turns("C-STORE", waiting=settings.max_associations),
        calling=application.certificates.calling,
    )
    door = application.certificates.dimse
    return Server(entity, partial(_dimse_tls, door, tls_port) if door is not None else None)


def _dimse_tls(door: Secured, tls_port: int | None, sock: socket) -> SSLContext | None:
    is_plain = tls_port is not None and sock.getsockname()[1] != tls_port
    return None if is_plain else door.context()


def _waiting_retrievals(settings: DimseSettings) -> int:
    """In one worker: a quarter of the associations of this node, so that others find one."""
    return max(1, settings.max_associations // (4 * settings.workers))


def _bulk_associations(application: Application) -> Places:
    """Half of all: those whose requests are all bulk can wait, and what they keep open nobody else can have."""
    most = max(1, application.settings.dimse.max_associations // 2)
    board = SharedBoard(application.settings.data_dir / SHARED, "associations")
    return Places(dict.fromkeys(Priority, most), board)


def hl7_dispatch(application: Application) -> Dispatch:
    """What answers HL7 messages: each type with what it does."""
    settings = application.settings.hl7
    authority = AssigningAuthority(application.settings.xds.affinity_domain, settings.namespace)
    national = application.national
    intake = Intake(application.sources, national.orders, national.reports, national.receipts, national.profile)
    domain = PatientFeed(application.patients, authority)
    hospitals = HospitalFeed(domain, application.hospitals, national.receipts)
    table = {"ADT": hospitals.events(), **intake.events()}
    said = national.profile.hl7
    coding = Coding(frozenset(("ORM", "ORU")), said.errors, said.other_error, said.coding_system)
    return Dispatch(table, application.sources, codec_of([settings.character_set]) or UNDECLARED, coding)


def hl7_listener(application: Application) -> Listener:
    """The HL7 door of one process."""
    settings = application.settings.hl7
    limits = Hl7Limits(
        connections=settings.max_connections,
        message_bytes=int(settings.max_message_bytes),
        message_seconds=settings.message_timeout,
        idle_seconds=settings.idle_timeout,
    )
    caller = proxies(application.settings).caller
    tls = application.certificates.hl7.context if application.certificates.hl7 is not None else None
    return Listener(hl7_dispatch(application), limits, tls, application.sources.admits, caller)


def proxies(settings: Settings) -> Proxies:
    """The balancers in front of DICOM and HL7."""
    return Proxies(settings.node.trusted_proxies)

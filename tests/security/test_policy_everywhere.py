"""No route, service or operation reaches storage without asking the policy: one that denies everything shows it."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, get_type_hints

import anyio
import httpx
import pytest
from lxml import etree
from pydicom import Dataset
from pynetdicom import AE
from pynetdicom.presentation import build_role

from dicomweb.routes import ADDRESSES as DICOMWEB
from dimse.commitment import PUSH_MODEL_INSTANCE
from dimse.models import (
    FIND_CLASSES,
    MODALITY_WORKLIST,
    MODELS,
    PERFORMED_STEP,
    PERFORMED_STEP_RETRIEVE,
    STORAGE_COMMITMENT,
)
from dimse.upper_layer.acceptor import listen
from storage.blobs.filesystem import FilesystemBlobs
from storage.index.engine import Database
from tests.archives import Backend, ready
from tests.hl7 import national
from tests.hl7.messages import adt, cx
from tests.objects import ct, part10
from tests.sgk.messages import PATH as LOOK_UPS
from tests.sgk.messages import message as look_up
from tests.web.national.questions import sent
from tests.worklist.ordering import order
from tests.worklist.steps import begun, ended
from tests.xds.builders import document, query, submission
from tests.xds.imaging import Ask, request
from vna.app import Application, build
from vna.app.doors import Addresses, dimse_server, hl7_dispatch, http_application
from vna.archive.backup import Backup
from vna.archive.backup_standing import BackupStanding
from vna.archive.care import Care, Checked, Damage
from vna.archive.changes import Changes
from vna.archive.commitment import Commitments
from vna.archive.correcting import Corrections
from vna.archive.deletion import Deletion
from vna.archive.exporting import Exports
from vna.archive.holds import Holds
from vna.archive.nodes import Nodes
from vna.archive.purging import Purging
from vna.archive.reindex import Reindex
from vna.archive.rejecting import Rejections
from vna.archive.rendered import Rendering
from vna.archive.repairing import Repairing
from vna.archive.replicas import Replicas
from vna.archive.retention import Retention
from vna.archive.retrieve import Retrieval
from vna.archive.search import Search
from vna.archive.status import Status
from vna.archive.store import Store
from vna.archive.stores import Stores
from vna.archive.sweeping import Sweeping
from vna.archive.tags import SearchTags
from vna.archive.verifying import Verifying
from vna.audit.reading import Reading
from vna.audit.verifying import Verification
from vna.documents.communities import Asked
from vna.documents.imaging_source import ImagingSource, Wanted
from vna.documents.initiating_gateway import InitiatingGateway
from vna.documents.publishing import Publishing
from vna.documents.registry import Registry
from vna.documents.reports import Reports
from vna.documents.repository import Repository, WantedDocument
from vna.documents.responding_gateway import RespondingGateway
from vna.identity.hospital import HospitalPatients
from vna.identity.patients import Patients
from vna.identity.people import People
from vna.jobs.desk import Jobs
from vna.jobs.schedule import Schedule as RegularSchedule
from vna.metrics import Metrics
from vna.model.access import Action, Actor, ActorKind, Peer
from vna.model.errors import NotAuthorized
from vna.model.instances import Arrival, Door, Instance
from vna.model.lookups import Operation
from vna.model.orders import Order, OrderedPatient, OrderKey
from vna.model.query import Query
from vna.model.reach import Reach
from vna.model.reports import Report
from vna.model.sources import Source
from vna.routing.across import Across
from vna.routing.downloads import Fetching
from vna.routing.eviction import Eviction
from vna.routing.forward_desk import ForwardDesk
from vna.routing.manifests import Manifests
from vna.routing.prefetch import Prefetch
from vna.routing.trial import Trial
from vna.security.accounts import Accounts
from vna.security.links import Links
from vna.security.peers import Peers
from vna.security.permits import Permits
from vna.security.sources import Sources
from vna.sgk import contract
from vna.soap import addressing, envelope
from vna.soap.versions import Version
from vna.teleradiology.codes import Codes
from vna.teleradiology.duplicates import Duplicates
from vna.teleradiology.listings import Listings
from vna.teleradiology.looks import Looks
from vna.teleradiology.matching import Matching
from vna.teleradiology.notifying import Notifying
from vna.teleradiology.order_ids import OrderIds
from vna.teleradiology.quarantine import Quarantine
from vna.teleradiology.reports import Reports as NationalReports
from vna.teleradiology.reprocessing import Reprocessing
from vna.teleradiology.tracking import Tracking
from vna.teleradiology.unmatched import Unmatched
from vna.web.login import ADDRESSES as LOGINS
from vna.web.national.operations import Operation as StatusOperation
from vna.web.national.routes import OPERATIONS
from vna.web.national.routes import PAGES as NATIONAL_PAGES
from vna.web.national.tracking_form import VIEWS
from vna.web.reports import ADDRESSES as REPORTS
from vna.web.routes import ADDRESSES as PAGES
from vna.web.sources import ADDRESSES as SOURCES
from vna.web.spools import ADDRESSES as SPOOLS
from vna.worklist.orders import Orders, Tiding, Told
from vna.worklist.performed import PerformedSteps
from vna.worklist.receipts import Receipts
from vna.worklist.schedule import Schedule
from xds import (
    imaging_source,
    initiating_gateway,
    iti18,
    iti38,
    iti39,
    iti41,
    iti43,
    iti62,
    iti86,
    rad69,
    rad75,
    registry,
    repository,
    responding_gateway,
)
from xds.ebrim.writing import remove_request, submit_request
from xds.repository_client import provide_request, retrieve_request
from xds.repository_client import remove_request as remove_documents

NOBODY = Actor(ActorKind.ANONYMOUS, "nobody")
HOME = "urn:oid:1.2.3"

WITHOUT_POLICY = {
    (Status, "readiness"),  # says whether the archive works, nothing of what it holds
    (BackupStanding, "standing"),  # the same of backups: how old the last is
    (Status, "care"),  # the same of what is damaged: how much
    (Status, "jobs"),  # the same of its work: how many jobs wait, or were given up
    (Accounts, "authenticate_basic"),  # these establish who asks
    (Accounts, "authenticate_token"),
    (Accounts, "grant"),
    (Accounts, "log_in"),
    (Accounts, "change_password"),
    (Links, "look"),
    (Links, "open"),
    (Links, "visitor"),
    (Links, "issue"),  # for use cases that asked before
    (Duplicates, "earlier"),  # the same
    (Peers, "get"),
    (Peers, "all"),
    (Peers, "actor_for"),
    (Peers, "certified"),  # the same by a certificate
    (Peers, "seed"),
    (Patients, "known"),  # inner halves of queries and submissions, which ask; no door calls them
    (Patients, "admit"),
    (Sources, "all"),  # these establish who sends
    (Sources, "admits"),
    (Sources, "archives"),  # for use cases that asked before
    (Sources, "actor_for"),
    (Sources, "known"),
    (Sources, "receivers"),  # for use cases that asked before, and jobs
    (Store, "add"),  # the inner halves of accept and reindex, which ask; no door calls them
    (Store, "replace"),
    (Manifests, "rate"),  # a job
    (Store, "forget"),
    (Orders, "put"),  # for use cases that asked before, as what finds codes is
    (Orders, "advance"),
    (Codes, "find"),
    (Codes, "facility"),
    (Codes, "facility_of_medula"),
    (Codes, "facility_of_stm"),
    (Codes, "radiologist"),
    (Codes, "period_months"),
    (Codes, "reason"),
    (Codes, "has"),
    (Matching, "every"),  # a job
    (Holds, "held"),  # for use cases that asked before
    (Nodes, "beat"),  # a node says of itself that it is there
    (Nodes, "leave"),
    (Nodes, "require_name"),
    (Nodes, "require_store"),
    (Nodes, "run"),
    (Stores, "answering"),  # which stores answer says nothing about what is held
    (Matching, "look"),  # the inner half of what follows events
}
"""Public operations that ask nobody, each for a reason; every other one has to be refused."""


class DenyAll:
    """A policy that allows nothing."""

    def check(self, actor: Actor, action: Action, thing: str = "") -> None:
        raise NotAuthorized(f"{action.value} is denied to {actor.name}{thing and ' on'}")

    def within(self, actor: Actor) -> Reach | None:
        raise NotAuthorized(f"nothing is within reach of {actor.name}")

    def narrowed(self, actor: Actor, query: Query) -> Query:
        raise NotAuthorized(f"nothing is within reach of {actor.name}: {query.level}")


_ESTABLISHING = frozenset(
    {
        *(
            "status.readiness",
            "status.jobs",
            "status.care",
            "backup_standing.standing",
            "peers._fresh",
            "sources._fresh",
            "expiry.standing",
        ),
        *("accounts.authenticate_basic", "accounts._proved", "accounts.grant", "links.open", "lookups.note"),
    }
)
"""What is read to find out who asks, or whether anything works; and the audit of look-ups, refused ones too."""


@dataclass
class Touches:
    """Who reached the index or the blob store."""

    by: list[str] = field(default_factory=list)

    def note(self) -> None:
        frames = [f"{Path(frame.filename).stem}.{frame.name}" for frame in traceback.extract_stack()]
        if _ESTABLISHING.isdisjoint(frames):
            self.by.append(" < ".join(reversed(frames[-8:-1])))


@pytest.fixture
def touches(monkeypatch: pytest.MonkeyPatch) -> Touches:
    seen = Touches()
    for owner, names in (
        (Database, ("read", "glance", "transaction")),
        (FilesystemBlobs, ("begin", "put", "put_file", "read", "stream", "size", "delete", "names")),
    ):
        for name in names:
            original = getattr(owner, name)

            def noted(*args: Any, _original: Any = original, **kwargs: Any) -> Any:
                seen.note()
                return _original(*args, **kwargs)

            monkeypatch.setattr(owner, name, noted)
    return seen


@pytest.fixture
def denying(tmp_path: Path) -> Iterator[Application]:
    settings = Backend("sqlite+folder", tmp_path).settings(xds={"home_community_id": HOME})
    ready(settings)
    application = build(settings, policy=DenyAll())
    application.peers.get("ANY")  # the table of AE titles is read before anybody counts
    yield application
    application.close()


USE_CASES = (
    "store",
    "search",
    "across",
    "retrieval",
    "rendering",
    "care",
    "reindex",
    "status",
    "accounts",
    "links",
    "guarding.permits",
    "peers",
    "tags",
    "deletion",
    "changes",
    "jobs",
    "guarding.reading",
    "guarding.verification",
    "keeping.nodes",
    "keeping.holds",
    "keeping.care.verifying",
    "keeping.care.repairing",
    "keeping.care.sweeping",
    "keeping.care.purging",
    "keeping.care.retention",
    "keeping.schedule",
    "keeping.replicas",
    "keeping.stores",
    "keeping.commitments",
    "keeping.rejections",
    "keeping.forwarding.desk",
    "keeping.backup",
    "keeping.backup_standing",
    "keeping.corrections",
    "keeping.people",
    "keeping.exports",
    "documents",
    "patients",
    "hospitals",
    "imaging",
    "repository",
    "publishing",
    "reports",
    "sources",
    "trial",
    "manifests",
    "fetching",
    "eviction",
    "prefetch",
    "responding",
    "initiating",
    "national.orders",
    "national.receipts",
    "national.codes",
    "national.listings",
    "national.reprocessing",
    "national.order_ids",
    "national.schedule",
    "national.performed",
    "national.reports",
    "national.matching",
    "national.unmatched",
    "national.quarantine",
    "national.duplicates",
    "national.looks",
    "national.tracking",
    "national.notifying",
)


def _operations() -> Iterator[tuple[str, type, str]]:
    for name, kind in zip(
        USE_CASES,
        (
            Store,
            Search,
            Across,
            Retrieval,
            Rendering,
            Care,
            Reindex,
            Status,
            Accounts,
            Links,
            Permits,
            Peers,
            SearchTags,
            Deletion,
            Changes,
            Jobs,
            Reading,
            Verification,
            Nodes,
            Holds,
            Verifying,
            Repairing,
            Sweeping,
            Purging,
            Retention,
            RegularSchedule,
            Replicas,
            Stores,
            Commitments,
            Rejections,
            ForwardDesk,
            Backup,
            BackupStanding,
            Corrections,
            People,
            Exports,
            Registry,
            Patients,
            HospitalPatients,
            ImagingSource,
            Repository,
            Publishing,
            Reports,
            Sources,
            Trial,
            Manifests,
            Fetching,
            Eviction,
            Prefetch,
            RespondingGateway,
            InitiatingGateway,
            Orders,
            Receipts,
            Codes,
            Listings,
            Reprocessing,
            OrderIds,
            Schedule,
            PerformedSteps,
            NationalReports,
            Matching,
            Unmatched,
            Quarantine,
            Duplicates,
            Looks,
            Tracking,
            Notifying,
        ),
        strict=True,
    ):
        for operation, _ in inspect.getmembers(kind, inspect.isfunction):
            if not operation.startswith("_") and (kind, operation) not in WITHOUT_POLICY:
                yield name, kind, operation


@pytest.mark.parametrize(("use_case", "kind", "operation"), list(_operations()), ids=str)
def test_every_operation_asks_the_policy_before_it_touches_storage(
    denying: Application, touches: Touches, use_case: str, kind: type, operation: str
) -> None:
    method = getattr(attrgetter(use_case)(denying), operation)
    parameters = inspect.signature(method).parameters
    hints = get_type_hints(getattr(kind, operation))
    arguments = {
        name: _argument(name, hints.get(name)) for name, p in parameters.items() if p.default is inspect.Parameter.empty
    }
    assert "actor" in arguments, "an operation of a use case takes an actor"

    def run() -> None:
        answer = method(**arguments)
        if inspect.isgenerator(answer):
            next(answer)

    with pytest.raises(NotAuthorized):
        run()

    assert touches.by == []


def _argument(name: str, kind: Any) -> Any:
    if name == "actor":
        return NOBODY
    if kind is Arrival:
        return Arrival(Door.STOW)
    if kind is Instance:
        return _instance()
    if kind is Asked:
        return Asked(by_patient=True)
    if kind is Report:
        return Report(OrderKey("x", "x"), 0, ())
    if kind == Sequence[Report]:
        return [Report(OrderKey("x", "x"), 0, ())]
    if kind is Order:
        return Order(OrderKey("x", "x"), OrderedPatient())
    if kind is Peer:
        return Peer("X")
    if kind is Source:
        return Source("X", "X", addresses=("127.0.0.1",))
    if kind is Checked:
        return Checked("x", "1.2.3", 1, Damage.DIGEST)
    if name == "percent":
        return 50
    if name == "incoming":
        return None
    if name == "tidings":
        return [Tiding(Told.NEW, order())]
    if name == "selection":
        from vna.model.instances import Selection

        return Selection()
    if name == "query":
        from vna.model.query import Level, Query

        return Query(Level.STUDY)
    if name == "instances":
        return [replace(_instance(), blob="")]
    return {
        "numbers": [1],
        "accepted": ["1.2.840.10008.1.2"],
        "said": {},
        "wanted": [Wanted(*"abcd")],
        "rights": frozenset(),
    }.get(name, "x" * 9)


def _instance() -> Instance:
    from datetime import UTC, datetime

    uid = "1.2.3"
    return Instance(uid, uid, uid, uid, "1.2.840.10008.1.2", "x", 1, "", 0, 0, 0, "", "", datetime.now(UTC), 1)


WADO_QUERY = "?requestType=WADO&studyUID=1.2.3&seriesUID=1.2.3&objectUID=1.2.3"
EVENTS = {"ADT": ["A01", "A04", "A05", "A08", "A31", "A40"], "ORM": ["O01"], "ORU": ["R01"]}
OPENS = "/l/{token}"
_SUBMISSION = etree.tostring(submit_request(submission(document()))).decode()
_UUID = "urn:uuid:00000000-0000-4000-8000-000000000001"
MESSAGES = {
    iti62.ACTION: etree.tostring(remove_request([_UUID])).decode(),
    iti18.ACTION: etree.tostring(
        query("urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", XDSDocumentEntryEntryUUID=f"('{_UUID}')")
    ).decode(),
    iti41.ACTION: etree.tostring(provide_request(submission(document()), {})[0]).decode(),
    iti43.ACTION: etree.tostring(retrieve_request([WantedDocument("1.2", "1.2.3")])).decode(),
    iti38.ACTION: etree.tostring(
        query("urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", home=HOME, XDSDocumentEntryEntryUUID=f"('{_UUID}')")
    ).decode(),
    iti39.ACTION: etree.tostring(retrieve_request([WantedDocument("1.2", "1.2.3", HOME)])).decode(),
    rad75.ACTION: etree.tostring(request([Ask("1.2.3", "1.2.3", "1.2.3", home=HOME)])).decode(),
    iti86.ACTION: etree.tostring(remove_documents([WantedDocument("1.2", "1.2.3")])).decode(),
    rad69.ACTION: etree.tostring(request([Ask("1.2.3", "1.2.3", "1.2.3")])).decode(),
}
ACTORS = (registry, repository, imaging_source, responding_gateway, initiating_gateway)
SOAP = [(door.PATH, module.ACTION) for door in ACTORS for module in door.TRANSACTIONS]
DOORS = [(a.method, a.url + WADO_QUERY * (a.url == "/wado"), 403) for a in DICOMWEB]
API = [(method, path.replace("{name}", "X"), 403) for method, path, _ in SOURCES]
API += [(method, path.replace("{number:int}", "1"), 403) for method, path, _ in REPORTS]
NODES = [(method, path.replace("{name:path}", "studies/x"), 404) for method, path, _ in SPOOLS]
"""Other nodes prove themselves by their secret, of which this archive has none: tests/web/test_spools.py."""
LOGIN = [(method, path, 400) for method, path, _ in LOGINS if method == "POST"]
LOGIN += [
    ("GET", "/login/provider", 404),
    ("GET", "/login/callback", 404),
    ("GET", "/login", 303),
    ("GET", "/login/password", 200),
    ("GET", "/logout", 303),
]
HTTP = [*DOORS, *API, *NODES, *LOGIN, *(("GET", path, 200) for path, _ in PAGES if path != OPENS), ("GET", OPENS, 404)]


@pytest.mark.parametrize(("method", "path", "expected"), HTTP, ids=str)
def test_every_route_asks_the_policy_before_it_touches_storage(
    denying: Application, touches: Touches, method: str, path: str, expected: int
) -> None:
    app = http_application(denying, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())
    for name in ("{study}", "{series}", "{instance}", "{transaction}"):
        path = path.replace(name, "1.2.3")
    path = path.replace("{frames}", "1").replace("{path:path}", "7FE00010")
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part10(ct()) + b"\r\n--b--\r\n"
    body = b"{}" if path.startswith("/api/") else body
    headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'} if method == "POST" else {}

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            content = {"POST": body, "PUT": b"{}"}.get(method)
            return await client.request(method, path, content=content, headers=headers)

    answer = anyio.run(ask)

    assert answer.status_code == expected, answer.text
    assert touches.by == []


NATIONAL = [(one, address) for one in OPERATIONS for address in one.addresses]


@pytest.mark.parametrize(("operation", "address"), NATIONAL, ids=lambda value: getattr(value, "name", value))
def test_every_operation_of_the_status_api_asks_the_policy_before_it_touches_storage(
    denying: Application, touches: Touches, operation: StatusOperation, address: str
) -> None:
    path, params, body = sent(operation, address)

    answer = _asked(denying, operation.method, path, params=params, content=body)

    assert answer.status_code == 403, answer.text
    assert touches.by == []


TRACKED = [(method, path) for methods, path, _ in NATIONAL_PAGES for method in methods if "/tracking" in path]
_ORDER_ID = "NTAwMDU5AEEx"


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("method", "path"), TRACKED)
def test_the_tracking_page_asks_the_policy_before_it_touches_storage(
    denying: Application, touches: Touches, method: str, path: str, view: str
) -> None:
    form = {"view": view, "facility": "500059", "begin": "2026-11-30", "order": _ORDER_ID}
    said = {"params": form} if method == "GET" else {"data": form}

    answer = _asked(denying, method, path, **said)

    assert answer.status_code == 403, answer.text
    assert touches.by == []


def test_a_token_is_given_to_nobody_who_is_not_known(denying: Application, touches: Touches) -> None:
    form = {"grant_type": "password", "username": "x", "password": "x"}

    answer = _asked(denying, "POST", "/connect/token", data=form, auth=("x", "x"))

    assert answer.status_code == 401, answer.text
    assert touches.by == []


def _asked(denying: Application, method: str, path: str, **said: Any) -> httpx.Response:
    app = http_application(denying, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as client:
            return await client.request(method, path, **said)

    return anyio.run(ask)


@pytest.mark.parametrize(("path", "action"), SOAP)
def test_every_transaction_asks_the_policy_before_it_touches_storage(
    denying: Application, touches: Touches, path: str, action: str
) -> None:
    app = http_application(denying, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())
    body = etree.fromstring(MESSAGES.get(action, _SUBMISSION))
    headers = addressing.request_headers(Version.SOAP12, action, "urn:uuid:1", path)
    message = envelope.write(Version.SOAP12, body, headers)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.post(path, content=message, headers={"Content-Type": "application/soap+xml"})

    answer = anyio.run(ask)

    assert answer.status_code == 400, answer.text
    assert "denied to" in answer.text
    assert touches.by == []


@pytest.mark.parametrize("operation", Operation)
def test_every_look_up_asks_the_policy_before_it_touches_storage(
    denying: Application, touches: Touches, operation: Operation
) -> None:
    names = contract.read().operations[operation]
    app = http_application(denying, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())
    fields = dict.fromkeys(names.takes.values(), "1")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            headers = {"Content-Type": "text/xml"}
            return await client.post(LOOK_UPS, content=look_up(names.request, **fields), headers=headers)

    answer = anyio.run(ask)

    assert "<sonucKodu>1010</sonucKodu>" in answer.text
    assert touches.by == []


HL7 = [(kind, event) for kind, events in EVENTS.items() for event in events]


def test_the_walk_knows_every_hl7_message(denying: Application) -> None:
    assert {kind: list(events) for kind, events in hl7_dispatch(denying).table.items()} == EVENTS


@pytest.mark.parametrize(("kind", "event"), HL7)
def test_every_hl7_message_asks_the_policy_before_it_touches_storage(
    denying: Application, touches: Touches, kind: str, event: str
) -> None:
    message = adt(event, mrg=cx("P2") if event == "A40" else None)
    if kind != "ADT":
        msh = national.header(f"{kind}^{event}", "MSG1", m3="HIS")
        message = national.order(msh=msh) if kind == "ORM" else national.report(msh=msh)

    answer = hl7_dispatch(denying).answer(message.encode(), "127.0.0.1").decode()

    assert "\rMSA|AR|MSG1|feed is denied to HIS" in answer
    assert touches.by == []


def _association(denying: Application, contexts: list[str], roles: list[Any]) -> Any:
    server = dimse_server(denying)
    listener = listen("127.0.0.1", 0)
    ae = AE(ae_title="ANY")
    for uid in contexts:
        ae.add_requested_context(uid)
    import threading

    def accept() -> None:
        sock, address = listener.accept()
        server.serve_connection(sock, address)

    thread = threading.Thread(target=accept)
    thread.start()
    assoc = ae.associate("127.0.0.1", listener.getsockname()[1], ext_neg=roles)
    thread.join()
    listener.close()
    assert assoc.is_established
    return assoc, server


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.1.1.2", MODALITY_WORKLIST, *MODELS])
def test_every_dicom_service_asks_the_policy_before_it_touches_storage(
    denying: Application, touches: Touches, uid: str
) -> None:
    denying.peers.get("ANY")
    roles = [build_role("1.2.840.10008.5.1.4.1.1.2", scp_role=True)] if uid in MODELS else []
    assoc, server = _association(denying, sorted({uid, "1.2.840.10008.5.1.4.1.1.2"}), roles)
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID, query.PatientID = "STUDY", "1.2.3", "1"
    try:
        if uid not in MODELS:
            ds = ct()
            part10(ds)
            status = assoc.send_c_store(ds)
        elif uid in (*FIND_CLASSES, MODALITY_WORKLIST):
            status = list(assoc.send_c_find(query, uid))[-1][0]
        elif uid.endswith(".2"):
            status = list(assoc.send_c_move(query, "ANY", uid))[-1][0]
        else:
            status = list(assoc.send_c_get(query, uid))[-1][0]
    finally:
        assoc.release()
        server.shutdown(2)

    assert status.Status in (0x0124, 0xA801), status
    assert touches.by == []


@pytest.mark.parametrize("operation", ["N-CREATE", "N-SET", "N-GET"])
def test_every_operation_on_performed_steps_asks_the_policy_before_it_touches_storage(
    denying: Application, touches: Touches, operation: str
) -> None:
    assoc, server = _association(denying, [PERFORMED_STEP, PERFORMED_STEP_RETRIEVE], [])
    try:
        if operation == "N-CREATE":
            status = assoc.send_n_create(begun(order()), PERFORMED_STEP, "1.2.3")[0]
        elif operation == "N-SET":
            status = assoc.send_n_set(ended(), PERFORMED_STEP, "1.2.3")[0]
        else:
            status = assoc.send_n_get([], PERFORMED_STEP_RETRIEVE, "1.2.3")[0]
    finally:
        assoc.release()
        server.shutdown(2)

    assert status.Status == 0x0124, status
    assert touches.by == []


@pytest.mark.parametrize("operation", ["N-ACTION", "N-EVENT-REPORT"])
def test_storage_commitment_asks_the_policy_before_it_touches_storage(
    denying: Application, touches: Touches, operation: str
) -> None:
    roles = [build_role(STORAGE_COMMITMENT, scu_role=True, scp_role=True)]
    assoc, server = _association(denying, [STORAGE_COMMITMENT], roles)
    item, ds = Dataset(), Dataset()
    item.ReferencedSOPClassUID = item.ReferencedSOPInstanceUID = ds.TransactionUID = "1.2.3"
    ds.ReferencedSOPSequence = [item]
    send = assoc.send_n_action if operation == "N-ACTION" else assoc.send_n_event_report
    try:
        status = send(ds, 1, STORAGE_COMMITMENT, PUSH_MODEL_INSTANCE)[0]
    finally:
        assoc.release()
        server.shutdown(2)

    assert status.Status == 0x0124, status
    assert touches.by == []

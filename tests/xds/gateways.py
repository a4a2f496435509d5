"""Gateways in words of tests: archives that are communities and listen on loopback, and answers of their gateways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lxml import etree
from pydicom import Dataset
from starlette.applications import Starlette

from tests.archives import Backend, put
from tests.objects import part10
from tests.xds import imaging, repositories
from tests.xds.builders import query, submission_set
from tests.xds.imaging import Ask, request
from tests.xds.listening import listening
from tests.xds.registries import DOMAIN, PATIENT, SHARED, found
from tests.xds.repositories import pdf, provide
from vna.app import Application, build, prepare
from vna.app.doors import Addresses, http_application
from vna.documents.repository import WantedDocument
from vna.metrics import Metrics
from vna.model.access import Actor
from vna.security.http import HttpRules, local
from vna.soap.client import call
from vna.soap.exchange import Rules
from vna.soap.message import Message, Reply
from vna.soap.service import Service
from xds import iti18, iti38, iti39, iti43, rad69, rad75
from xds.repository_client import retrieve_request

A, B, C, NOBODY = (f"urn:oid:1.2.826.0.1.3680043.10.1561.{number}" for number in (1, 2, 3, 99))
FIND, GET = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
APPROVED = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a query: status, errors as code and location, objects as id and home."""

    status: str
    errors: list[tuple[str, str]]
    objects: list[tuple[str, str]]
    contexts: list[str] = field(default_factory=list)

    @property
    def homes(self) -> list[str]:
        return sorted(home for _, home in self.objects)


@dataclass(slots=True)
class Community:
    """An archive that listens; `documents` are the uniqueIds of what it holds of PATIENT."""

    archive: Application
    http: str
    folder: Path
    documents: list[str] = field(default_factory=list)

    @property
    def responding(self) -> str:
        return f"{self.http}/xds/responding-gateway"

    @property
    def initiating(self) -> str:
        return f"{self.http}/xds/initiating-gateway"

    def add(self, content: bytes = repositories.RENDERED, *, patient: str = PATIENT) -> str:
        """Have a document; its uniqueId."""
        one = pdf(patient_id=patient)
        own = submission_set(patient_id=patient)
        answer = provide(self.archive, one, contents={one.entry_uuid: content}, own=own)
        assert answer.status == "Success", answer.errors
        self.documents.append(one.unique_id)
        return one.unique_id

    def store(self, *datasets: Dataset) -> None:
        """Have images."""
        for ds in datasets:
            put(self.archive, part10(ds))

    def spooled(self) -> list[str]:
        return [path.name for path in self.archive.blobs.spool_folder.iterdir()]


def repository_of(home: str) -> str:
    """Its repositoryUniqueId."""
    return home.removeprefix("urn:oid:") + ".7"


@contextmanager
def community(home: str, folder: Path, **xds: object) -> Iterator[Community]:
    """An archive with this home community id."""
    settings = {"repository_unique_id": repository_of(home), "unknown_patients": "register", "affinity_domain": DOMAIN}
    made = Backend("sqlite+folder", folder / home.rpartition(".")[2]).settings(
        xds={**settings, "home_community_id": home, **xds}
    )
    prepare(made)
    archive = build(made)
    app = http_application(archive, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())
    try:
        with listening(app) as at:
            yield Community(archive, at, folder)
    finally:
        archive.close()


def asking(*others: tuple[str, str], **more: object) -> list[dict[str, object]]:
    """The setting that names them: home community id, and address of the gateway."""
    return [{"home_community_id": home, "query": address, **more} for home, address in others]


@contextmanager
def three(folder: Path, **own: object) -> Iterator[tuple[Community, Community, Community]]:
    """A, which asks B and C; each with a document of PATIENT."""
    with ExitStack() as stack:
        b, c = (stack.enter_context(community(home, folder)) for home in (B, C))
        others = asking((B, b.responding), (C, c.responding))
        a = stack.enter_context(community(A, folder, communities=others, **own))
        for one in (a, b, c):
            one.add(f"%PDF of {one.http}".encode())
        yield a, b, c


Answer = Callable[[Message], Reply]


@contextmanager
def fake(answer: Answer, folder: Path, **tls: object) -> Iterator[str]:
    """The address of a Responding Gateway that answers everything so; `ssl_...` are options of uvicorn."""

    def operation(message: Message, _actor: Actor) -> Reply:
        return answer(message)

    rules = Rules(dict.fromkeys((iti38.ACTION, iti39.ACTION, rad75.ACTION), operation))
    with listening(local(Starlette(routes=Service("/rg", rules, folder).routes()), HttpRules()), **tls) as at:
        yield f"{at}/rg"


def find(*, returns: str = "LeafClass", patient: str = PATIENT, home: str = "", **slots: str) -> etree._Element:
    """FindDocuments of the patient."""
    patients = {"XDSDocumentEntryPatientId": f"'{patient}'", "XDSDocumentEntryStatus": APPROVED}
    return query(FIND, returns=returns, home=home, **patients, **slots)


def get(unique_id: str, home: str = "") -> etree._Element:
    """GetDocuments by uniqueId."""
    return query(GET, home=home, XDSDocumentEntryUniqueId=f"('{unique_id}')")


def ask(url: str, body: etree._Element) -> Found:
    """Have a query answered by a gateway, judged by the schema where it is there."""
    action = iti18.ACTION if url.endswith("initiating-gateway") else iti38.ACTION
    with call(url, action, body) as answer:
        return read(answer.body)


def read(body: etree._Element) -> Found:
    if (schema := _schema()) is not None:
        schema.assertValid(body)
    errors = found(body, "//rs:RegistryError")
    objects = found(body, "//rim:RegistryObjectList/*[self::rim:ExtrinsicObject or self::rim:ObjectRef]")
    return Found(
        body.get("status", "").rpartition(":")[2],
        [(one.get("errorCode", ""), one.get("location", "")) for one in errors],
        [(one.get("id", ""), one.get("home", "")) for one in objects],
        [one.get("codeContext", "") for one in errors],
    )


@cache
def _schema() -> etree.XMLSchema | None:
    folder = SHARED / "schemas"
    return etree.XMLSchema(etree.parse(folder / "query.xsd")) if folder.is_dir() else None


def contents_of(message: Message) -> dict[str, bytes]:
    contents = {}
    for name, attachment in message.attachments.items():
        with attachment.open() as file:
            contents[name] = file.read()
    return contents


def wanted(unique_id: str, home: str, repository: str = "") -> WantedDocument:
    """A document where it is."""
    return WantedDocument(repository or repository_of(home), unique_id, home)


def retrieve(url: str, *documents: WantedDocument) -> tuple[repositories.Answer, list[str]]:
    """The answer, and the locations of its errors."""
    action = iti43.ACTION if url.endswith("initiating-gateway") else iti39.ACTION
    with call(url, action, retrieve_request(documents)) as answer:
        locations = [str(one) for one in found(answer.body, "//rs:RegistryError/@location")]
        return repositories.read(answer.body, contents_of(answer)), locations


def images(url: str, asked: Sequence[Ask], syntaxes: Sequence[str] = (imaging.EXPLICIT,)) -> imaging.Answer:
    """Instances by RAD-69 or RAD-75."""
    action = rad69.ACTION if url.endswith("initiating-gateway") else rad75.ACTION
    with call(url, action, request(asked, syntaxes)) as answer:
        return imaging.read(answer.body, contents_of(answer))

"""The registry as a whole: racing submissions, plans of its statements, the journal, and its address."""

from __future__ import annotations

import re
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import httpx
import pytest
import sqlalchemy as sa
from lxml import etree

from benchmarks.documents import AUTHORITY, fill
from storage.index.engine import Database
from storage.index.schema import document_associations, patient_identifiers
from tests.archives import Backend, Open, open_index, rows
from tests.xds.builders import document, folder, link, query, submission, submission_set
from tests.xds.questions import ANY_STATUS, ANY_TYPE, APPROVED, IDS, Questions, quoted
from tests.xds.registries import DOMAIN, PATIENT, Registries, contexts, errors, found, make, status
from tests.xds.statements import seen
from vna.app import Application, build
from vna.app.doors import Addresses, http_application
from vna.archive.reindex import Step
from vna.documents.problems import Refused
from vna.metrics import Metrics
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.documents import Submission
from vna.model.errors import NotAuthorized
from vna.soap import addressing, envelope
from vna.soap.versions import Version
from vna.xml.namespaces import LCM, RIM
from xds import iti18, iti42
from xds.ebrim.writing import submit_request
from xds.registry import PATH

OTHER = f"D-2002^^^&{DOMAIN}&ISO"


@pytest.fixture
def registries(database: Database) -> Registries:
    made = make(database)
    for patient in (PATIENT, OTHER):
        made.patients.register(SYSTEM, patient)
    return made


def accept(registries: Registries, *things: Any, **changes: Any) -> Submission:
    return registries.registry.register(SYSTEM, submission(*things, **changes))


def together(works: list[Callable[[], Any]]) -> list[Any]:
    """What each returns or raises, all begun at once."""
    outcomes: list[Any] = [None] * len(works)
    barrier = threading.Barrier(len(works))

    def run(number: int) -> None:
        barrier.wait()
        try:
            outcomes[number] = works[number]()
        except Refused as refused:
            outcomes[number] = refused

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_of_two_that_replace_one_document_one_wins_and_the_other_is_told(registries: Registries) -> None:
    for _ in range(5):
        (held,) = accept(registries, document()).documents
        rivals = [submission(document(), link("Document01", "RPLC", held.entry_uuid)) for _ in range(4)]
        outcomes = together([lambda one=one: registries.registry.register(SYSTEM, one) for one in rivals])  # type: ignore[misc]
        won = [one for one in outcomes if isinstance(one, Submission)]
        lost = [one for one in outcomes if isinstance(one, Refused)]
        assert (len(won), len(lost)) == (1, 3)
        assert {problem.code for one in lost for problem in one.problems} == {"XDSRegistryDeprecatedDocumentError"}


def test_of_submissions_with_one_unique_id_one_is_registered(registries: Registries) -> None:
    own = submission_set()
    theirs = submission_set(unique_id=own.unique_id, patient_id=OTHER)
    rivals = [submission(document(), own=own), submission(document(patient_id=OTHER), own=theirs)] * 2
    answers = together([lambda one=one: registries.ask(iti42.ACTION, submit_request(one)) for one in rivals])  # type: ignore[misc]
    assert sorted(status(answer) for answer in answers) == ["Failure"] * 3 + ["Success"]
    assert {code for answer in answers for code in errors(answer)} == {"XDSDuplicateUniqueIdInRegistry"}


def test_submissions_and_merges_at_once_lose_nothing(registries: Registries) -> None:
    patients = [f"M-{n}^^^&{DOMAIN}&ISO" for n in range(6)]
    for patient in patients:
        registries.patients.register(SYSTEM, patient)

    def submit(patient: str) -> Submission:
        return accept(registries, document(patient_id=patient), own=submission_set(patient_id=patient))

    works: list[Callable[[], Any]] = [lambda patient=patient: submit(patient) for patient in patients]  # type: ignore[misc]
    works += [lambda patient=patient: registries.patients.merge(SYSTEM, patient, PATIENT) for patient in patients[:3]]  # type: ignore[misc]
    outcomes = together(works)
    registered = [one for one in outcomes[:6] if isinstance(one, Submission)]
    entries = [one for patient in (PATIENT, *patients[3:]) for one in Questions(registries, patient).documents()]
    assert {one.entry_uuid for one in entries} == {one.documents[0].entry_uuid for one in registered}
    assert len(registered) >= 3


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shelf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registries]:
    """Ten thousand documents of five hundred patients, with associations and further patients."""
    database = open_index(request, tmp_path_factory.mktemp("plans"))
    fill(database, 10_000)
    many = [{"authority": AUTHORITY, "value": f"X{n}"} for n in range(10_000)]
    links = [
        {"entry_uuid": f"a{n}", "association": "HasMember", "source": f"s{n}", "target": f"t{n}"} for n in range(10_000)
    ]
    with database.transaction() as connection:
        connection.execute(sa.insert(patient_identifiers), many)
        connection.execute(
            sa.insert(document_associations), [one | {"status": "Approved", "body": b""} for one in links]
        )
        connection.execute(sa.text("ANALYZE"))
    yield make(database)
    database.close()


CX = f"7^^^&{AUTHORITY}&ISO"
UUID = "urn:uuid:00000000-0000-4000-8000-000000000001"
ASKED: dict[str, dict[str, Any]] = {
    "FindDocuments": {
        "XDSDocumentEntryPatientId": quoted(CX),
        "XDSDocumentEntryStatus": APPROVED,
        "XDSDocumentEntryClassCode": "('REPORTS^^1.2.3.4.5')",
        "XDSDocumentEntryCreationTimeFrom": "2026",
        "XDSDocumentEntryEventCodeList": ["('A^^1','B^^1')", "('C^^1')"],
        "XDSDocumentEntryAuthorPerson": "('%Yilmaz%')",
        "XDSDocumentEntryType": ANY_TYPE,
    },
    "FindSubmissionSets": {"XDSSubmissionSetPatientId": quoted(CX), "XDSSubmissionSetStatus": APPROVED},
    "FindFolders": {"XDSFolderPatientId": quoted(CX), "XDSFolderStatus": APPROVED},
    "GetAll": {
        "patientId": quoted(CX),
        "XDSDocumentEntryStatus": ANY_STATUS,
        "XDSSubmissionSetStatus": APPROVED,
        "XDSFolderStatus": APPROVED,
    },
    "GetDocuments": {"XDSDocumentEntryUniqueId": "('1.2.826.0.1.3680043.10.1561.7.7')"},
    "GetFolders": {"XDSFolderEntryUUID": f"('{UUID}')"},
    "GetAssociations": {"uuid": f"('{UUID}')"},
    "GetDocumentsAndAssociations": {"XDSDocumentEntryEntryUUID": f"('{UUID}')"},
    "GetSubmissionSets": {"uuid": f"('{UUID}')"},
    "GetSubmissionSetAndContents": {"XDSSubmissionSetUniqueId": "'1.2.3'"},
    "GetFolderAndContents": {"XDSFolderUniqueId": "'1.2.3'"},
    "GetFoldersForDocument": {"XDSDocumentEntryEntryUUID": f"'{UUID}'"},
    "GetRelatedDocuments": {
        "XDSDocumentEntryEntryUUID": f"'{UUID}'",
        "AssociationTypes": "('urn:ihe:iti:2007:AssociationType:RPLC')",
    },
    "FindDocumentsByReferenceId": {
        "XDSDocumentEntryPatientId": quoted(CX),
        "XDSDocumentEntryStatus": APPROVED,
        "XDSDocumentEntryReferenceIdList": "('x')",
    },
}
TABLES = "document_objects|document_associations|patient_identifiers"


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("returns", ["LeafClass", "ObjectRef"])
def test_no_stored_query_looks_through_a_table(shelf: Registries, name: str, returns: str) -> None:
    with seen(shelf.database, plans=True) as plan:
        answer = shelf.ask(iti18.ACTION, query(IDS[name], returns=returns, **ASKED[name]))
    assert status(answer) == "Success", contexts(answer)
    scanned = re.compile(rf"SCAN (?:{TABLES})\b|Seq Scan on (?:{TABLES})\b")
    assert plan
    assert not [line for line in plan if scanned.search(line)], "\n".join(plan)


def test_twenty_documents_among_many_are_found_by_patient_and_status(shelf: Registries) -> None:
    assert len(Questions(shelf, CX).find()) == 20


def test_a_reindex_brings_the_registry_back_from_the_journal(open_archive: Open) -> None:
    archive = open_archive(xds={"affinity_domain": DOMAIN})
    registries = Registries(archive.database, archive.documents, archive.patients)
    archive.patients.register(SYSTEM, PATIENT)
    archive.patients.register(SYSTEM, OTHER)
    first = accept(registries, document("A"), folder(), link("Folder01", "HasMember", "A"))
    (held,) = first.documents
    accept(registries, document(), link("Document01", "RPLC", held.entry_uuid))
    (theirs,) = accept(registries, document(patient_id=OTHER), own=submission_set(patient_id=OTHER)).documents
    gone = accept(registries, document())
    member = [one.entry_uuid for one in Questions(registries).associations(gone.documents[0].entry_uuid)]
    archive.documents.remove(SYSTEM, [gone.documents[0].entry_uuid, gone.submission_set.entry_uuid, *member])
    archive.patients.merge(SYSTEM, OTHER, PATIENT)
    archive.dispatcher().drain()
    before = Questions(registries).everything()
    assert theirs.entry_uuid in before

    steps = {rebuilt.step for rebuilt in archive.reindex.run(SYSTEM)}

    assert steps == {Step.NOTED}
    assert Questions(registries).everything() == before
    assert Questions(registries, OTHER).documents() == []
    assert status(registries.ask(iti42.ACTION, submit_request(submission(document())))) == "Success"


def test_every_change_writes_its_event_in_its_own_transaction(open_archive: Open) -> None:
    archive = open_archive(xds={"unknown_patients": "register"})
    registries = Registries(archive.database, archive.documents, archive.patients)
    accept(registries, document())
    with pytest.raises(Refused):
        accept(registries, document(), link("Document01", "RPLC", UUID))
    kinds = [kind for (kind,) in rows(archive, "SELECT kind FROM events ORDER BY id")]
    assert kinds == ["patient.registered", "document.registered"]


def test_visitors_of_access_links_and_others_without_rights_see_no_documents(open_archive: Open) -> None:
    archive = open_archive()
    visitor = Actor(ActorKind.LINK, "link", frozenset(Action), study_instance_uid="1.2.3")
    with pytest.raises(NotAuthorized):
        archive.documents.register(visitor, submission(document()))
    asked, _ = iti18.read(query(IDS["GetAssociations"], uuid=f"('{UUID}')"))
    with pytest.raises(NotAuthorized):
        archive.documents.query(visitor, asked)


def test_a_submission_of_very_many_objects_is_refused_before_it_is_read(registries: Registries) -> None:
    request = submit_request(submission())
    listed = request[0]
    for number in range(100_000):
        etree.SubElement(
            listed,
            f"{{{RIM}}}Association",
            id=f"a{number}",
            associationType="HasMember",
            sourceObject="a",
            targetObject="b",
        )
    tracemalloc.start()
    answer = registries.ask(iti42.ACTION, request)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert errors(answer) == ["XDSRegistryOutOfResources"]
    assert "100001" in contexts(answer)
    assert peak < 1 << 20


class Live:
    """The application of one archive, called in this process."""

    def __init__(self, application: Application) -> None:
        self.app = http_application(application, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
                return await client.request(method, path, **more)

        return anyio.run(ask)

    def send(self, action: str, body: etree._Element) -> etree._Element:
        headers = addressing.request_headers(Version.SOAP12, action, "urn:uuid:2", PATH)
        content = envelope.write(Version.SOAP12, body, headers)
        answer = self.request("POST", PATH, content=content, headers={"Content-Type": "application/soap+xml"})
        assert answer.status_code == 200, answer.text
        return etree.fromstring(answer.content)


@pytest.fixture
def live(tmp_path: Any) -> Iterator[Live]:
    from vna.app import migrate, prepare

    settings = Backend("sqlite+folder", tmp_path).settings(xds={"unknown_patients": "register", "codes": "turkey"})
    migrate(settings)
    prepare(settings)
    application = build(settings)
    yield Live(application)
    application.close()


def test_the_registry_is_at_its_address_with_the_codes_of_its_domain(live: Live) -> None:
    answer = live.send(iti42.ACTION, submit_request(submission(document())))
    assert "typeCode" not in contexts(answer), "an attribute without a list takes any code"
    assert "classCode REPORTS^^1.2.3.4.5 is no code of the affinity domain" in contexts(answer)
    asked = query(IDS["FindDocuments"], XDSDocumentEntryPatientId=quoted(PATIENT), XDSDocumentEntryStatus=APPROVED)
    found_ = live.send(iti18.ACTION, asked)
    assert found(found_, "//rim:RegistryObjectList")
    assert found_.findtext(".//{http://www.w3.org/2005/08/addressing}RelatesTo") == "urn:uuid:2"


def test_the_wsdl_tells_of_every_transaction(live: Live) -> None:
    from xds.registry import TRANSACTIONS

    answer = live.request("GET", f"{PATH}?wsdl")
    assert answer.status_code == 200
    for module in TRANSACTIONS:
        assert f'"{module.ACTION}"' in answer.text


def test_a_body_with_an_unknown_action_is_a_fault(live: Live) -> None:
    headers = addressing.request_headers(Version.SOAP12, "urn:nothing", "urn:uuid:2", PATH)
    content = envelope.write(Version.SOAP12, etree.Element(f"{{{LCM}}}SubmitObjectsRequest"), headers)
    answer = live.request("POST", PATH, content=content, headers={"Content-Type": "application/soap+xml"})
    assert "ActionNotSupported" in answer.text

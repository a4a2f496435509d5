"""Three archives as communities: one asks the others on behalf of its consumers, whatever state they are in."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests
import zeep
from lxml import etree
from pydicom.uid import generate_uid
from zeep.transports import Transport

from tests.objects import ct, part10
from tests.xds.builders import query
from tests.xds.gateways import (
    APPROVED,
    NOBODY,
    A,
    B,
    C,
    Community,
    ask,
    asking,
    community,
    contents_of,
    fake,
    find,
    get,
    images,
    read,
    repository_of,
    retrieve,
    three,
    wanted,
)
from tests.xds.imaging import ask as instance
from tests.xds.registries import DOMAIN, PATIENT
from vna.soap import message as soap
from vna.soap.client import call
from vna.soap.faults import SoapFault, receiver
from vna.soap.message import Message, Reply, include
from vna.xml.namespaces import QUERY, RIM, RS, SOAP12, XDSB, qname
from xds import iti18, iti38, iti43
from xds.repository_client import retrieve_request
from xds.responses import registry_response

Three = tuple[Community, Community, Community]


@pytest.fixture(scope="module")
def communities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    with three(tmp_path_factory.mktemp("communities")) as made:
        yield made


@pytest.mark.parametrize("returns", ["LeafClass", "ObjectRef"])
def test_a_patient_is_found_in_every_community(communities: Three, returns: str) -> None:
    answer = ask(communities[0].initiating, find(returns=returns))

    assert (answer.status, answer.errors) == ("Success", [])
    assert answer.homes == sorted(home for one, home in zip(communities, (A, B, C), strict=True) for _ in one.documents)


def test_a_query_may_name_its_communities(communities: Three) -> None:
    url = communities[0].initiating

    assert set(ask(url, find(home=B)).homes) == {B}
    assert set(ask(url, find(home=A)).homes) == {A}
    assert set(ask(url, find(targetCommunityIdList=f"('{C}','{A}')")).homes) == {A, C}
    partly = ask(url, find(targetCommunityIdList=f"('{C}','{NOBODY}')"))
    assert (partly.status, partly.errors, set(partly.homes)) == ("PartialSuccess", [("XDSUnknownCommunity", A)], {C})
    nowhere = ask(url, find(home=NOBODY))
    assert (nowhere.status, nowhere.errors) == ("Failure", [("XDSUnknownCommunity", A)])


def test_objects_are_found_by_the_home_that_came_with_them(communities: Three) -> None:
    url = communities[0].initiating
    for one, home in zip(communities, (A, B, C), strict=True):
        assert ask(url, get(one.documents[0], home)).homes == [home]
        assert ask(url, get(one.documents[0], home.removeprefix("urn:oid:"))).homes == [home]
    elsewhere = ask(url, get(communities[1].documents[0], C))
    assert (elsewhere.status, elsewhere.objects) == ("Success", [])
    assert ask(url, get("1.2.3")).errors == [("XDSMissingHomeCommunityId", A)]
    assert ask(url, get("1.2.3", NOBODY)).errors == [("XDSUnknownCommunity", A)]


def test_a_query_that_nobody_knows_goes_to_the_community_it_names(communities: Three) -> None:
    url, unknown = communities[0].initiating, "urn:uuid:00000000-0000-4000-8000-000000000000"

    assert ask(url, query(unknown)).errors == [("XDSUnknownStoredQuery", A)]
    assert ask(url, query(unknown, home=B)).errors == [("XDSUnknownStoredQuery", B)]


@pytest.mark.parametrize(("count", "text"), [(6000, "'x'"), (1, f"'{'x' * 300_000}'")])
def test_a_query_that_would_be_copied_too_often_is_refused(communities: Three, count: int, text: str) -> None:
    answer = ask(communities[0].initiating, find(Something="|".join([text] * count)))

    assert (answer.status, answer.errors) == ("Failure", [("XDSRegistryOutOfResources", A)])


def test_what_is_wrong_with_a_query_every_community_says(communities: Three) -> None:
    answer = ask(communities[0].initiating, find(XDSDocumentEntryClassCode="('X')"))

    assert answer.status == "Failure"
    assert sorted(answer.errors) == [("XDSRegistryError", home) for home in (A, B, C)]


def test_documents_come_from_wherever_they_are(communities: Three) -> None:
    everywhere = [wanted(one.documents[0], home) for one, home in zip(communities, (A, B, C), strict=True)]

    answer, _ = retrieve(communities[0].initiating, *everywhere)

    assert (answer.status, sorted(answer.homes)) == ("Success", [A, B, C])
    assert answer.files == {one.documents[0]: f"%PDF of {one.http}".encode() for one in communities}


def test_documents_that_are_nowhere_have_their_errors(communities: Three) -> None:
    a, b, _ = communities
    answer, locations = retrieve(
        a.initiating,
        wanted(b.documents[0], B),
        wanted("1.2.3", B),
        wanted("1.2.4", A),
        wanted("1.2.5", NOBODY),
        wanted("1.2.6", "", "1.2"),
    )

    assert (answer.status, list(answer.files)) == ("PartialSuccess", [b.documents[0]])
    assert sorted(zip(answer.codes, locations, strict=True)) == [
        ("XDSDocumentUniqueIdError", A),
        ("XDSDocumentUniqueIdError", B),
        ("XDSMissingHomeCommunityId", A),
        ("XDSUnknownCommunity", A),
    ]
    alone, _ = retrieve(a.initiating, wanted("1.2.6", "", "1.2"))
    assert (alone.status, alone.codes) == ("Failure", ["XDSMissingHomeCommunityId"])


def test_images_come_from_wherever_they_are_bit_for_bit(communities: Three) -> None:
    study, series = generate_uid(), generate_uid()
    datasets = {home: [ct(StudyInstanceUID=study, SeriesInstanceUID=series) for _ in range(2)] for home in (A, B, C)}
    for one, home in zip(communities, (A, B, C), strict=True):
        one.store(*datasets[home])
    asked = [instance(ds, repository=repository_of(home), home=home) for home in datasets for ds in datasets[home]]

    answer = images(communities[0].initiating, asked)

    assert (answer.status, sorted(answer.homes)) == ("Success", [A, A, B, B, C, C])
    assert answer.files == {ds.SOPInstanceUID: part10(ds) for home in datasets for ds in datasets[home]}
    wrong = images(communities[0].initiating, [asked[2], instance(ct(), repository=repository_of(C), home=C)])
    assert (wrong.status, wrong.errors) == ("PartialSuccess", [("XDSDocumentUniqueIdError", C)])
    homeless = images(communities[0].initiating, [instance(datasets[A][0], repository=repository_of(A))])
    assert homeless.errors == [("XDSMissingHomeCommunityId", A)]


def test_zeep_asks_both_gateways_by_the_wsdl_that_is_served(communities: Three) -> None:
    a, b, _ = communities
    slot = {"name": "$XDSDocumentEntryPatientId", "ValueList": {"_value_1": [{"Value": f"'{PATIENT}'"}]}}
    status = {"name": "$XDSDocumentEntryStatus", "ValueList": {"_value_1": [{"Value": APPROVED}]}}
    asked = {
        "ResponseOption": {"returnType": "ObjectRef", "returnComposedObjects": True},
        "AdhocQuery": {"id": "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", "Slot": [slot, status]},
    }
    document = {"HomeCommunityId": B, "RepositoryUniqueId": repository_of(B), "DocumentUniqueId": b.documents[0]}
    with requests.Session() as session:
        transport = Transport(session=session)  # type: ignore[no-untyped-call]  # zeep has no types
        initiating, responding = (
            zeep.Client(f"{url}?wsdl", transport=transport)  # type: ignore[no-untyped-call]
            for url in (a.initiating, b.responding)
        )
        with initiating.settings(raw_response=True), responding.settings(raw_response=True):  # no substitution groups
            found = initiating.service.InitiatingGateway_RegistryStoredQuery(**asked)
            there = responding.service.RespondingGateway_CrossGatewayQuery(**asked)
        given = initiating.service.InitiatingGateway_RetrieveDocumentSet(DocumentRequest=[document])
        same = responding.service.RespondingGateway_CrossGatewayRetrieve(DocumentRequest=[document])

    answers = [read(soap_body(answer.content)) for answer in (found, there)]
    assert [(answer.status, set(answer.homes)) for answer in answers] == [("Success", {A, B, C}), ("Success", {B})]
    contents = [answer.DocumentResponse[0].Document for answer in (given, same)]
    assert contents == [f"%PDF of {b.http}".encode()] * 2
    assert given.DocumentResponse[0].HomeCommunityId == B


def soap_body(written: bytes) -> etree._Element:
    body = etree.fromstring(written).find(f"{qname(SOAP12, 'Body')}/*")
    assert body is not None
    return body


def test_no_request_goes_in_circles(tmp_path: Path) -> None:
    """A and B ask each other, and B would ask A again if it asked anybody."""
    with community(B, tmp_path) as b:
        b.add()
        with community(A, tmp_path, communities=asking((B, b.responding), (C, b.initiating))) as a:
            a.add()
            answer = ask(a.initiating, find())

    assert (answer.status, answer.homes) == ("PartialSuccess", [A, B])
    assert answer.errors == [("XDSUnavailableCommunity", C)]  # an Initiating Gateway takes no ITI-38


def test_one_gateway_of_two_communities_is_asked_once(tmp_path: Path) -> None:
    with community(B, tmp_path) as b:
        b.add()
        with community(A, tmp_path, communities=asking((B, b.responding), (C, b.responding))) as a:
            answer = ask(a.initiating, find())
            named, locations = retrieve(a.initiating, wanted(b.documents[0], C, repository_of(B)))

    assert (answer.status, answer.homes) == ("Success", [B])
    assert (named.status, named.codes, locations) == ("Failure", ["XDSUnknownCommunity"], [B])


def test_a_patient_has_the_authority_of_the_community_that_is_asked(tmp_path: Path) -> None:
    with community(B, tmp_path, affinity_domain="1.2.3.4") as b:
        b.add(patient=PATIENT.replace(DOMAIN, "1.2.3.4"))
        with community(A, tmp_path, communities=asking((B, b.responding), affinity_domain="1.2.3.4")) as a:
            answer = ask(a.initiating, find())

    assert (answer.status, answer.homes) == ("Success", [B])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def hanging(*, dripping: bool = False) -> Iterator[str]:
    """A server that takes connections and says nothing, or a byte now and then."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)

        def serve() -> None:
            taken = []
            while not stop.is_set():
                try:
                    taken.append(listener.accept()[0])
                    if dripping:
                        taken[-1].sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n\r\n")
                except TimeoutError:
                    pass
                if dripping:
                    for one in taken:
                        with suppress(OSError):
                            one.sendall(b" ")
            for one in taken:
                one.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/rg"
        finally:
            stop.set()
            thread.join()


def test_a_community_that_is_down_is_said_and_the_others_are_given(tmp_path: Path) -> None:
    down = f"http://127.0.0.1:{free_port()}/rg"
    with community(B, tmp_path) as b:
        b.add()
        with community(A, tmp_path, communities=asking((B, b.responding), (C, down))) as a:
            found = ask(a.initiating, find())
            alone = ask(a.initiating, get("1.2.3", C))
            given, locations = retrieve(a.initiating, wanted(b.documents[0], B), wanted("1.2.3", C))
            pictures = images(a.initiating, [instance(ct(), repository="1.2", home=C)])

    assert (found.status, found.homes, found.errors) == ("PartialSuccess", [B], [("XDSUnavailableCommunity", C)])
    assert (alone.status, alone.errors) == ("Failure", [("XDSUnavailableCommunity", C)])
    assert "cannot be reached" in alone.contexts[0]
    assert (given.status, given.codes, locations) == ("PartialSuccess", ["XDSUnavailableCommunity"], [C])
    assert list(given.files) == b.documents
    assert (pictures.status, pictures.errors) == ("Failure", [("XDSUnavailableCommunity", C)])


@pytest.mark.parametrize("dripping", [False, True])
def test_a_community_that_hangs_is_waited_for_only_so_long(tmp_path: Path, dripping: bool) -> None:
    with hanging(dripping=dripping) as url, community(B, tmp_path) as b:
        b.add()
        others = asking((B, b.responding), (C, url))
        with community(A, tmp_path, communities=others, gateway_timeout=1.0, gateway_requests=1) as a:
            begun = time.monotonic()
            found = ask(a.initiating, find())
            took = time.monotonic() - begun
            again = [ask(a.initiating, find()) for _ in range(3)]
            begun = time.monotonic()
            given, _ = retrieve(a.initiating, wanted(b.documents[0], B), wanted("1.2.3", C))
            took_documents = time.monotonic() - begun

    assert (found.status, found.homes, found.errors) == ("PartialSuccess", [B], [("XDSUnavailableCommunity", C)])
    assert "in time" in found.contexts[0]
    assert 0.9 < took < 3
    assert took_documents < 5
    assert (given.status, given.codes) == ("PartialSuccess", ["XDSUnavailableCommunity"])
    assert {(one.status, *one.errors) for one in again} == {("PartialSuccess", ("XDSUnavailableCommunity", C))}


def test_more_requests_than_may_be_at_once_are_told_so(tmp_path: Path) -> None:
    with (
        hanging() as url,
        community(A, tmp_path, communities=asking((B, url)), gateway_timeout=2.0, gateway_requests=1) as a,
    ):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(ask(a.initiating, find()))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    codes = sorted(code for one in answers for code, _ in one.errors)
    assert codes == ["XDSRegistryBusy", "XDSRegistryBusy", "XDSUnavailableCommunity"]


def test_a_community_that_hangs_keeps_no_other_door_shut(tmp_path: Path) -> None:
    with (
        hanging() as url,
        community(A, tmp_path, communities=asking((B, url)), gateway_timeout=3.0) as a,
    ):
        threads = [threading.Thread(target=lambda: ask(a.initiating, find())) for _ in range(60)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        begun = time.monotonic()
        answer = ask(a.responding, find())
        took = time.monotonic() - begun
        for thread in threads:
            thread.join()

    assert answer.status == "Success"
    assert took < 1


def response(status: str, *objects: etree._Element, errors: tuple[dict[str, str], ...] = ()) -> etree._Element:
    made = etree.Element(qname(QUERY, "AdhocQueryResponse"), status=status, nsmap={"q": QUERY, "r": RIM})
    if errors:
        listed = etree.SubElement(made, qname(RS, "RegistryErrorList"))
        for error in errors:
            etree.SubElement(listed, qname(RS, "RegistryError"), error)
    etree.SubElement(made, qname(RIM, "RegistryObjectList")).extend(objects)
    return made


def reference(home: str = B, name: str = "ObjectRef", namespace: str = RIM) -> etree._Element:
    made = etree.Element(qname(namespace, name), id="urn:uuid:00000000-0000-4000-8000-000000000001")
    if home:
        made.set("home", home)
    return made


SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
FAILURE = SUCCESS.replace("Success", "Failure")
PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
ERROR = {"codeContext": "?", "severity": "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"}
UNKNOWN, TOO_MANY = ({"errorCode": code, **ERROR} for code in ("XDSUnknownPatientId", "XDSTooManyResults"))
WARNING = {
    "errorCode": "W",
    "codeContext": "?",
    "severity": "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning",
}
UNAVAILABLE, MISSING = ("XDSUnavailableCommunity", B), ("XDSMissingHomeCommunityId", B)


@pytest.mark.parametrize(
    ("body", "status", "errors", "objects"),
    [
        (response(SUCCESS, reference()), "Success", [], 1),
        (response(SUCCESS, reference(NOBODY)), "Success", [], 1),
        (response(SUCCESS), "Success", [], 0),
        (response(SUCCESS, reference(), errors=(WARNING,)), "Success", [("W", B)], 1),
        (response(FAILURE, errors=(UNKNOWN,)), "Success", [], 0),
        (response(FAILURE, errors=(TOO_MANY,)), "PartialSuccess", [("XDSTooManyResults", B)], 0),
        (response(FAILURE, errors=({**TOO_MANY, "location": C},)), "PartialSuccess", [("XDSTooManyResults", C)], 0),
        (response(PARTIAL, reference(), errors=(TOO_MANY, UNKNOWN)), "PartialSuccess", [("XDSTooManyResults", B)], 1),
        (response(FAILURE), "PartialSuccess", [UNAVAILABLE], 0),
        (response(SUCCESS, reference(), reference("")), "PartialSuccess", [MISSING], 1),
        (response(SUCCESS, reference("here")), "PartialSuccess", [MISSING], 0),
        (response(SUCCESS, reference(A)), "PartialSuccess", [MISSING], 0),
        (response(SUCCESS, reference(namespace="urn:x")), "PartialSuccess", [UNAVAILABLE], 0),
        (response("fine", reference()), "PartialSuccess", [UNAVAILABLE], 0),
        (etree.fromstring("<nonsense/>"), "PartialSuccess", [UNAVAILABLE], 0),
        (registry_response(), "PartialSuccess", [UNAVAILABLE], 0),
    ],
)
def test_what_a_community_answers_to_a_query_is_judged(
    tmp_path: Path, body: etree._Element, status: str, errors: list[tuple[str, str]], objects: int
) -> None:
    """Our own community finds nothing, which is a success."""
    with (
        fake(lambda _message: Reply(f"{iti38.ACTION}Response", body), tmp_path) as url,
        community(A, tmp_path, communities=asking((B, url))) as a,
    ):
        answer = ask(a.initiating, find(returns="ObjectRef"))

    assert (answer.status, answer.errors, len(answer.objects)) == (status, errors, objects)


def test_a_fault_is_a_community_that_is_not_available(tmp_path: Path) -> None:
    def faulting(_message: Message) -> Reply:
        raise receiver("out for lunch")

    with fake(faulting, tmp_path) as url, community(A, tmp_path, communities=asking((B, url))) as a:
        found = ask(a.initiating, find())
        given, _ = retrieve(a.initiating, wanted("1.2.3", B))

    assert (found.status, found.errors) == ("PartialSuccess", [UNAVAILABLE])
    assert "out for lunch" in found.contexts[0]
    assert (given.status, given.codes) == ("Failure", ["XDSUnavailableCommunity"])


def test_a_query_is_passed_on_with_everything_in_it(tmp_path: Path) -> None:
    asked: list[etree._Element] = []

    def noting(message: Message) -> Reply:
        asked.append(message.body)
        return Reply(f"{iti38.ACTION}Response", response(SUCCESS))

    with fake(noting, tmp_path) as url, community(A, tmp_path, communities=asking((B, url))) as a:
        ask(a.initiating, find(XDSSomethingNew="'x'"))
        ask(a.initiating, find(home=B))
        ask(a.initiating, get("1.2.3", B.removeprefix("urn:oid:")))

    queries = [one[-1] for one in asked]
    assert [slot.get("name") for slot in queries[0]][2:] == ["$XDSSomethingNew"]
    assert [one.get("home") for one in queries] == [None, B, B]


def gives(*documents: tuple[str, str], status: etree._Element | None = None, attached: bool = True) -> Reply:
    """A RetrieveDocumentSetResponse with these, by uniqueId and media type."""
    body = etree.Element(qname(XDSB, "RetrieveDocumentSetResponse"))
    body.append(registry_response() if status is None else status)
    contents = []
    for number, (unique_id, mime_type) in enumerate(documents):
        made = etree.SubElement(body, qname(XDSB, "DocumentResponse"))
        texts = (
            *(("HomeCommunityId", B), ("RepositoryUniqueId", "1.2"), ("DocumentUniqueId", unique_id)),
            *(("NewDocumentUniqueId", "1.2.9"), ("mimeType", mime_type)),
        )
        for name, text in texts:
            etree.SubElement(made, qname(XDSB, name)).text = text
        include(etree.SubElement(made, qname(XDSB, "Document")), f"c{number}")
        contents.append(soap.Content(f"c{number}", "text/plain", lambda: iter([b"x"]), 1))
    return Reply(f"{iti43.ACTION}Response", body, contents if attached else ())


@pytest.mark.parametrize(
    ("reply", "status", "codes", "files"),
    [
        (gives(("1", "text/plain")), "Success", [], ["1"]),
        (gives(("1", "text/plain\r\nX: y")), "Success", [], ["1"]),
        (gives(("1", "text/plain"), ("2", "text/plain")), "Success", [], ["1"]),
        (gives(("2", "text/plain")), "Failure", ["XDSRepositoryError"], []),
        (gives(), "Failure", ["XDSRepositoryError"], []),
        (gives(status=response(FAILURE)), "Failure", ["XDSUnavailableCommunity"], []),
        (gives(("1", "text/plain"), attached=False), "Failure", ["XDSUnavailableCommunity"], []),
        (Reply("urn:x", etree.fromstring("<nonsense/>")), "Failure", ["XDSUnavailableCommunity"], []),
        (Reply("urn:x", registry_response()), "Failure", ["XDSUnavailableCommunity"], []),
    ],
)
def test_what_a_community_gives_is_judged(
    tmp_path: Path, reply: Reply, status: str, codes: list[str], files: list[str]
) -> None:
    with fake(lambda _message: reply, tmp_path) as url, community(A, tmp_path, communities=asking((B, url))) as a:
        answer, _ = retrieve(a.initiating, wanted("1", B, "1.2"))
        left = a.spooled()

    assert (answer.status, answer.codes, list(answer.files)) == (status, codes, files)
    assert left == []


def test_the_identifiers_of_an_on_demand_document_come_through(tmp_path: Path) -> None:
    with (
        fake(lambda _message: gives(("1", "text/plain")), tmp_path) as url,
        community(A, tmp_path, communities=asking((B, url))) as a,
        call(a.initiating, iti43.ACTION, retrieve_request([wanted("1", B, "1.2")])) as answer,
    ):
        assert answer.body.findtext(f".//{qname(XDSB, 'NewDocumentUniqueId')}") == "1.2.9"
        assert list(contents_of(answer).values()) == [b"x"]


@pytest.mark.parametrize("body", ["<a/>", "<xdsb:RetrieveDocumentSetRequest xmlns:xdsb='urn:ihe:iti:xds-b:2007'/>"])
def test_another_body_is_refused_in_plain_words(communities: Three, body: str) -> None:
    found = ask(communities[0].initiating, etree.fromstring(body))
    with call(communities[0].initiating, iti43.ACTION, etree.fromstring(body)) as given:
        assert b"XDSRepositoryError" in etree.tostring(given.body)
    assert found.errors == [("XDSRegistryError", A)]
    with pytest.raises(SoapFault, match="RetrieveImagingDocumentSetRequest"):
        call(communities[0].initiating, "urn:ihe:rad:2009:RetrieveImagingDocumentSet", etree.fromstring(body))


def test_without_a_home_community_there_are_no_gateways(tmp_path: Path) -> None:
    with community(A, tmp_path, home_community_id="") as a, pytest.raises(Exception, match="404"):
        call(a.initiating, iti18.ACTION, find())

"""ITI-38, ITI-39 and RAD-75: what a community gives to others, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from lxml import etree
from pydicom.uid import generate_uid

from tests.objects import ct, part10
from tests.xds.builders import query
from tests.xds.gateways import (
    NOBODY,
    A,
    B,
    Community,
    ask,
    community,
    find,
    get,
    images,
    repository_of,
    retrieve,
    wanted,
)
from tests.xds.imaging import ask as instance
from tests.xds.registries import PATIENT
from tests.xds.repositories import RENDERED
from vna.documents.communities import home_community_id
from vna.soap.client import call
from vna.soap.faults import SoapFault
from vna.xml.namespaces import PREFIXES, SOAP12
from xds import iti18, iti38, iti43
from xds.ebrim.writing import at_home


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Community]:
    with community(B, tmp_path_factory.mktemp("responding")) as made:
        made.add()
        yield made


@pytest.mark.parametrize("returns", ["LeafClass", "ObjectRef"])
@pytest.mark.parametrize("home", ["", B, B.removeprefix("urn:oid:")])
def test_everything_that_is_found_has_our_home(there: Community, returns: str, home: str) -> None:
    answer = ask(there.responding, find(returns=returns, home=home))

    assert (answer.status, answer.homes) == ("Success", [B] * len(there.documents))


def test_everything_of_a_patient_has_our_home_but_associations(there: Community) -> None:
    statuses = dict.fromkeys(("XDSDocumentEntryStatus", "XDSSubmissionSetStatus", "XDSFolderStatus"), APPROVED)
    body = query("urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3", patientId=f"'{PATIENT}'", **statuses)
    with call(there.responding, iti38.ACTION, body) as answer:
        objects = list(answer.body.iterfind("rim:RegistryObjectList/*", PREFIXES))

    said = {(etree.QName(one).localname, one.get("home")) for one in objects}
    assert said == {("ExtrinsicObject", B), ("RegistryPackage", B), ("Association", None)}


APPROVED = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"


def test_a_query_for_objects_needs_the_home_that_is_ours(there: Community) -> None:
    (unique_id, *_) = there.documents

    assert ask(there.responding, get(unique_id, B)).homes == [B]
    assert ask(there.responding, get(unique_id)).errors == [("XDSMissingHomeCommunityId", B)]
    assert ask(there.responding, get(unique_id, A)).errors == [("XDSUnknownCommunity", B)]
    assert ask(there.responding, get(unique_id, "nonsense")).errors == [("XDSUnknownCommunity", B)]
    assert ask(there.responding, find(home=NOBODY)).errors == [("XDSUnknownCommunity", B)]


def test_a_patient_who_is_not_known_is_one_without_documents(there: Community) -> None:
    answer = ask(there.responding, find(patient=PATIENT.replace("D-1001", "NOBODY")))

    assert (answer.status, answer.objects) == ("Success", [])


def test_a_query_for_other_communities_finds_nothing_here(there: Community) -> None:
    assert ask(there.responding, find(targetCommunityIdList=f"('{A}','{B}')")).homes == [B] * len(there.documents)
    assert ask(there.responding, find(targetCommunityIdList="()")).homes == [B] * len(there.documents)
    by_id = get(there.documents[0])
    by_id[-1].append(find(targetCommunityIdList=f"('{B}')")[-1][-1])
    assert ask(there.responding, by_id).errors == [("XDSMissingHomeCommunityId", B)]
    answer = ask(there.responding, find(targetCommunityIdList=f"('{A}')"))
    assert (answer.status, answer.objects) == ("Success", [])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (query("urn:uuid:00000000-0000-4000-8000-000000000000", home=B), "XDSUnknownStoredQuery"),
        (query("urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"), "XDSStoredQueryMissingParam"),
        (find(XDSDocumentEntryClassCode="('X')"), "XDSRegistryError"),
        (etree.fromstring("<a/>"), "XDSRegistryError"),
    ],
)
def test_every_error_of_a_query_is_located_here(there: Community, body: etree._Element, code: str) -> None:
    answer = ask(there.responding, body)

    assert (answer.status, answer.errors) == ("Failure", [(code, B)])


def test_documents_are_given_by_home(there: Community) -> None:
    (unique_id, *_) = there.documents

    answer, _ = retrieve(there.responding, wanted(unique_id, B))

    assert (answer.status, answer.files, answer.homes) == ("Success", {unique_id: RENDERED}, [B])


@pytest.mark.parametrize(
    ("home", "repository", "code"),
    [
        ("", repository_of(B), "XDSMissingHomeCommunityId"),
        (A, repository_of(B), "XDSUnknownCommunity"),
        ("?", repository_of(B), "XDSUnknownCommunity"),
        (B, "1.2.3", "XDSUnknownRepositoryId"),
    ],
)
def test_a_document_that_is_elsewhere_is_refused_and_the_others_are_given(
    there: Community, home: str, repository: str, code: str
) -> None:
    (unique_id, *_) = there.documents
    elsewhere = wanted("1.2.3.4", home, repository)

    answer, locations = retrieve(there.responding, wanted(unique_id, B), elsewhere)
    alone, _ = retrieve(there.responding, elsewhere)

    assert (answer.status, answer.codes, locations) == ("PartialSuccess", [code], [B])
    assert list(answer.files) == [unique_id]
    assert (alone.status, alone.codes, alone.files) == ("Failure", [code], {})


def test_images_are_given_by_home_bit_for_bit(there: Community) -> None:
    study, series = generate_uid(), generate_uid()
    datasets = [ct(StudyInstanceUID=study, SeriesInstanceUID=series) for _ in range(3)]
    there.store(*datasets)
    here = [instance(ds, repository=repository_of(B), home=B) for ds in datasets]

    answer = images(there.responding, here)
    assert (answer.status, answer.homes) == ("Success", [B] * 3)
    assert answer.files == {ds.SOPInstanceUID: part10(ds) for ds in datasets}

    elsewhere = [instance(datasets[0], repository=repository_of(B), home=home) for home in ("", A)]
    mixed = images(there.responding, [*here[1:], *elsewhere])
    assert mixed.status == "PartialSuccess"
    assert mixed.errors == [("XDSMissingHomeCommunityId", B), ("XDSUnknownCommunity", B)]
    assert len(mixed.files) == 2
    unknown = instance(ct(), repository=repository_of(B), home=B)
    assert images(there.responding, [unknown]).errors == [("XDSDocumentUniqueIdError", B)]
    assert images(there.responding, elsewhere[:1]).status == "Failure"
    assert images(there.responding, here, ["1.2.3"]).errors == [("XDSRepositoryError", B)] * 3


@pytest.mark.parametrize("action", [iti18.ACTION, iti43.ACTION, "urn:x"])
def test_what_is_for_an_initiating_gateway_is_a_fault(there: Community, action: str) -> None:
    with pytest.raises(SoapFault, match="not supported"):
        call(there.responding, action, find())


@pytest.mark.parametrize(
    ("text", "home"),
    [
        ("1.2.3", "urn:oid:1.2.3"),
        (" urn:oid:1.2.3 ", "urn:oid:1.2.3"),
        ("URN:OID:1.2.3", "urn:oid:1.2.3"),
        ("urn:oid:", ""),
        ("urn:oid:1.2.3'; --", ""),
        ("urn:uuid:1.2.3", ""),
        ("urn:oid:" + "1." * 32 + "1", ""),
        ("", ""),
    ],
)
def test_a_home_community_id_is_an_oid(text: str, home: str) -> None:
    assert home_community_id(text) == home


@pytest.mark.parametrize(
    ("rendition", "there"),
    [
        (b'<rim:ExtrinsicObject id="1" lid="2"/>', b'<rim:ExtrinsicObject id="1" lid="2" home="H"/>'),
        (b'<rim:RegistryPackage id="1" home="x" lid="2">', b'<rim:RegistryPackage id="1" lid="2" home="H">'),
        (
            b'<rim:ExtrinsicObject mimeType="a home=" lid="2">',
            b'<rim:ExtrinsicObject mimeType="a home=" lid="2" home="H">',
        ),
        (b'<rim:ExtrinsicObject><a home="x"/>', b'<rim:ExtrinsicObject home="H"><a home="x"/>'),
        (b'<rim:Association id="1"/>', b'<rim:Association id="1"/>'),
    ],
)
def test_a_rendition_is_put_to_a_community(rendition: bytes, there: bytes) -> None:
    assert at_home(rendition, "H") == there


@pytest.mark.parametrize("name", ["responding-gateway", "initiating-gateway"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<",
        b"<x/>",
        b"\x00" * 100,
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        f"<s:Envelope xmlns:s='{SOAP12}'><s:Body/></s:Envelope>".encode(),
    ],
)
def test_what_is_no_message_is_a_fault(there: Community, name: str, body: bytes) -> None:
    answer = httpx.post(f"{there.http}/xds/{name}", content=body, headers={"Content-Type": "application/soap+xml"})

    assert answer.status_code == 400
    assert b"Fault" in answer.content


@pytest.mark.parametrize(
    "home", ["'><x/>", "urn:oid:" + "1" * 5000, "urn:oid:1.2\n3", "a\u2028b", "ğ" * 300, "%", "'; --"]
)
def test_a_community_of_any_name_is_told_in_words(there: Community, home: str) -> None:
    """Both gateways, each transaction."""
    for url in (there.responding, there.initiating):
        assert ask(url, get("1.2.3", home)).errors == [("XDSUnknownCommunity", B)]
        assert retrieve(url, wanted("1.2.3", home, "1.2"))[0].codes == ["XDSUnknownCommunity"]
        picture = instance(ct(), repository="1.2", home=home)
        assert images(url, [picture]).errors == [("XDSUnknownCommunity", B)]


def test_more_documents_than_may_be_asked_for_at_once_are_refused(there: Community) -> None:
    many = [wanted(f"1.2.{number}", B) for number in range(10_001)]
    for url in (there.responding, there.initiating):
        answer, locations = retrieve(url, *many)
        assert (answer.codes, locations) == (["XDSRepositoryOutOfResources"], [B])

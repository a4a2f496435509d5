"""WADO-RS metadata: every attribute, and bulk data by an address that works."""

from __future__ import annotations

import zlib
from dataclasses import replace

import orjson
import pydicom
import pytest
from lxml import etree
from pydicom.dataset import Dataset
from starlette.applications import Starlette

from dicomweb.native_xml import NAMESPACE
from dicomweb.routes import routes
from dicomweb.service import StudiesService
from tests.dicomweb.builders import ROOT, SERIES, STUDY, ct
from tests.dicomweb.client import Web, parts_of
from tests.dicomweb.conftest import Stow
from vna.security.http import HttpRules, local

INSTANCE = f"studies/{STUDY}/series/{SERIES}/instances"
BASE = "http://127.0.0.1:8080/dicom-web"


@pytest.fixture
def stored(stow: Stow) -> list[Dataset]:
    item = Dataset()
    item.ScheduledProcedureStepID = "SPS1"
    datasets = [
        ct(rows=64, columns=64, RequestAttributesSequence=[item], PatientComments='say "BulkDataURI":"x"'),
        ct(InstanceNumber=2, SeriesInstanceUID=f"{ROOT}.1.2", SeriesNumber=2),
    ]
    assert stow(*datasets).status_code == 200
    return datasets


@pytest.mark.claim("PS3.18-10.4.1.1.2", "PS3.18-8.7.3.2", "PS3.18-10.4.3.3.2")
@pytest.mark.parametrize(
    ("path", "count"), [(f"studies/{STUDY}", 2), (f"studies/{STUDY}/series/{SERIES}", 1), (f"{INSTANCE}/%s", 1)]
)
def test_metadata_of_a_study_a_series_and_an_instance(web: Web, stored: list[Dataset], path: str, count: int) -> None:
    response = web.get(f"{path}/metadata".replace("%s", stored[0].SOPInstanceUID))
    assert response.headers["content-type"] == "application/dicom+json"
    found = [pydicom.Dataset.from_json(one, lambda *_: b"") for one in response.json()]
    assert [ds.SOPInstanceUID for ds in found] == [ds.SOPInstanceUID for ds in stored[:count]]
    for ds, original in zip(found, stored, strict=False):
        for element in original:
            if element.keyword not in ("PixelData", "SpecificCharacterSet"):
                assert ds[element.tag] == element


@pytest.mark.claim("PS3.18-10.4.1.1.2")
def test_bulk_data_is_behind_absolute_addresses(web: Web, stored: list[Dataset]) -> None:
    (one,) = web.get(f"{INSTANCE}/{stored[0].SOPInstanceUID}/metadata").json()
    assert one["7FE00010"]["BulkDataURI"] == f"{BASE}/{INSTANCE}/{stored[0].SOPInstanceUID}/bulkdata/7FE00010"
    assert one["00104000"]["Value"] == ['say "BulkDataURI":"x"']
    answer = web.get(one["7FE00010"]["BulkDataURI"], headers={"Accept": "application/octet-stream"})
    assert answer.content == stored[0].PixelData


@pytest.mark.claim("PS3.18-8.7.3.2", "PS3.18-10.4.3.3.2")
def test_metadata_as_xml_comes_in_parts(web: Web, stored: list[Dataset]) -> None:
    response = web.get(
        f"studies/{STUDY}/metadata", headers={"Accept": 'multipart/related; type="application/dicom+xml"'}
    )
    parts = parts_of(response)
    assert [headers["content-type"] for headers, _ in parts] == ["application/dicom+xml"] * 2
    root = etree.fromstring(parts[0][1])
    assert root.tag == f"{{{NAMESPACE}}}NativeDicomModel"
    space = {"n": NAMESPACE}
    family = root.xpath(
        "n:DicomAttribute[@keyword='PatientName']/n:PersonName/n:Alphabetic/n:FamilyName/text()", namespaces=space
    )
    assert family == [stored[0].PatientName.family_name]
    step = root.xpath(
        "n:DicomAttribute[@tag='00400275']/n:Item[@number='1']/n:DicomAttribute/n:Value/text()", namespaces=space
    )
    assert step == ["SPS1"]
    uri = root.xpath("n:DicomAttribute[@tag='7FE00010']/n:BulkData/@uri", namespaces=space)
    assert uri == [f"{BASE}/{INSTANCE}/{stored[0].SOPInstanceUID}/bulkdata/7FE00010"]


@pytest.mark.claim("PS3.18-10.1")
def test_the_public_address_is_used_where_one_is_set(service: StudiesService, stored: list[Dataset]) -> None:
    public = replace(service, public_url="https://vna.example.org/")
    web = Web(local(Starlette(routes=routes(public)), HttpRules()), f"{BASE}/")
    text = web.get(f"studies/{STUDY}/metadata").text
    assert '"BulkDataURI":"https://vna.example.org/dicom-web/studies/' in text
    assert "127.0.0.1" not in text
    assert web.get("studies").json()[0]["00081190"]["Value"] == [f"https://vna.example.org/dicom-web/studies/{STUDY}"]


@pytest.mark.claim("PS3.18-10.4.3.3.2")
def test_a_study_of_many_instances_is_one_array(web: Web, stow: Stow) -> None:
    datasets = [ct(InstanceNumber=number, PatientComments="x" * 9000) for number in range(1, 41)]
    assert stow(*datasets).status_code == 200
    found = orjson.loads(web.get(f"studies/{STUDY}/metadata").content)
    assert [one["00200013"]["Value"][0] for one in found] == list(range(1, 41))


@pytest.mark.claim("PS3.18-8.4.1/encoding", "PS3.18-8.4.2")
@pytest.mark.parametrize("number_of_bulk_values", [0, 3, 100])
def test_compressed_metadata_is_one_gzip_member_and_says_the_same(
    web: Web, stow: Stow, number_of_bulk_values: int
) -> None:
    """Chromium reads only the first member of several."""
    several = [ct(InstanceNumber=number) for number in (1, 2, 3)]
    for ds in several:
        block = ds.private_block(0x0009, "BULK", create=True)
        for at in range(number_of_bulk_values):
            block.add_new(at, "OB", bytes(5000))
    assert stow(*several).status_code == 200
    address = f"studies/{STUDY}/metadata"

    plain = web.get(address, headers={"Accept-Encoding": "identity"})
    raw = web.raw(address, {"Accept-Encoding": "gzip"})

    assert "content-encoding" not in plain.headers
    unpacker = zlib.decompressobj(31)
    assert unpacker.decompress(raw) == plain.content
    assert unpacker.eof
    assert unpacker.unused_data == b""
    uri = plain.json()[0]["00091001" if number_of_bulk_values > 1 else "7FE00010"]
    assert uri.get("BulkDataURI", "").startswith(f"{BASE}/studies/") or not number_of_bulk_values


@pytest.mark.claim("PS3.18-8.5/304", "PS3.18-10.4.3.2")
@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_metadata_that_the_caller_has_is_not_sent_again_until_it_changes(web: Web, stow: Stow, coding: str) -> None:
    assert stow(ct()).status_code == 200
    address, encoding = f"studies/{STUDY}/metadata", {"Accept-Encoding": coding}
    first = web.get(address, headers=encoding)

    again = web.get(address, headers=encoding | {"If-None-Match": f'W/"x", {first.headers["etag"]}'})
    since = web.get(address, headers=encoding | {"If-Modified-Since": first.headers["last-modified"]})
    assert [again.status_code, again.content, since.status_code] == [304, b"", 304]
    assert again.headers["etag"] == first.headers["etag"]

    assert stow(ct(InstanceNumber=2)).status_code == 200
    changed = web.get(address, headers=encoding | {"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, len(changed.json())) == (200, 2)
    assert changed.headers["etag"] != first.headers["etag"]


@pytest.mark.claim("PS3.18-10.4.3.2")
def test_metadata_as_xml_that_the_caller_has_is_not_sent_again_either(web: Web, stow: Stow) -> None:
    assert stow(ct()).status_code == 200
    address, xml = f"studies/{STUDY}/metadata", {"Accept": 'multipart/related; type="application/dicom+xml"'}
    first = web.get(address, headers=xml)
    assert first.headers["etag"].startswith('W/"')  # parts have a new boundary each time
    assert first.headers["etag"] != web.get(address).headers["etag"]
    for condition in (
        {"If-None-Match": first.headers["etag"]},
        {"If-Modified-Since": first.headers["last-modified"]},
    ):
        again = web.get(address, headers=xml | condition)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert stow(ct(InstanceNumber=2)).status_code == 200
    changed = web.get(address, headers=xml | {"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, len(parts_of(changed))) == (200, 2)


@pytest.mark.claim("PS3.18-8.4.1/encoding")
@pytest.mark.parametrize(
    ("accepted", "coded"),
    [("gzip;q=0", False), ("*", True), ("br, gzip;q=0.5", True), ("br", False), ("*;q=0", False), ("", False)],
)
def test_compression_follows_accept_encoding(web: Web, stored: list[Dataset], accepted: str, coded: bool) -> None:
    answer = web.get(f"studies/{STUDY}/metadata", headers={"Accept-Encoding": accepted})
    assert ("content-encoding" in answer.headers) is coded
    assert len(answer.json()) == len(stored)
    assert "Accept-Encoding" in answer.headers["vary"]

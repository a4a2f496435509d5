"""WADO-RS metadata: every attribute, and bulk data by an address that works."""

from __future__ import annotations

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


@pytest.mark.claim("PS3.18-10.4.1.1.2")
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


def test_bulk_data_is_behind_absolute_addresses(web: Web, stored: list[Dataset]) -> None:
    (one,) = web.get(f"{INSTANCE}/{stored[0].SOPInstanceUID}/metadata").json()
    assert one["7FE00010"]["BulkDataURI"] == f"{BASE}/{INSTANCE}/{stored[0].SOPInstanceUID}/bulkdata/7FE00010"
    assert one["00104000"]["Value"] == ['say "BulkDataURI":"x"']
    answer = web.get(one["7FE00010"]["BulkDataURI"], headers={"Accept": "application/octet-stream"})
    assert answer.content == stored[0].PixelData


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


def test_the_public_address_is_used_where_one_is_set(service: StudiesService, stored: list[Dataset]) -> None:
    public = replace(service, public_url="https://vna.example.org/")
    web = Web(local(Starlette(routes=routes(public)), HttpRules()), f"{BASE}/")
    text = web.get(f"studies/{STUDY}/metadata").text
    assert '"BulkDataURI":"https://vna.example.org/dicom-web/studies/' in text
    assert "127.0.0.1" not in text
    assert web.get("studies").json()[0]["00081190"]["Value"] == [f"https://vna.example.org/dicom-web/studies/{STUDY}"]


def test_a_study_of_many_instances_is_one_array(web: Web, stow: Stow) -> None:
    datasets = [ct(InstanceNumber=number, PatientComments="x" * 9000) for number in range(1, 41)]
    assert stow(*datasets).status_code == 200
    found = orjson.loads(web.get(f"studies/{STUDY}/metadata").content)
    assert [one["00200013"]["Value"][0] for one in found] == list(range(1, 41))

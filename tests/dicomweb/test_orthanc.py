"""Orthanc as a DICOMweb client of the archive: it stores, searches and fetches back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pydicom.data
import pytest

from tests.archives import Backend, LiveArchive, start_archive
from tests.dicomweb.builders import ROOT, ct, part10
from tests.peers.orthanc import Modality, Orthanc

STUDY = f"{ROOT}.70"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    archive = start_archive(Backend("sqlite+folder", tmp_path_factory.mktemp("live")))
    yield archive
    archive.stop()


@pytest.fixture(scope="module")
def client(live: LiveArchive, orthanc: Callable[..., Orthanc]) -> Orthanc:
    return orthanc(
        modalities={"vna": Modality("VNA", live.dimse_port)},
        DicomWeb={"Enable": True, "Root": "/dicom-web/", "Servers": {"vna": [f"{live.dicomweb}/"]}},
    )


def ask(client: Orthanc, path: str, body: Any) -> httpx.Response:
    response = httpx.post(
        f"{client.url}{path}", timeout=60, **({"json": body} if isinstance(body, dict) else {"content": body})
    )
    assert response.is_success, response.text
    return response


def test_orthanc_stores_searches_and_fetches_back(live: LiveArchive, client: Orthanc) -> None:
    datasets = [
        ct(StudyInstanceUID=STUDY, SeriesInstanceUID=f"{STUDY}.1", InstanceNumber=number, rows=512, columns=512)
        for number in range(1, 9)
    ]
    sent = {ds.SOPInstanceUID: part10(ds) for ds in datasets}
    ids = [ask(client, "/instances", file).json()["ID"] for file in sent.values()]
    ask(client, "/dicom-web/servers/vna/stow", {"Resources": ids, "Synchronous": True})
    found = httpx.get(f"{live.dicomweb}/studies/{STUDY}/instances").json()
    assert {one["00080018"]["Value"][0] for one in found} == set(sent)

    studies = ask(client, "/dicom-web/servers/vna/qido", {"Uri": "/studies", "Arguments": {"PatientID": "P1"}}).json()
    assert [one["0020000D"]["Value"] for one in studies] == [STUDY]

    for one in ids:
        assert httpx.delete(f"{client.url}/instances/{one}").is_success
    ask(client, "/dicom-web/servers/vna/retrieve", {"Resources": [{"Study": STUDY}], "Synchronous": True})
    back = httpx.get(f"{client.url}/instances").json()
    assert len(back) == len(ids)
    for one in back:
        ds = pydicom.dcmread(BytesIO(httpx.get(f"{client.url}/instances/{one}/file").content))
        assert ds == pydicom.dcmread(BytesIO(sent[ds.SOPInstanceUID]))


def test_orthanc_sends_by_c_store_and_the_same_again_by_stow(live: LiveArchive, client: Orthanc) -> None:
    """Samples of many kinds and syntaxes; each way writes the data set its own way, and it is the same instance."""
    names = (
        "CT_small.dcm",
        "MR_small_implicit.dcm",
        "JPEG2000.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "SC_rgb_rle.dcm",
        "rtplan.dcm",
    )
    files = [Path(str(pydicom.data.get_testdata_file(name))) for name in (*names, "reportsi.dcm", "waveform_ecg.dcm")]
    sent = {pydicom.dcmread(file).SOPInstanceUID: file for file in files}
    ids = [ask(client, "/instances", file.read_bytes()).json()["ID"] for file in sent.values()]

    told = ask(client, "/modalities/vna/store", {"Resources": ids, "Synchronous": True}).json()
    ask(client, "/dicom-web/servers/vna/stow", {"Resources": ids, "Synchronous": True})

    assert (told["InstancesCount"], told["FailedInstancesCount"]) == (len(sent), 0)
    for uid, file in sent.items():
        (found,) = httpx.get(f"{live.dicomweb}/instances?SOPInstanceUID={uid}").json()
        url = found["00081190"]["Value"][0]
        back = httpx.get(url, headers={"Accept": "application/dicom; transfer-syntax=*"}).content
        assert pydicom.dcmread(BytesIO(back)).file_meta.TransferSyntaxUID in (
            pydicom.dcmread(file).file_meta.TransferSyntaxUID,
            "1.2.840.10008.1.2.1",
        )
        assert pydicom.dcmread(BytesIO(back)).get("PixelData") == pydicom.dcmread(file).get("PixelData")

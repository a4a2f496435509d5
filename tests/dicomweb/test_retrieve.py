"""WADO-RS: instances whole and as stored, in one part or many."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pydicom
import pydicom.data
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from tests import objects
from tests.dicomweb.builders import ROOT, SERIES, STUDY, ct, part10
from tests.dicomweb.client import Web, parts_of
from tests.dicomweb.conftest import Stow

INSTANCE = f"studies/{STUDY}/series/{SERIES}/instances"


@pytest.fixture
def three(stow: Stow) -> list[Dataset]:
    """One study: two instances in one series, one in another."""
    datasets = [
        ct(InstanceNumber=2),
        ct(InstanceNumber=1),
        ct(SeriesInstanceUID=f"{ROOT}.1.2", SeriesNumber=2, Modality="MR"),
    ]
    assert stow(*datasets).status_code == 200
    return datasets


@pytest.mark.claim("PS3.18-10.4")
@pytest.mark.parametrize(
    ("path", "expected"),
    [(f"studies/{STUDY}", [1, 0, 2]), (f"studies/{STUDY}/series/{SERIES}", [1, 0])],
)
def test_a_study_and_a_series_come_instance_after_instance(
    web: Web, three: list[Dataset], path: str, expected: list[int]
) -> None:
    response = web.get(path, headers={"Accept": 'multipart/related; type="application/dicom"'})
    assert response.status_code == 200
    parts = parts_of(response)
    assert [body for _, body in parts] == [part10(three[index]) for index in expected]
    headers = parts[0][0]
    assert headers["content-type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    first = three[expected[0]]
    assert headers["content-location"].endswith(f"/dicom-web/{INSTANCE}/{first.SOPInstanceUID}")


@pytest.mark.parametrize(
    "accept", ["", "*/*", 'multipart/related; type="application/dicom"', "multipart/related; type=application/dicom",
               'multipart/related; type="application/dicom"; transfer-syntax=*',
               'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1']
)  # fmt: skip
def test_one_instance_comes_as_one_part(web: Web, three: list[Dataset], accept: str) -> None:
    response = web.get(f"{INSTANCE}/{three[0].SOPInstanceUID}", headers={"Accept": accept} if accept else {})
    assert response.headers["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert int(response.headers["content-length"]) == len(response.content)
    assert [body for _, body in parts_of(response)] == [part10(three[0])]


def test_one_instance_comes_alone_to_those_who_take_only_that(web: Web, three: list[Dataset]) -> None:
    response = web.get(f"{INSTANCE}/{three[0].SOPInstanceUID}", headers={"Accept": "application/dicom"})
    assert response.headers["content-type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    assert int(response.headers["content-length"]) == len(response.content)
    assert response.content == part10(three[0])
    assert pydicom.dcmread(BytesIO(response.content)) == three[0]


def test_the_accept_parameter_wins_over_the_header_field(web: Web, three: list[Dataset]) -> None:
    path = f"{INSTANCE}/{three[0].SOPInstanceUID}?accept=application/dicom"
    response = web.get(path, headers={"Accept": 'multipart/related; type="application/dicom"'})
    assert response.headers["content-type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"


@pytest.mark.parametrize(
    "accept",
    ["image/png", 'multipart/related; type="image/jpeg"', "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.102",
     "application/dicom;q=0"],
)  # fmt: skip
def test_what_cannot_be_given_is_406_and_says_what_can(web: Web, three: list[Dataset], accept: str) -> None:
    response = web.get(f"{INSTANCE}/{three[0].SOPInstanceUID}", headers={"Accept": accept})
    assert response.status_code == 406
    assert 'multipart/related; type="application/dicom"' in response.json()["message"]
    assert "1.2.840.10008.1.2.1" in response.json()["message"]


def test_an_accept_that_is_no_media_type_is_400(web: Web, three: list[Dataset]) -> None:
    assert web.get(f"studies/{STUDY}", headers={"Accept": "dicom please"}).status_code == 400


@pytest.mark.parametrize(
    "path",
    ["studies/1.2.3", f"studies/{STUDY}/series/1.2.3", f"{INSTANCE}/1.2.3", f"studies/1.2.3/series/{SERIES}",
     f"{INSTANCE}/1.2.3/metadata", f"{INSTANCE}/1.2.3/frames/1", f"{INSTANCE}/1.2.3/bulkdata/7FE00010"],
)  # fmt: skip
def test_what_is_not_held_is_404_in_a_sentence(web: Web, three: list[Dataset], path: str) -> None:
    response = web.get(path)
    assert response.status_code == 404
    assert response.json()["status"] == 404
    assert response.json()["message"].startswith("no such ")
    assert web.get(path, headers={"Accept": "text/plain, */*"}).text == response.json()["message"] + "\n"


@pytest.mark.parametrize(
    "path",
    ["studies/x", f"studies/{STUDY}/series/{'1' * 65}", f"{INSTANCE}/1..2", f"{INSTANCE}/%2e%2e/metadata",
     "studies/%2e%2e%2f%2e%2e/series", "studies/1.2%00/metadata"],
)  # fmt: skip
def test_what_is_no_uid_is_400_and_reaches_nothing(web: Web, path: str) -> None:
    response = web.get(path)
    assert response.status_code in (400, 404)
    assert b"root:" not in response.content


def test_head_is_get_without_a_body(web: Web, three: list[Dataset]) -> None:
    for path in (f"studies/{STUDY}", f"{INSTANCE}/{three[0].SOPInstanceUID}", f"studies/{STUDY}/metadata"):
        head, get = web.request("HEAD", path), web.get(path)
        assert head.status_code == 200
        assert (
            head.headers["content-type"].partition("boundary")[0]
            == get.headers["content-type"].partition("boundary")[0]
        )
        assert head.headers.get("content-length") == get.headers.get("content-length")


def test_patient_data_is_kept_by_no_shared_cache_and_never_sniffed(web: Web, three: list[Dataset]) -> None:
    for path in (
        f"studies/{STUDY}",
        f"studies/{STUDY}/metadata",
        "studies",
        f"{INSTANCE}/{three[0].SOPInstanceUID}/frames/1",
    ):
        headers = web.get(path).headers
        assert headers["cache-control"] == "private, no-cache"
        assert headers["x-content-type-options"] == "nosniff"


def test_a_method_that_is_not_there_is_405(web: Web) -> None:
    assert web.request("PUT", f"studies/{STUDY}").status_code == 405


def sample(name: str) -> bytes:
    path = pydicom.data.get_testdata_file(name)
    assert isinstance(path, str)
    return Path(path).read_bytes()


IMPLICIT, LOSSLESS, LOSSY = "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm", "JPEG2000.dcm"
EXPLICIT_LE, J2K_LOSSLESS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"


@pytest.mark.claim("PS3.18-8.7.3.5.2")
@pytest.mark.parametrize(
    ("name", "accept", "expected"),
    [
        (LOSSLESS, "*/*", J2K_LOSSLESS),
        (LOSSLESS, 'multipart/related; type="application/dicom"; transfer-syntax=*', J2K_LOSSLESS),
        (LOSSLESS, 'multipart/related; type="application/dicom"', EXPLICIT_LE),
        (LOSSLESS, f"application/dicom; transfer-syntax={EXPLICIT_LE}", EXPLICIT_LE),
        (LOSSLESS, f'application/dicom; transfer-syntax="{J2K_LOSSLESS}"', J2K_LOSSLESS),
        (IMPLICIT, "application/dicom", EXPLICIT_LE),
        (IMPLICIT, "*/*", "1.2.840.10008.1.2"),
        (LOSSY, "application/dicom", "1.2.840.10008.1.2.4.91"),
        (LOSSY, f"application/dicom; transfer-syntax={EXPLICIT_LE}", EXPLICIT_LE),
    ],
)
def test_an_instance_comes_in_the_transfer_syntax_asked_for(web: Web, name: str, accept: str, expected: str) -> None:
    """Explicit VR Little Endian where none is named, but for what was compressed with a loss."""
    data = sample(name)
    stored = web.post("studies", content=data, headers={"Content-Type": "application/dicom"}).json()
    url = stored["00081199"]["Value"][0]["00081190"]["Value"][0]

    response = web.get(url, headers={"Accept": accept})

    body = parts_of(response)[0][1] if response.headers["content-type"].startswith("multipart") else response.content
    ds, original = pydicom.dcmread(BytesIO(body)), pydicom.dcmread(BytesIO(data))
    assert ds.file_meta.TransferSyntaxUID == expected
    assert (ds.pixel_array == original.pixel_array).all()
    assert (body == data) is (expected == original.file_meta.TransferSyntaxUID)


def test_a_study_of_several_syntaxes_comes_in_one_that_is_asked_for(web: Web, stow: Stow) -> None:
    kept = [ct(InstanceNumber=1), ct(InstanceNumber=2)]
    assert stow(kept[0]).status_code == 200
    implicit = objects.part10(kept[1], ImplicitVRLittleEndian)
    assert web.post("studies", content=implicit, headers={"Content-Type": "application/dicom"}).status_code == 200
    mixed = 'multipart/related; type="application/dicom"; transfer-syntax='

    as_kept = parts_of(web.get(f"studies/{STUDY}", headers={"Accept": f"{mixed}*"}))
    explicit = parts_of(web.get(f"studies/{STUDY}", headers={"Accept": mixed + EXPLICIT_LE}))

    assert [body for _, body in as_kept] == [part10(kept[0]), implicit]
    assert {pydicom.dcmread(BytesIO(body)).file_meta.TransferSyntaxUID for _, body in explicit} == {EXPLICIT_LE}
    refused = web.get(f"studies/{STUDY}", headers={"Accept": f"{mixed}1.2.840.10008.1.2.4.102"})
    assert refused.status_code == 406
    assert "application/zip" in refused.json()["message"]


def test_a_study_comes_as_a_zip_archive(web: Web, three: list[Dataset]) -> None:
    response = web.get(f"studies/{STUDY}", headers={"Accept": "application/zip"})
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"] == f'attachment; filename="{STUDY}.zip"'
    with ZipFile(BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {
        f"{ds.StudyInstanceUID}/{ds.SeriesInstanceUID}/{ds.SOPInstanceUID}.dcm": part10(ds) for ds in three
    }

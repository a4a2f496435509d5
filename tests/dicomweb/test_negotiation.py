"""What is asked for in which form, over every address that gives something."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomweb.media_types import COMPRESSED
from dicomweb.routes import ADDRESSES, WADO
from tests import objects
from tests.dicomweb.builders import ct
from tests.dicomweb.client import Web, parts_of
from tests.dicomweb.conftest import Stow
from tests.dicomweb.test_commitment import asked
from tests.dicomweb.test_rendered import sample, stored
from vna.model.transfer_syntaxes import STORAGE_TRANSFER_SYNTAXES, can_transcode

GIVING = [one for one in ADDRESSES if one.method == "GET"]
TRANSACTION = "2.25.17"


@pytest.fixture
def image(web: Web, stow: Stow) -> Dataset:
    ds = ct(frames=2, rows=32, columns=32)
    assert stow(ds).status_code == 200
    kind = {"Content-Type": "application/dicom+json"}
    assert web.post(f"commitment-requests/{TRANSACTION}", json=asked(ds), headers=kind).status_code == 202
    return ds


def path_of(address: str, ds: Dataset) -> str:
    uids = {"study": ds.StudyInstanceUID, "series": ds.SeriesInstanceUID, "instance": ds.SOPInstanceUID}
    for name, value in {**uids, "transaction": TRANSACTION, "frames": "1", "path:path": "7FE00010"}.items():
        address = address.replace(f"{{{name}}}", value)
    if address == WADO:
        names = ("studyUID", "seriesUID", "objectUID")
        query = "&".join(f"{name}={uid}" for name, uid in zip(names, uids.values(), strict=True))
        return f"http://127.0.0.1:8080/wado?requestType=WADO&{query}"
    return address.lstrip("/") + "?"


@pytest.mark.claim("PS3.18-8.3.3.2", "PS3.18-9.1.2.2.2", "PS3.18-8.5/200", "PS3.18-8.7.5")
@pytest.mark.parametrize("address", GIVING, ids=lambda one: one.path)
def test_a_charset_without_utf_8_is_400(web: Web, image: Dataset, address: object) -> None:
    assert isinstance(address, type(ADDRESSES[0]))
    path = path_of(address.path, image)
    for charset in ("utf-8", "ISO-8859-9,UTF-8;q=0.5", "%22ISO_IR 192%22"):
        assert web.get(f"{path}&charset={charset}").status_code in (200, 202), charset
    refused = web.get(f"{path}&charset=ISO-8859-9")
    assert refused.status_code == 400
    assert "charset" in refused.json()["message"]


@pytest.mark.claim("PS3.18-8.5/406")
@pytest.mark.parametrize("address", GIVING, ids=lambda one: one.path)
def test_a_media_type_that_nobody_makes_is_406_everywhere(web: Web, image: Dataset, address: object) -> None:
    assert isinstance(address, type(ADDRESSES[0]))
    name = "contentType" if address.path == WADO else "accept"
    refused = web.get(f"{path_of(address.path, image)}&{name}=application/x-nothing")
    assert refused.status_code == 406
    assert "this can be given as" in refused.json()["message"]


@pytest.mark.claim("PS3.18-8.5/406")
@pytest.mark.parametrize("path", ["", "/frames/1", "/bulkdata/7FE00010"])
def test_406_names_every_transfer_syntax_that_can_be_had(web: Web, path: str) -> None:
    url = f"{stored(web, sample('MR_small_RLE.dcm'))}{path}"
    refused = web.get(url, headers={"Accept": "application/x-nothing"})
    named = set(re.findall(r"1\.2\.840\.10008[0-9.]+", refused.json()["message"]))
    made = set()
    for uid in STORAGE_TRANSFER_SYNTAXES:
        for media_type in ("application/dicom", "application/octet-stream"):
            accept = f"{media_type}; transfer-syntax={uid}"
            answer = web.get(url, headers={"Accept": accept})
            made |= {uid} if answer.is_success or "can be given as" not in answer.json()["message"] else set()
    assert named == made


@pytest.mark.claim("PS3.18-8.7.3/named")
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_nobody_gets_implicit_or_big_endian_who_does_not_take_everything(web: Web, syntax: str) -> None:
    ds = objects.ct(PixelData=bytes(512))
    ds["PixelData"].VR = "OW"
    url = stored(web, objects.part10(ds, syntax))
    for accept in ("application/dicom", 'multipart/related; type="application/dicom"'):
        answer = web.get(url, headers={"Accept": accept})
        body = answer.content if accept == "application/dicom" else parts_of(answer)[0][1]
        assert pydicom.dcmread(BytesIO(body)).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    other = stored(web, objects.part10(objects.ct()))
    assert web.get(other, headers={"Accept": f"application/dicom; transfer-syntax={syntax}"}).status_code == 406


DEFAULTS = [(name, f"1.2.840.10008.1.2.{ends[0]}") for name, ends in COMPRESSED]


@pytest.mark.claim("PS3.18-8.7.3.3.2/transcoded")
@pytest.mark.parametrize(("media_type", "syntax"), DEFAULTS)
def test_a_frame_comes_in_the_default_syntax_of_the_media_type(
    web: Web, image: Dataset, media_type: str, syntax: str
) -> None:
    path = path_of("/studies/{study}/series/{series}/instances/{instance}/frames/2", image)
    answer = web.get(path, headers={"Accept": f'multipart/related; type="{media_type}"'})
    if not can_transcode(ExplicitVRLittleEndian, syntax):
        assert answer.status_code == 406
        return
    ((headers, frame),) = parts_of(answer)
    expected = np.frombuffer(image.PixelData, "<u2").reshape(2, 32, 32)[1]
    assert headers["content-type"] == f"{media_type}; transfer-syntax={syntax}"
    whole = Dataset()
    whole.update(image)
    whole.PixelData = pydicom.encaps.encapsulate([frame])
    whole["PixelData"].is_undefined_length = True
    whole.NumberOfFrames = 1
    whole.file_meta = pydicom.dataset.FileMetaDataset()
    whole.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    assert (whole.pixel_array == expected).all()


IN_XML = 'multipart/related; type="application/dicom+xml"'


@pytest.mark.claim("PS3.18-10.4.4")
def test_instances_metadata_and_pictures_come_in_the_media_types_of_the_table(web: Web, image: Dataset) -> None:
    path = path_of("/studies/{study}/series/{series}/instances/{instance}", image).rstrip("?")
    for below, accept, expected in (
        ("", "application/dicom", "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"),
        ("/metadata", "*/*", "application/dicom+json"),
        ("/metadata", IN_XML, IN_XML),
        ("/rendered", "image/png", "image/png"),
    ):
        assert web.get(path + below, headers={"Accept": accept}).headers["content-type"].startswith(expected)


@pytest.mark.claim("PS3.18-8.3.5.2")
def test_a_thumbnail_fits_into_the_viewport_that_is_asked_for(web: Web, image: Dataset) -> None:
    path = path_of("/studies/{study}/thumbnail", image).rstrip("?")
    assert Image.open(BytesIO(web.get(f"{path}?viewport=16,8").content)).size == (8, 8)
    for viewport in ("16,8,0,0,4,4", "16", "a,b", "0,0"):
        refused = web.get(f"{path}?viewport={viewport}")
        assert refused.status_code == 400
        assert "viewport" in refused.json()["message"]

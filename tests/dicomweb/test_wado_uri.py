"""WADO-URI: one instance by query parameters."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import generate_uid

from tests.dicomweb.client import Web
from tests.dicomweb.test_rendered import gradient, sample, stored
from tests.objects import ct, part10


def ask(web: Web, ds: pydicom.Dataset, **more: str) -> Any:
    uids = {"studyUID": ds.StudyInstanceUID, "seriesUID": ds.SeriesInstanceUID, "objectUID": ds.SOPInstanceUID}
    return web.get("http://127.0.0.1:8080/wado", params={"requestType": "WADO"} | uids | more)


@pytest.fixture
def image(web: Web) -> pydicom.Dataset:
    ds = gradient()
    stored(web, part10(ds))
    return ds


@pytest.mark.claim("PS3.18-9.1.2.2.1", "PS3.18-9.4", "PS3.18-9.5")
def test_an_image_is_a_jpeg_and_the_object_where_that_is_asked_for(web: Web, image: pydicom.Dataset) -> None:
    assert Image.open(BytesIO(ask(web, image).content)).format == "JPEG"
    assert ask(web, image, contentType="image/png").headers["content-type"] == "image/png"
    answer = ask(web, image, contentType="application/dicom")
    assert (answer.headers["content-type"], answer.content) == ("application/dicom", part10(image))


@pytest.mark.claim("PS3.18-9.5.1.2.3", "PS3.18-9.5.1.2.4", "PS3.18-9.5.1.2.5", "PS3.18-9.5.1.2.6")
def test_window_size_and_region_are_those_asked_for(web: Web, image: pydicom.Dataset) -> None:
    def picture(**more: str) -> Any:
        return np.asarray(Image.open(BytesIO(ask(web, image, contentType="image/png", **more).content)).convert("L"))

    narrow = picture(windowCenter="200", windowWidth="10")
    assert (narrow[0, 190], narrow[0, 210]) == (0, 255)
    assert picture(rows="64").shape == (64, 64)
    assert picture(columns="32", rows="100").shape == (32, 32)
    assert picture(region="0.5,0,1,0.5").min() > 100
    assert len(ask(web, image, imageQuality="5").content) < len(ask(web, image, imageQuality="95").content)


@pytest.mark.claim("PS3.18-9.4.1.2.3", "PS3.18-9.5", "PS3.18-9.5.1.2.1")
def test_a_multi_frame_image_is_given_whole_and_frames_by_number(web: Web) -> None:
    data = sample("SC_rgb_rle_2frame.dcm")
    stored(web, data)
    ds = pydicom.dcmread(BytesIO(data))
    assert ask(web, ds).headers["content-type"] == "application/dicom"
    assert ask(web, ds, transferSyntax="1.2.840.10008.1.2.5", contentType="application/dicom").content == data
    frames = [ask(web, ds, contentType="image/png", frameNumber=number).content for number in ("1", "2")]
    assert all(frame.startswith(b"\x89PNG") for frame in frames)
    assert ask(web, ds, contentType="image/png", frameNumber="3").status_code == 400
    whole = ask(web, ds, contentType="application/dicom", frameNumber="1")
    assert (whole.status_code, "frameNumber" in whole.json()["message"]) == (400, True)


@pytest.mark.claim("PS3.18-9.5.1.2.7", "PS3.18-10.4.2")
def test_a_presentation_state_says_how_an_image_is_shown(web: Web, image: pydicom.Dataset) -> None:
    reference = pydicom.Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    series = pydicom.Dataset()
    series.SeriesInstanceUID, series.ReferencedImageSequence = image.SeriesInstanceUID, [reference]
    window = pydicom.Dataset()
    window.WindowCenter, window.WindowWidth = 200, 10
    state = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1", StudyInstanceUID=image.StudyInstanceUID)
    state.ReferencedSeriesSequence, state.SoftcopyVOILUTSequence = [series], [window]
    state.PresentationLUTShape = "IDENTITY"
    del state.PixelData
    url = stored(web, part10(state))

    by_uri = ask(web, image, contentType="image/png", presentationUID=state.SOPInstanceUID).content
    by_rs = web.get(f"{url}/rendered", headers={"Accept": "image/png"}).content

    for picture in (by_uri, by_rs):
        grey = np.asarray(Image.open(BytesIO(picture)).convert("L"))
        assert (grey[0, 190], grey[0, 210]) == (0, 255)
    assert ask(web, image, presentationUID=generate_uid()).status_code == 404
    twice = ask(web, image, presentationUID=state.SOPInstanceUID, windowCenter="1", windowWidth="2")
    assert (twice.status_code, "presentationUID" in twice.json()["message"]) == (400, True)


@pytest.mark.claim("PS3.18-9.1.2.1", "PS3.18-9.4.3", "PS3.18-9.5.1.2.1", "PS3.18-9.5.1.2.6", "PS3.18-9.5.3")
@pytest.mark.parametrize(
    ("more", "status", "word"),
    [
        ({"requestType": "WADOX"}, 400, "requestType"),
        ({"studyUID": "x"}, 400, "studyUID"),
        ({"objectUID": ""}, 400, "objectUID"),
        ({"objectUID": "1.2.3"}, 404, "instance"),
        ({"contentType": "image/webp"}, 406, "image/jpeg"),
        ({"anonymize": "yes"}, 406, "anonymize"),
        ({"windowCenter": "1"}, 400, "windowWidth"),
        ({"region": "1,1,0,0"}, 400, "region"),
        ({"region": "a"}, 400, "region"),
        ({"rows": "x"}, 400, "viewport"),
        ({"imageQuality": "0"}, 400, "quality"),
        ({"frameNumber": "0"}, 400, "frameNumber"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_said(
    web: Web, image: pydicom.Dataset, more: dict[str, str], status: int, word: str
) -> None:
    answer = ask(web, image, **more)
    assert answer.status_code == status
    assert word in answer.json()["message"]


@pytest.mark.claim("PS3.18-8.3.1/once")
@pytest.mark.parametrize(
    "name", ["contentType", "transferSyntax", "frameNumber", "imageQuality", "rows", "windowCenter", "presentationUID"]
)
def test_a_parameter_that_is_empty_or_given_twice_is_400_and_named(web: Web, image: pydicom.Dataset, name: str) -> None:
    for values, words in (("", "has no value"), (["1", "2"], "more than once")):
        answer = ask(web, image, **{name: values})  # type: ignore[arg-type]
        assert answer.status_code == 400
        assert f"{name} {'is given ' if values else ''}{words}" in answer.json()["message"]
    assert ask(web, image, somethingElse="").status_code == 200


@pytest.mark.claim("PS3.18-9.1.2.2.1")
def test_without_content_type_the_accept_field_says_what_is_taken(web: Web, image: pydicom.Dataset) -> None:
    def kind(accept: str, **more: str) -> Any:
        uids = {"studyUID": image.StudyInstanceUID, "seriesUID": image.SeriesInstanceUID}
        params = {"requestType": "WADO", **uids, "objectUID": image.SOPInstanceUID, **more}
        return web.get("http://127.0.0.1:8080/wado", params=params, headers={"Accept": accept})

    assert kind("image/png").headers["content-type"] == "image/png"
    assert kind("application/dicom").headers["content-type"] == "application/dicom"
    assert kind("image/png", contentType="image/gif").headers["content-type"] == "image/gif"
    for browser in ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "*/*", "text/html,*/*;q=0.8"):
        assert kind(browser).headers["content-type"] == "image/jpeg"
    refused = kind("application/json")
    assert refused.status_code == 406
    assert "image/jpeg, image/png, image/gif, application/dicom" in refused.json()["message"]

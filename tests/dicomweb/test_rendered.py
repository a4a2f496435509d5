"""What anybody can show: pictures, films, documents and reports."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from PIL import Image, ImageCms
from pydicom.uid import generate_uid

from tests.dicomweb.client import Web, parts_of
from tests.objects import ct, part10
from vna.app.wiring import Application


def sample(name: str) -> bytes:
    path = pydicom.data.get_testdata_file(name)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def stored(web: Web, data: bytes) -> str:
    answer = web.post("studies", content=data, headers={"Content-Type": "application/dicom"}).json()
    url = answer["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert isinstance(url, str)
    return url


def gradient() -> pydicom.Dataset:
    values = np.tile(np.arange(256, dtype="<u2"), (256, 1))
    return ct(Rows=256, Columns=256, PixelData=values.tobytes(), WindowCenter=128, WindowWidth=256)


def pixels(answer: object) -> Image.Image:
    return Image.open(BytesIO(answer.content))  # type: ignore[attr-defined]


@pytest.mark.claim("PS3.18-10.4.1.1.3", "PS3.18-8.7.4/single")
@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/gif"])
def test_an_image_is_rendered_as_the_picture_that_is_asked_for(web: Web, media_type: str) -> None:
    answer = web.get(f"{stored(web, part10(gradient()))}/rendered", headers={"Accept": media_type})
    assert answer.headers["content-type"] == media_type
    picture = pixels(answer)
    assert (picture.format, picture.size) == (media_type.split("/")[1].upper(), (256, 256))
    grey = np.asarray(picture.convert("L"))
    assert grey[:, 10].mean() < 30 < 225 < grey[:, 245].mean()


@pytest.mark.claim("PS3.18-8.7.4/single", "PS3.18-8.7.5")
def test_jpeg_is_what_those_get_who_take_anything(web: Web) -> None:
    assert web.get(f"{stored(web, part10(gradient()))}/rendered").headers["content-type"] == "image/jpeg"


@pytest.mark.claim("PS3.18-8.3.5.1.2", "PS3.18-8.3.5.1.3", "PS3.18-8.3.5.1.4")
def test_window_viewport_and_quality_are_those_asked_for(web: Web) -> None:
    url = f"{stored(web, part10(gradient()))}/rendered"
    png = {"Accept": "image/png"}
    narrow = np.asarray(pixels(web.get(f"{url}?window=200,10,linear", headers=png)).convert("L"))
    assert (narrow[0, 190], narrow[0, 210]) == (0, 255)
    assert pixels(web.get(f"{url}?viewport=64,32", headers=png)).size == (32, 32)
    cropped = np.asarray(pixels(web.get(f"{url}?viewport=128,128,128,0,128,128", headers=png)).convert("L"))
    assert cropped.min() > 100
    small, large = (len(web.get(f"{url}?quality={quality}").content) for quality in (5, 95))
    assert small < large


@pytest.mark.claim("PS3.18-8.3.5.1/malformed")
@pytest.mark.parametrize(
    "query",
    ["window=a,b", "window=1,0", "window=nan,400,linear", "window=inf,400,linear", "window=-inf,400,linear",
     "window=1e400,400", "window=40,nan", "window=40,inf", "viewport=10,10,nan,0,5,5", "viewport=10,10,0,inf,5,5",
     "viewport=10,10,0,0,nan,5", "viewport=10,10,0,0,5,-1e400", "viewport=nan,10", "window=1,2,cubic",
     "window=1,2,3,4", "viewport=1", "viewport=0,0", "viewport=a,b",
     "viewport=99999,99999", "quality=0", "quality=101", "quality=x", "viewport=10,10,9999,9999,1,1",
     "annotation=everything", "annotation=patient,all", "iccprofile=adobergb", "iccprofile=maybe"],
)  # fmt: skip
def test_parameters_that_make_no_sense_are_400_and_named(web: Web, query: str) -> None:
    url = stored(web, part10(gradient()))
    answer = web.get(f"{url}/rendered?{query}")
    assert answer.status_code == 400
    assert query.split("=", maxsplit=1)[0] in answer.json()["message"]


@pytest.mark.claim("PS3.18-8.3.1/once")
def test_a_parameter_of_rendering_that_is_empty_or_given_twice_is_400_and_named(web: Web) -> None:
    url = stored(web, part10(gradient()))
    for name, value in (("quality", "90"), ("window", "1,2"), ("viewport", "8,8"), ("annotation", "patient")):
        for query in (f"{name}={value}&{name}={value}", f"{name}=", f"{name}=+"):
            answer = web.get(f"{url}/rendered?{query}")
            assert (answer.status_code, answer.json()["message"].split()[0]) == (400, name)
    assert web.get(f"{url}/thumbnail?viewport=8,8&viewport=9,9").status_code == 400


def test_what_cannot_be_given_is_406_and_says_what_can(web: Web) -> None:
    answer = web.get(f"{stored(web, part10(gradient()))}/rendered", headers={"Accept": "image/webp"})
    assert answer.status_code == 406
    assert "image/png" in answer.json()["message"]


@pytest.mark.claim("PS3.18-10.4.1.1.3", "PS3.18-8.7.4/multi", "PS3.18-10.4.3.3.3")
def test_frames_are_rendered_one_by_one_and_together(web: Web) -> None:
    url = stored(web, sample("SC_rgb_rle_2frame.dcm"))
    second = web.get(f"{url}/frames/2/rendered", headers={"Accept": "image/png"})
    both = web.get(f"{url}/rendered", headers={"Accept": 'multipart/related; type="image/png"'})
    film = pixels(web.get(f"{url}/rendered", headers={"Accept": "image/gif"}))
    assert [body for _, body in parts_of(both)][1] == second.content
    assert film.n_frames == 2  # type: ignore[attr-defined]
    assert web.get(f"{url}/frames/3/rendered").status_code == 404
    assert web.get(f"{url}/frames/0/rendered").status_code == 400


@pytest.mark.claim("PS3.18-10.4.1.1.3", "PS3.18-10.4.3.3.3")
def test_a_study_and_a_series_are_rendered_one_part_an_image(web: Web) -> None:
    first, second = gradient(), gradient()
    second.StudyInstanceUID, second.SeriesInstanceUID = first.StudyInstanceUID, first.SeriesInstanceUID
    report = ct(StudyInstanceUID=first.StudyInstanceUID, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    del report.PixelData
    for ds in (first, second, report):
        stored(web, part10(ds))
    for path in (
        f"studies/{first.StudyInstanceUID}",
        f"studies/{first.StudyInstanceUID}/series/{first.SeriesInstanceUID}",
    ):
        assert len(parts_of(web.get(f"{path}/rendered"))) == 2


@pytest.mark.claim("PS3.18-10.4.1.1.4", "PS3.18-10.4.3.3.4")
def test_a_thumbnail_is_made_once_at_every_level(web: Web, archive: Application) -> None:
    ds = gradient()
    url = stored(web, part10(ds))
    study, series = f"studies/{ds.StudyInstanceUID}", f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
    answers = [web.get(f"{path}/thumbnail") for path in (url, f"{url}/frames/1", series, study)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.content for answer in answers} == {answers[0].content}
    assert max(pixels(answers[0]).size) <= 128
    blobs = Path(archive.settings.data_dir) / "blobs" / "thumbnails"
    assert len(list(blobs.rglob("*.jpg"))) == 1


@pytest.mark.claim("PS3.18-8.7.4/pdf")
def test_an_encapsulated_document_comes_as_it_is(web: Web) -> None:
    document = b"%PDF-1.7 odd"[:11]
    ds = ct(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
        EncapsulatedDocument=document + b"\0",
        EncapsulatedDocumentLength=11,
    )
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    del ds.PixelData
    answer = web.get(f"{stored(web, part10(ds))}/rendered", headers={"Accept": "application/pdf"})
    assert (answer.headers["content-type"], answer.content) == ("application/pdf", document)


@pytest.mark.claim("PS3.18-8.7.4/text", "PS3.18-8.8.1")
def test_a_structured_report_is_a_page_that_runs_nothing(web: Web) -> None:
    def code(meaning: str) -> pydicom.Dataset:
        item = pydicom.Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99", meaning
        return item

    finding = pydicom.Dataset()
    finding.ValueType, finding.ConceptNameCodeSequence = "TEXT", [code("Bulgu")]
    finding.TextValue = "<script>alert(1)</script> nodül"
    ds = ct(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", ConceptNameCodeSequence=[code("Rapor")], ContentSequence=[finding]
    )
    del ds.PixelData
    answer = web.get(f"{stored(web, part10(ds))}/rendered", headers={"Accept": "text/html"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<b>Bulgu</b> &lt;script&gt;alert(1)&lt;/script&gt; nodül" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    plain = web.get(str(answer.request.url), headers={"Accept": "text/plain"})
    assert plain.headers["content-type"] == "text/plain; charset=utf-8"
    assert plain.text.startswith("Rapor\nPatient: ")
    assert "\n\nBulgu: <script>alert(1)</script> nodül\n" in plain.text


def film_of(content: bytes, syntax: str = "1.2.840.10008.1.2.4.102") -> bytes:
    ds = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.4.1", NumberOfFrames=30, SOPInstanceUID=generate_uid())
    ds.PixelData = pydicom.encaps.encapsulate([content])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return part10(ds, syntax)


@pytest.mark.claim("PS3.18-8.7.4/video", "PS3.18-8.6.1.1/ranges")
def test_a_stored_film_plays_from_anywhere_in_it(web: Web) -> None:
    film = bytes(range(256)) * 100
    instance = stored(web, film_of(film))
    url = f"{instance}/rendered"
    whole = web.get(url)
    part = web.get(url, headers={"Range": "bytes=1000-1999"})
    assert (whole.headers["content-type"], whole.content) == ("video/mp4", film)
    assert (part.status_code, part.content) == (206, film[1000:2000])
    for path in ("bulkdata/7FE00010", "pixeldata", "frames/1"):
        for headers, query in (({}, "?accept=video/mp4"), ({"Accept": "video/mp4"}, ""), ({"Accept": "*/*"}, "")):
            part = web.get(f"{instance}/{path}{query}", headers={**headers, "Range": "bytes=1000-1999"})
            assert (part.status_code, part.content) == (206, film[1000:2000]), (path, query)
            assert part.headers["content-range"] == f"bytes 1000-1999/{len(film)}"
        whole = web.get(f"{instance}/{path}?accept=video/mp4")
        assert (whole.status_code, whole.content) == (200, film)
        assert whole.headers["content-type"].startswith("video/mp4")


@pytest.mark.parametrize("path", ["thumbnail", "frames/1/thumbnail", "frames/1/rendered", "rendered"])
def test_a_still_of_a_film_is_refused_and_says_where_the_film_is(web: Web, path: str) -> None:
    answer = web.get(f"{stored(web, film_of(bytes(500)))}/{path}", headers={"Accept": "image/jpeg"})
    assert answer.status_code == 406
    assert "film" in answer.json()["message"] or "video/mp4" in answer.json()["message"]


def test_metadata_says_in_which_syntax_the_instance_is_kept(web: Web) -> None:
    (ds,) = web.get(f"{stored(web, film_of(bytes(500)))}/metadata").json()
    assert ds["00083002"] == {"vr": "UI", "Value": ["1.2.840.10008.1.2.4.102"]}
    assert list(ds) == sorted(ds)


def test_damaged_pixels_are_an_error_of_their_frame_and_the_file_is_served_all_the_same(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    ds = ct(Rows=64, Columns=64)
    ds.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + bytes(500)])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    data = part10(ds, "1.2.840.10008.1.2.4.90")
    url = stored(web, data)
    for path in ("rendered", "frames/1/rendered", "thumbnail"):
        assert web.get(f"{url}/{path}").status_code == 500
    native = {"Accept": "multipart/related; type=application/octet-stream"}
    assert web.get(f"{url}/frames/1", headers=native).status_code == 500
    assert "a frame" in web.get(f"{url}/rendered").json()["message"]
    assert not [record for record in caplog.records if record.exc_info]
    assert web.get(url, headers={"Accept": "application/dicom; transfer-syntax=*"}).content == data
    assert web.get(f"{url}/frames/1").status_code == 200


@pytest.mark.claim("PS3.18-8.7.4/video")
@pytest.mark.parametrize(
    ("syntax", "begin", "types"),
    [
        ("4.102", b"\0\0\0\x18ftypisom", ["video/mp4"]),
        ("4.102", b"\x47@\0\x10\0\0\0\0\0\0\0\0", ["video/mp4"]),
        ("4.100", b"\0\0\x01\xb3\0\0\0\0\0\0\0\0", ["video/mpeg"]),
        ("4.107", b"\0\0\0\x18ftypisom", ["video/mp4", "video/H265"]),
        ("4.108", b"\x47@\0\x10\0\0\0\0\0\0\0\0", ["video/H265"]),
    ],
)
def test_a_film_has_the_media_type_of_its_syntax(web: Web, syntax: str, begin: bytes, types: list[str]) -> None:
    film = begin + bytes(1000)
    ds = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.4.1", NumberOfFrames=30, SOPInstanceUID=generate_uid())
    ds.PixelData = pydicom.encaps.encapsulate([film])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    url = f"{stored(web, part10(ds, f'1.2.840.10008.1.2.{syntax}'))}/rendered"
    assert web.get(url).headers["content-type"] == types[0]
    for name in ("video/mpeg", "video/mp4", "video/H265"):
        answer = web.get(url, headers={"Accept": name})
        assert (answer.status_code, answer.content == film) == ((200, True) if name in types else (406, False))
    refused = web.get(f"{url}?annotation=patient")
    assert (refused.status_code, "annotation" in refused.json()["message"]) == (400, True)


def drawn(web: Web, url: str, query: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(pixels(web.get(f"{url}{query}", headers={"Accept": "image/png"})).convert("L"))


@pytest.mark.claim("PS3.18-8.3.5.1.1", "PS3.18-9.5.1.2.2")
def test_words_about_patient_and_technique_are_burned_in_where_they_are_asked_for(web: Web) -> None:
    dark = {"Rows": 200, "Columns": 300, "PixelData": bytes(120_000), "WindowCenter": 128, "WindowWidth": 256}
    named, other = ct(PatientName="Şahin^Müge", **dark), ct(PatientName="Sahin^Muge", **dark)
    urls = [f"{stored(web, part10(ds))}/rendered" for ds in (named, other)]
    plain, patient, technique, both = (
        drawn(web, urls[0], query)
        for query in ("", "?annotation=patient", "?annotation=technique", "?annotation=patient,technique")
    )
    assert plain.max() == 0
    assert (patient[:100].max() > 200, patient[150:].max()) == (True, 0)
    assert (technique[:20].max(), technique[100:].max() > 200) == (0, True)
    assert np.array_equal(both, np.maximum(patient, technique))
    assert not np.array_equal(patient, drawn(web, urls[1], "?annotation=patient"))  # letters are those of the name
    by_uri = web.get(
        "http://127.0.0.1:8080/wado",
        params={
            "requestType": "WADO",
            "studyUID": named.StudyInstanceUID,
            "seriesUID": named.SeriesInstanceUID,
            "objectUID": named.SOPInstanceUID,
            "contentType": "image/png",
            "imageAnnotation": "patient",
        },
    )
    assert np.array_equal(np.asarray(pixels(by_uri).convert("L")), patient)


@pytest.mark.claim("PS3.18-8.3.5.1.5", "PS3.18-8.3.5.1.5/srgb")
@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
def test_a_profile_goes_along_where_it_is_asked_for(web: Web, media_type: str) -> None:
    own = bytes(36) + b"acsp" + bytes(2000)
    plain, with_profile = gradient(), gradient()
    with_profile.add_new(0x00282000, "OB", own)
    urls = [f"{stored(web, part10(ds))}/rendered" for ds in (plain, with_profile)]

    def profile(url: str, query: str) -> bytes:
        answer = web.get(f"{url}{query}", headers={"Accept": media_type})
        assert answer.status_code == 200, answer.text
        return pixels(answer).info.get("icc_profile", b"") or b""

    assert [profile(url, query) for url in urls for query in ("", "?iccprofile=no")] == [b""] * 4
    assert profile(urls[1], "?iccprofile=yes") == own
    for query in ("?iccprofile=yes", "?iccprofile=srgb"):
        assert "sRGB" in ImageCms.getProfileName(ImageCms.ImageCmsProfile(BytesIO(profile(urls[0], query))))
    refused = web.get(f"{urls[1]}?iccprofile=srgb")
    assert (refused.status_code, "profile of its own" in refused.json()["message"]) == (400, True)

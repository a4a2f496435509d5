"""STOW-RS of metadata in JSON and XML with bulk data in parts of its own."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pydicom
import pydicom.data
import pytest
from PIL import Image
from pydicom.encaps import generate_frames
from pydicom.uid import generate_uid

from dicomweb.native_xml import native_xml
from tests.dicomweb.client import Web
from tests.objects import ct

Parts = list[tuple[dict[str, str], bytes]]


def send(web: Web, parts: Parts, kind: str = "application/dicom+json") -> Any:
    body = b""
    for headers, content in parts:
        body += b"--b\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
        body += b"\r\n" + content + b"\r\n"
    content_type = f'multipart/related; type="{kind}"; boundary=b'
    return web.post("studies", content=body + b"--b--\r\n", headers={"Content-Type": content_type})


def described(ds: pydicom.Dataset, kind: str = "application/dicom+json") -> tuple[dict[str, str], bytes]:
    model = ds.to_json_dict(bulk_data_threshold=64, bulk_data_element_handler=lambda e: f"bulk/{e.tag:08X}")
    body = orjson.dumps([model]) if kind != "application/dicom+xml" else native_xml(model)
    return {"Content-Type": kind}, body


def bulk(location: str, content: bytes, media_type: str = "application/octet-stream") -> tuple[dict[str, str], bytes]:
    return {"Content-Type": media_type, "Content-Location": location}, content


def fetched(web: Web, answer: Any) -> pydicom.Dataset:
    assert answer.status_code == 200, answer.text
    url = answer.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    return pydicom.dcmread(BytesIO(web.get(url, headers={"Accept": "application/dicom; transfer-syntax=*"}).content))


@pytest.mark.claim("PS3.18-10.5.1.4/metadata", "PS3.18-F.2/in")
@pytest.mark.parametrize("kind", ["application/dicom+json", "application/dicom+xml"])
def test_metadata_with_plain_pixels_becomes_the_instance(web: Web, kind: str) -> None:
    item = pydicom.Dataset()
    item.CodeValue, item.CodeMeaning = "T-D1100", "Baş"
    ds = ct(AnatomicRegionSequence=[item], ImagePositionPatient=[-1.5, 2, 3], PatientName="Şahin^Müge=山田")

    ds["PixelData"].VR = "OW"

    stored = fetched(web, send(web, [described(ds, kind), bulk("bulk/7FE00010", ds.PixelData)], kind))

    assert ds == stored
    assert stored.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


@pytest.mark.claim("PS3.18-10.5.2/compressed")
@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("SC_rgb_jpeg_dcmtk.dcm", "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"),
        ("MR_small_jp2klossless.dcm", "image/jp2"),
        ("SC_rgb_rle_2frame.dcm", "image/dicom-rle"),
    ],
)
def test_compressed_frames_are_kept_as_they_come(web: Web, name: str, media_type: str) -> None:
    path = pydicom.data.get_testdata_file(name)
    ds = pydicom.dcmread(str(path))
    count = int(ds.get("NumberOfFrames") or 1)
    frames = list(generate_frames(ds.PixelData, number_of_frames=count))

    others = [bulk(f"bulk/{e.tag:08X}", e.value) for e in ds if e.VR == "OB" and e.keyword != "PixelData"]
    pixels = [bulk("bulk/7FE00010", frame, media_type) for frame in frames]
    stored = fetched(web, send(web, [described(ds), *others, *pixels]))

    assert stored.file_meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID
    kept = generate_frames(stored.PixelData, number_of_frames=count)
    assert [frame.rstrip(b"\0") for frame in kept] == [frame.rstrip(b"\0") for frame in frames]
    assert (stored.pixel_array == ds.pixel_array).all()


@pytest.mark.claim("PS3.18-10.5.2/documents")
@pytest.mark.parametrize(
    ("sop_class", "media_type"),
    [("1.2.840.10008.5.1.4.1.1.104.1", "application/pdf"), ("1.2.840.10008.5.1.4.1.1.104.3", "model/stl")],
)
def test_documents_come_as_they_are(web: Web, sop_class: str, media_type: str) -> None:
    ds = ct(
        SOPClassUID=sop_class,
        EncapsulatedDocument=b"%PDF-1.7 of odd length" * 1001,
        MIMETypeOfEncapsulatedDocument=media_type,
    )
    del ds.PixelData
    stored = fetched(web, send(web, [described(ds), bulk("bulk/00420011", ds.EncapsulatedDocument, media_type)]))
    assert stored.EncapsulatedDocument.rstrip(b"\0") == ds.EncapsulatedDocument
    assert len(stored.EncapsulatedDocument) % 2 == 0


@pytest.mark.claim("PS3.18-10.5.2/video")
def test_video_comes_as_one_fragment(web: Web) -> None:
    ds = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.4.1", NumberOfFrames=25)
    video = bytes(range(256)) * 8000
    stored = fetched(web, send(web, [described(ds), bulk("bulk/7FE00010", video, "video/mp4")]))
    assert stored.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.102"
    assert next(generate_frames(stored.PixelData, number_of_frames=1)) == video


@pytest.mark.claim("PS3.18-10.5.2/described")
def test_a_photograph_tells_its_own_size_where_the_metadata_does_not(web: Web) -> None:
    ds = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.4")
    for keyword in (
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "SamplesPerPixel",
        "PhotometricInterpretation",
    ):
        delattr(ds, keyword)
    photograph = BytesIO()
    Image.new("RGB", (40, 30), (200, 10, 10)).save(photograph, "JPEG")

    part = bulk("bulk/7FE00010", photograph.getvalue(), "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50")
    stored = fetched(web, send(web, [described(ds), part]))

    assert (stored.Rows, stored.Columns, stored.SamplesPerPixel, stored.BitsAllocated) == (30, 40, 3, 8)
    assert stored.pixel_array.shape == (30, 40, 3)


@pytest.mark.claim("PS3.18-10.5.2/compressed")
@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("SC_rgb_jpeg_dcmtk.dcm", "1.2.840.10008.1.2.4.50"),
        ("JPEG-lossy.dcm", "1.2.840.10008.1.2.4.51"),
        ("SC_rgb_jpeg_gdcm.dcm", "1.2.840.10008.1.2.4.70"),
    ],
)
def test_a_jpeg_image_is_kept_in_the_syntax_that_it_is_in(web: Web, name: str, syntax: str) -> None:
    ds = pydicom.dcmread(str(pydicom.data.get_testdata_file(name)))
    assert ds.file_meta.TransferSyntaxUID == syntax
    others = [bulk(f"bulk/{e.tag:08X}", e.value) for e in ds if e.VR == "OB" and e.keyword != "PixelData"]
    frame = next(generate_frames(ds.PixelData, number_of_frames=1))

    stored = fetched(web, send(web, [described(ds), *others, bulk("bulk/7FE00010", frame, "image/jpeg")]))

    assert stored.file_meta.TransferSyntaxUID == syntax
    assert next(generate_frames(stored.PixelData, number_of_frames=1)).rstrip(b"\0") == frame.rstrip(b"\0")


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"])
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("JPEG", {"progressive": True})])
def test_what_is_no_jpeg_image_of_dicom_is_refused(
    web: Web, media_type: str, kind: str, options: dict[str, Any]
) -> None:
    picture = BytesIO()
    Image.new("L", (16, 16), 7).save(picture, kind, **options)
    answer = send(web, [described(ct()), bulk("bulk/7FE00010", picture.getvalue(), media_type)])
    assert answer.status_code == 409
    assert "no JPEG image" in answer.headers["warning"]


def test_a_lossy_image_is_not_kept_as_a_lossless_one(web: Web) -> None:
    picture = BytesIO()
    Image.new("L", (16, 16), 7).save(picture, "JPEG")
    said = "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.70"
    assert send(web, [described(ct()), bulk("bulk/7FE00010", picture.getvalue(), said)]).status_code == 409


GREY = np.arange(30 * 40, dtype="<u2").reshape(30, 40)
PICTURES = {
    "grey": Image.fromarray((GREY // 5).astype("u1")),
    "16 bits": Image.fromarray(GREY * 50),
    "colour": Image.fromarray(np.stack([GREY // 5, GREY % 251, GREY // 7], -1).astype("u1")),
    "opaque": Image.fromarray(np.stack([GREY // 5, GREY % 251, GREY // 7, GREY * 0 + 255], -1).astype("u1")),
    "palette": Image.fromarray((GREY // 5).astype("u1")).convert("RGB").quantize(64),
}
PIXEL_ATTRIBUTES = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("SamplesPerPixel", "PhotometricInterpretation"),
)


def saved(picture: Image.Image, kind: str, **more: Any) -> bytes:
    out = BytesIO()
    picture.save(out, kind, **more)
    return out.getvalue()


def undescribed() -> pydicom.Dataset:
    ds = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    for keyword in PIXEL_ATTRIBUTES:
        delattr(ds, keyword)
    return ds


@pytest.mark.claim("PS3.18-10.5.2/consumer")
@pytest.mark.parametrize(("name", "kind"), [*((name, "PNG") for name in PICTURES), ("palette", "GIF"), ("grey", "GIF")])
def test_a_consumer_picture_becomes_pixels_without_any_loss(web: Web, name: str, kind: str) -> None:
    content = saved(PICTURES[name], kind)
    part = bulk("bulk/7FE00010", content, f"image/{kind.lower()}")
    stored = fetched(web, send(web, [described(undescribed()), part]))
    expected = np.asarray(Image.open(BytesIO(content)).convert("RGB")) if kind == "GIF" or name == "palette" else None
    if expected is None:
        expected = (
            np.asarray(PICTURES[name])[..., :3] if PICTURES[name].mode.startswith("RGB") else np.asarray(PICTURES[name])
        )
    assert np.array_equal(stored.pixel_array, expected)
    assert stored.BitsAllocated == (16 if name == "16 bits" else 8)
    assert stored.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert "NumberOfFrames" not in stored


@pytest.mark.claim("PS3.18-10.5.2/consumer")
def test_pictures_in_several_parts_and_an_animation_become_frames(web: Web) -> None:
    first, second = PICTURES["colour"], PICTURES["colour"].transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    parts = [bulk("bulk/7FE00010", saved(one, "PNG"), "image/png") for one in (first, second)]
    stored = fetched(web, send(web, [described(undescribed()), *parts]))
    assert stored.NumberOfFrames == 2
    assert np.array_equal(stored.pixel_array, np.stack([np.asarray(first), np.asarray(second)]))
    moving = saved(first, "GIF", save_all=True, append_images=[second])
    stored = fetched(web, send(web, [described(undescribed()), bulk("bulk/7FE00010", moving, "image/gif")]))
    assert (stored.NumberOfFrames, stored.pixel_array.shape) == (2, (2, 30, 40, 3))


def _transparent() -> bytes:
    picture = PICTURES["opaque"].copy()
    picture.putpixel((3, 3), (1, 2, 3, 0))
    return saved(picture, "PNG")


def _bomb() -> bytes:
    content = bytearray(saved(PICTURES["grey"], "PNG"))
    content[16:24] = (60000).to_bytes(4, "big") * 2
    return bytes(content)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([b"no picture at all"], "is none"),
        ([saved(PICTURES["grey"], "PNG")[:60]], "cannot be decoded"),
        ([_transparent()], "transparent"),
        ([_bomb()], "larger than"),
        ([saved(PICTURES["grey"], "PNG"), saved(PICTURES["colour"], "PNG")], "differ"),
    ],
)
def test_a_picture_that_makes_no_pixels_is_refused_in_words(web: Web, parts: list[bytes], words: str) -> None:
    sent = [bulk("bulk/7FE00010", content, "image/png") for content in parts]
    answer = send(web, [described(undescribed()), *sent])
    assert answer.status_code in (409, 413)
    assert words in answer.headers["warning"]


def test_a_picture_of_another_size_than_the_metadata_says_is_refused(web: Web) -> None:
    ds = undescribed()
    ds.Rows, ds.Columns = 31, 40
    answer = send(web, [described(ds), bulk("bulk/7FE00010", saved(PICTURES["grey"], "PNG"), "image/png")])
    assert answer.status_code == 409
    assert "another size" in answer.headers["warning"]


@pytest.mark.claim("PS3.18-10.5.1.4/metadata")
def test_several_instances_in_one_body_are_told_apart(web: Web) -> None:
    good, bad = ct(), ct()
    models = [orjson.loads(described(ds)[1])[0] for ds in (good, bad)]
    models[1]["7FE00010"]["BulkDataURI"] = "bulk/of/nothing"
    parts = [({"Content-Type": "application/dicom+json"}, orjson.dumps(models)), bulk("bulk/7FE00010", good.PixelData)]

    answer = send(web, parts)

    assert answer.status_code == 202
    assert answer.json()["00081199"]["Value"][0]["00081155"]["Value"] == [good.SOPInstanceUID]
    assert answer.json()["00081198"]["Value"][0]["00081155"]["Value"] == [bad.SOPInstanceUID]
    assert "Content-Location" in answer.headers["warning"]


def test_metadata_alone_is_an_instance_without_bulk_data(web: Web) -> None:
    ds = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    del ds.PixelData
    answer = web.post("studies", content=described(ds)[1], headers={"Content-Type": "application/dicom+json"})
    assert ds == fetched(web, answer)


@pytest.mark.claim("PS3.18-10.5.3.1/400")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"not json", "no JSON"),
        (b"[" * 10_000 + b"]" * 10_000, "no JSON"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "no JSON"),
        (b"[1, 2]", "DICOM JSON model"),
        (b'[{"00100010": "x"}]', "DICOM JSON model"),
        (b'[{"00081140": {"vr": "SQ", "Value": [3]}}]', "DICOM JSON model"),
        (b"[]", "no metadata"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_metadata_that_is_none_is_400(web: Web, body: bytes, words: str) -> None:
    answer = send(web, [({"Content-Type": "application/dicom+json"}, body)])
    assert answer.status_code == 400
    assert words in answer.json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"<a",
        b"<NativeDicomModel xmlns='x'><DicomAttribute",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><NativeDicomModel/>",
        b"<!DOCTYPE a ["
        + b"".join(b"<!ENTITY a%d '&a%d;&a%d;'>" % (n + 1, n, n) for n in range(40))
        + b"]><a>&a40;</a>",
        b"<other/>",
    ],
    ids=lambda value: value[:20].decode(),
)
def test_xml_that_is_no_model_or_brings_entities_is_400(web: Web, body: bytes) -> None:
    kind = "application/dicom+xml"
    assert send(web, [({"Content-Type": kind}, body)], kind).status_code == 400


@pytest.mark.claim("PS3.18-F.2/in", "PS3.18-10.5.2")
def test_values_that_break_their_vr_refuse_that_instance_alone(web: Web) -> None:
    good, bad = ct(), ct()
    models = [orjson.loads(described(ds)[1])[0] for ds in (good, bad)]
    models[1]["00280010"] = {"vr": "US", "Value": ["many"]}
    parts = [({"Content-Type": "application/dicom+json"}, orjson.dumps(models)), bulk("bulk/7FE00010", good.PixelData)]
    answer = send(web, parts)
    assert answer.status_code == 202
    assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xC000]


@pytest.mark.claim("PS3.18-10.5.1.4/broken")
def test_nothing_is_left_of_a_body_that_ends_half_way(web: Web, tmp_path: Path) -> None:
    ds = ct(SOPInstanceUID=generate_uid())
    body = b"--b\r\nContent-Type: application/dicom+json\r\n\r\n" + described(ds)[1]
    body += b"\r\n--b\r\nContent-Location: bulk/7FE00010\r\n\r\n" + bytes(3 << 20)
    kind = 'multipart/related; type="application/dicom+json"; boundary=b'

    assert web.post("studies", content=body, headers={"Content-Type": kind}).status_code == 400

    assert list((tmp_path / "data" / "blobs" / "spool").iterdir()) == []
    assert web.get(f"instances?SOPInstanceUID={ds.SOPInstanceUID}").status_code == 204

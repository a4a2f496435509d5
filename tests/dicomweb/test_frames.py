"""WADO-RS frames and bulk data, in the stored syntax."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, JPEGLSLossless

from tests.dicomweb.builders import SERIES, STUDY, ct
from tests.dicomweb.client import Web, parts_of
from tests.dicomweb.conftest import Stow

OHIF = "multipart/related; type=application/octet-stream; transfer-syntax=*"
DICOMWEB_CLIENT = 'multipart/related; type="*/*"'
COMPRESSED = [bytes([number]) * (1000 + 2 * number) for number in range(1, 4)]


def address(ds: Dataset) -> str:
    return f"studies/{STUDY}/series/{SERIES}/instances/{ds.SOPInstanceUID}"


@pytest.fixture
def native(stow: Stow) -> Dataset:
    ds = ct(frames=3, rows=8, columns=16)
    assert stow(ds).status_code == 200
    return ds


@pytest.fixture
def compressed(stow: Stow) -> Dataset:
    """Frames that no decoder would take: they are given as they came."""
    ds = ct(frames=3, PixelData=encapsulate(COMPRESSED))
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = JPEGLSLossless
    assert stow(ds).status_code == 200
    return ds


@pytest.mark.claim("PS3.18-10.4.1.1.6", "PS3.18-8.7.3.3.1", "PS3.18-8.7.3.5.1")
@pytest.mark.parametrize("accept", [OHIF, DICOMWEB_CLIENT, "*/*", 'multipart/related; type="application/octet-stream"'])
@pytest.mark.parametrize("numbers", [[1], [2], [3, 1], [1, 2, 3], [2, 2]])
def test_native_frames_come_in_the_order_asked(web: Web, native: Dataset, accept: str, numbers: list[int]) -> None:
    response = web.get(f"{address(native)}/frames/{','.join(map(str, numbers))}", headers={"Accept": accept})
    assert response.status_code == 200
    assert int(response.headers["content-length"]) == len(response.content)
    parts = parts_of(response)
    frames = np.frombuffer(native.PixelData, "<u2").reshape(3, -1)
    assert [body for _, body in parts] == [frames[number - 1].tobytes() for number in numbers]
    for (headers, _), number in zip(parts, numbers, strict=True):
        assert headers["content-type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
        assert headers["content-location"].endswith(f"{address(native)}/frames/{number}")


def test_a_comma_may_be_escaped(web: Web, native: Dataset) -> None:
    assert len(parts_of(web.get(f"{address(native)}/frames/1%2C3"))) == 2


@pytest.mark.claim("PS3.18-8.6.1.1")
def test_one_frame_may_come_alone(web: Web, native: Dataset) -> None:
    response = web.get(f"{address(native)}/frames/2", headers={"Accept": "application/octet-stream"})
    assert response.content == np.frombuffer(native.PixelData, "<u2").reshape(3, -1)[1].tobytes()
    assert response.headers["content-type"].startswith("application/octet-stream")
    assert web.get(f"{address(native)}/frames/1,2", headers={"Accept": "application/octet-stream"}).status_code == 406


@pytest.mark.claim("PS3.18-8.7.3.3.2")
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (OHIF, "application/octet-stream"),
        (DICOMWEB_CLIENT, "image/jls"),
        ('multipart/related; type="image/jls"', "image/jls"),
    ],
)
def test_compressed_frames_come_as_they_were_compressed(
    web: Web, compressed: Dataset, accept: str, content_type: str
) -> None:
    response = web.get(f"{address(compressed)}/frames/1,2,3", headers={"Accept": accept})
    assert response.headers["content-type"].startswith(f'multipart/related; type="{content_type}"; boundary=')
    parts = parts_of(response)
    assert [body for _, body in parts] == COMPRESSED
    assert parts[0][0]["content-type"] == f"{content_type}; transfer-syntax={JPEGLSLossless}"


def test_compressed_frames_are_not_passed_off_as_plain_numbers(web: Web, compressed: Dataset) -> None:
    accept = 'multipart/related; type="application/octet-stream"'
    response = web.get(f"{address(compressed)}/frames/1", headers={"Accept": accept})
    assert response.status_code == 500  # they are none that could be decoded


@pytest.mark.claim("PS3.18-8.7.3.3.1")
def test_big_endian_frames_come_in_little_endian(web: Web, stow: Stow) -> None:
    ds = ct(frames=2)
    values = ds.PixelData
    ds.PixelData = np.frombuffer(values, "<u2").astype(">u2").tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    assert stow(ds).status_code == 200
    parts = parts_of(web.get(f"{address(ds)}/frames/1,2"))
    assert b"".join(body for _, body in parts) == values
    whole = web.get(f"{address(ds)}/bulkdata/7FE00010", headers={"Accept": "application/octet-stream"})
    assert whole.content == values


@pytest.mark.claim("PS3.18-10.4.1.1.6/list")
@pytest.mark.parametrize("numbers", ["0", "-1", "x", "1,", ",1", "1,,2", "1-2", "01", "1" * 10, "1%202"])
def test_a_frame_list_that_is_none_is_400(web: Web, native: Dataset, numbers: str) -> None:
    response = web.get(f"{address(native)}/frames/{numbers}")
    assert response.status_code == 400
    assert "frame list" in response.json()["message"]


@pytest.mark.claim("PS3.18-10.4.1.1.6/list")
def test_a_frame_past_the_end_is_404(web: Web, native: Dataset) -> None:
    response = web.get(f"{address(native)}/frames/1,4")
    assert response.status_code == 404
    assert "no frame 4" in response.json()["message"]


def test_an_instance_without_pixels_has_no_frame(web: Web, stow: Stow) -> None:
    ds = ct(PixelData=None, Rows=None, Columns=None)
    assert stow(ds).status_code == 200
    assert web.get(f"{address(ds)}/frames/1").status_code == 404


@pytest.mark.claim("PS3.18-10.4.1.1.5", "PS3.18-8.6.1.1", "PS3.18-10.4.3.3.5")
def test_bulk_data_of_any_attribute_comes_alone_or_in_a_part(web: Web, stow: Stow) -> None:
    item = Dataset()
    item.EncapsulatedDocument = bytes(range(256)) * 20
    ds = ct(RequestAttributesSequence=[item], PixelPaddingValue=1)
    ds.add_new(0x00282000, "OB", b"icc" * 2000)
    assert stow(ds).status_code == 200
    (one,) = web.get(f"{address(ds)}/metadata").json()
    profile = one["00282000"]["BulkDataURI"]
    document = one["00400275"]["Value"][0]["00420011"]["BulkDataURI"]
    assert web.get(profile, headers={"Accept": "application/octet-stream"}).content == b"icc" * 2000
    assert web.get(document, headers={"Accept": "application/octet-stream"}).content == item.EncapsulatedDocument
    (part,) = parts_of(web.get(profile, headers={"Accept": DICOMWEB_CLIENT}))
    assert part[1] == b"icc" * 2000
    assert part[0]["content-location"] == profile
    assert web.get(profile.replace("00282000", "00282001")).status_code == 404
    assert web.get(profile + "/../../metadata").status_code in (200, 404)


def test_compressed_pixel_data_comes_frame_by_frame(web: Web, compressed: Dataset) -> None:
    response = web.get(f"{address(compressed)}/bulkdata/7FE00010", headers={"Accept": DICOMWEB_CLIENT})
    assert [body for _, body in parts_of(response)] == COMPRESSED
    assert (
        web.get(f"{address(compressed)}/bulkdata/7FE00010", headers={"Accept": "application/octet-stream"}).status_code
        == 406
    )


PNG = b"\x89PNG of no picture" * 300


@pytest.fixture
def bulky(stow: Stow) -> list[Dataset]:
    """Two series: one instance of plain pixels with a profile, one of compressed frames with an icon."""
    icon = Dataset()
    icon.Rows, icon.Columns, icon.PixelData = 64, 64, bytes(8192)
    icon["PixelData"].VR = "OW"
    plain = ct(rows=64, columns=64)
    plain.add_new(0x00282000, "OB", PNG)
    packed = ct(frames=3, PixelData=encapsulate(COMPRESSED), SeriesInstanceUID=f"{SERIES}.9", IconImageSequence=[icon])
    packed["PixelData"].VR = "OB"
    packed["PixelData"].is_undefined_length = True
    packed.file_meta = FileMetaDataset()
    packed.file_meta.TransferSyntaxUID = JPEGLSLossless
    for ds in (plain, packed):
        assert stow(ds).status_code == 200
    return [plain, packed]


@pytest.mark.claim("PS3.18-10.4.1.1.5", "PS3.18-10.4.3.3.5")
def test_bulk_data_of_a_study_a_series_and_an_instance_comes_under_the_addresses_of_the_metadata(
    web: Web, bulky: list[Dataset]
) -> None:
    plain, packed = bulky
    of_plain = [PNG, plain.PixelData]
    of_packed = [packed.IconImageSequence[0].PixelData, *COMPRESSED]
    for path, expected in (
        (f"studies/{STUDY}", of_plain + of_packed),
        (f"studies/{STUDY}/series/{SERIES}", of_plain),
        (f"studies/{STUDY}/series/{SERIES}.9/instances/{packed.SOPInstanceUID}", of_packed),
    ):
        parts = parts_of(web.get(f"{path}/bulkdata"))
        assert [body for _, body in parts] == expected
        metadata = web.get(f"{path}/metadata").text
        assert all(f'"{headers["content-location"]}"' in metadata for headers, _ in parts)
    only_pixels = {"Accept": 'multipart/related; type="image/jls"'}
    alone = web.get(f"studies/{STUDY}/series/{SERIES}/bulkdata", headers=only_pixels)
    assert alone.status_code == 406


def test_what_has_no_bulk_data_is_404(web: Web, stow: Stow) -> None:
    ds = ct(PixelData=None, Rows=None, Columns=None)
    assert stow(ds).status_code == 200
    assert web.get(f"{address(ds)}/bulkdata").status_code == 404


@pytest.mark.claim("PS3.18-10.4.1.1.6", "PS3.18-10.4.3.3.6")
def test_pixel_data_stands_under_its_address_and_icons_are_left_out(web: Web, bulky: list[Dataset]) -> None:
    plain, packed = bulky
    for path, expected in (
        (f"studies/{STUDY}", [plain.PixelData, *COMPRESSED]),
        (f"studies/{STUDY}/series/{SERIES}", [plain.PixelData]),
        (f"studies/{STUDY}/series/{SERIES}.9/instances/{packed.SOPInstanceUID}", COMPRESSED),
    ):
        parts = parts_of(web.get(f"{path}/pixeldata"))
        assert [body for _, body in parts] == expected
        assert all(headers["content-location"].endswith("/bulkdata/7FE00010") for headers, _ in parts)

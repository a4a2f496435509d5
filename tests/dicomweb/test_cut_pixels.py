"""Native pixel data that ends too early: what is whole is given, what is cut is an error in words."""

from __future__ import annotations

import pytest

from tests.dicomweb.client import Web, parts_of
from tests.objects import ct, part10

OCTETS = {"Accept": "application/octet-stream"}
AS_KEPT = {"Accept": "application/dicom; transfer-syntax=*"}


def stored(web: Web, data: bytes) -> str:
    answer = web.post("studies", content=data, headers={"Content-Type": "application/dicom"}).json()
    url = answer["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert isinstance(url, str)
    return url


def test_native_frames_that_are_whole_are_given_and_the_one_that_is_cut_is_an_error_in_words(web: Web) -> None:
    frames = [bytes([value]) * 16 for value in (10, 20, 30)]
    ds = ct(Rows=4, Columns=4, BitsAllocated=8, BitsStored=8, HighBit=7, NumberOfFrames=3)
    ds.PixelData = b"".join(frames)[:-2]
    data = part10(ds)
    url = stored(web, data)
    assert [web.get(f"{url}/frames/{n}", headers=OCTETS).content for n in (1, 2)] == frames[:2]
    for path in ("frames/3", "frames/2,3", "frames/3/rendered", "frames/3/thumbnail"):
        answer = web.get(f"{url}/{path}")
        assert answer.status_code == 500
        assert "frame 3 is cut: 14 of its 16 bytes" in answer.json()["message"]
    assert web.get(f"{url}/frames/4").status_code == 404
    assert len(parts_of(web.get(f"{url}/pixeldata"))) == 2
    for path in ("rendered", "thumbnail", "frames/2/rendered"):
        assert web.get(f"{url}/{path}").status_code == 200
    assert web.get(f"{url}/rendered", headers={"Accept": "image/gif"}).status_code == 200
    assert web.get(url, headers=AS_KEPT).content == data


@pytest.mark.parametrize("missing", [2, 6, 14])
def test_an_image_whose_only_frame_is_cut_says_so_at_every_resource(web: Web, missing: int) -> None:
    ds = ct(Rows=4, Columns=4, BitsAllocated=8, BitsStored=8, HighBit=7)
    ds.PixelData = bytes(range(16 - missing))
    data = part10(ds)
    url = stored(web, data)
    for path in ("frames/1", "pixeldata", "rendered", "thumbnail", "frames/1/rendered"):
        answer = web.get(f"{url}/{path}")
        assert answer.status_code == 500, path
        assert f"frame 1 is cut: {16 - missing} of its 16 bytes" in answer.json()["message"]
    assert web.get(url, headers=AS_KEPT).content == data
    value = web.get(f"{url}/bulkdata/7FE00010", headers={"Accept": "application/octet-stream"})
    assert value.content[: 16 - missing] == bytes(range(16 - missing))


@pytest.mark.parametrize(("rows", "columns", "frames"), [(3, 3, 1), (3, 5, 3), (1, 1, 1)])
def test_a_missing_pad_at_the_end_of_the_pixel_data_does_not_matter(
    web: Web, rows: int, columns: int, frames: int
) -> None:
    ds = ct(Rows=rows, Columns=columns, BitsAllocated=8, BitsStored=8, HighBit=7, NumberOfFrames=frames)
    pixels = bytes(range(rows * columns * frames))
    ds.PixelData = pixels + b"\0"
    padded = part10(ds)
    assert padded.endswith((len(pixels) + 1).to_bytes(4, "little") + pixels + b"\0")
    unpadded = padded[: -len(pixels) - 5] + len(pixels).to_bytes(4, "little") + pixels
    url = stored(web, unpadded)
    size = rows * columns
    for number in range(1, frames + 1):
        answer = web.get(f"{url}/frames/{number}", headers=OCTETS)
        assert answer.content == pixels[(number - 1) * size : number * size]
        assert web.get(f"{url}/frames/{number}/rendered").status_code == 200
    assert web.get(url, headers={"Accept": "application/dicom; transfer-syntax=1.2.840.10008.1.2.5"}).is_success
    assert web.get(url, headers=AS_KEPT).content == unpadded

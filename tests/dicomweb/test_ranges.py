"""Byte ranges of bulk data."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian

from tests import objects
from tests.dicomweb.client import Web

PIXELS = bytes(range(256)) * 64


@pytest.fixture(params=[ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def address(web: Web, request: pytest.FixtureRequest) -> str:
    ds = objects.ct(Rows=128, Columns=64, PixelData=PIXELS)
    if request.param == ExplicitVRBigEndian:
        ds = pydicom.Dataset.from_json(ds.to_json())
        ds["PixelData"].VR = "OW"
        ds.PixelData = b"".join(PIXELS[at : at + 2][::-1] for at in range(0, len(PIXELS), 2))
    body = objects.part10(ds, request.param)
    stored = web.post("studies", content=body, headers={"Content-Type": "application/dicom"}).json()
    return f"{stored['00081199']['Value'][0]['00081190']['Value'][0]}/bulkdata/7FE00010"


@pytest.mark.claim("PS3.18-8.5/206", "PS3.18-8.6.1.1/ranges")
@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=1-6", 1, 6),
        ("bytes=3-", 3, len(PIXELS) - 1),
        ("bytes=-5", len(PIXELS) - 5, len(PIXELS) - 1),
        ("bytes=100-99999999", 100, len(PIXELS) - 1),
        ("bytes=-99999999", 0, len(PIXELS) - 1),
    ],
)
def test_a_range_of_bulk_data_is_given_whatever_is_stored(
    web: Web, address: str, asked: str, start: int, end: int
) -> None:
    answer = web.get(address, headers={"Accept": "application/octet-stream", "Range": asked})
    assert answer.status_code == 206
    assert answer.content == PIXELS[start : end + 1]
    assert answer.headers["content-range"] == f"bytes {start}-{end}/{len(PIXELS)}"
    assert int(answer.headers["content-length"]) == end - start + 1


def test_who_has_bulk_data_already_is_not_sent_it_again(web: Web, address: str) -> None:
    alone = {"Accept": "application/octet-stream"}
    tag = web.get(address, headers=alone).headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        for part in ({}, {"Range": "bytes=1-6"}):
            answer = web.get(address, headers={**alone, "If-None-Match": known, **part})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert web.get(address, headers={**alone, "If-None-Match": '"other"'}).content == PIXELS


@pytest.mark.parametrize("accept", ["*/*", "", "application/*", "multipart/related, application/octet-stream;q=0.5"])
def test_a_range_is_given_to_all_who_take_the_bytes_alone(web: Web, address: str, accept: str) -> None:
    answer = web.get(address, headers={"Accept": accept, "Range": "bytes=1-6"})
    assert (answer.status_code, answer.content) == (206, PIXELS[1:7])


def test_who_takes_parts_only_gets_everything_whatever_range_is_asked_for(web: Web, address: str) -> None:
    answer = web.get(address, headers={"Accept": "multipart/related", "Range": "bytes=1-6"})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "multipart/related")


@pytest.mark.claim("PS3.18-8.5/416")
@pytest.mark.parametrize("asked", [f"bytes={len(PIXELS)}-", f"bytes={10**17}-", "bytes=-0"])
def test_a_range_past_the_end_is_416_and_says_how_long_it_is(web: Web, address: str, asked: str) -> None:
    answer = web.get(address, headers={"Accept": "application/octet-stream", "Range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(PIXELS)}")
    assert answer.json() == {"status": 416, "message": f"the range lies past the end: there are {len(PIXELS)} bytes"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=5-3"},
        {"Range": "bytes=0-1,4-5"},
        {"Range": "lines=0-1"},
        {"Range": "bytes=" + "9" * 4000 + "-"},
        {"Range": "bytes=0-1", "If-Range": '"another"'},
        {},
    ],
    ids=str,
)
def test_what_is_no_range_that_can_be_served_gets_everything(web: Web, address: str, headers: dict[str, str]) -> None:
    answer = web.get(address, headers={"Accept": "application/octet-stream"} | headers)
    assert (answer.status_code, answer.content) == (200, PIXELS)
    assert answer.headers["accept-ranges"] == "bytes"


def test_a_download_goes_on_where_it_stopped_while_nothing_changed(web: Web, address: str) -> None:
    tag = web.get(address, headers={"Accept": "application/octet-stream"}).headers["etag"]
    rest = {"Accept": "application/octet-stream", "Range": "bytes=4000-", "If-Range": tag}
    assert web.get(address, headers=rest).content == PIXELS[4000:]

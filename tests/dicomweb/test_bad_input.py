"""Hostile and broken instances on the STOW door: a clear answer, a log line, and no harm to what is stored."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.dicomweb.builders import ROOT, ct, part10
from tests.dicomweb.client import Web, parts_of
from tests.dicomweb.conftest import Stow
from vna.app import Application

CANNOT_UNDERSTAND, TOO_LARGE = 0xC000, 0xA700
SEQUENCE = b"\x08\x00\x40\x11SQ\0\0"
ITEM = b"\xfe\xff\x00\xe0"
UNDEFINED = b"\xff\xff\xff\xff"
EXPLICIT_LE = b"1.2.840.10008.1.2.1\0"


def split(file: bytes) -> tuple[bytes, bytes]:
    """Up to group 2, and the data set."""
    start = file.index(b"\x08\x00\x05\x00CS")
    return file[:start], file[start:]


def around(middle: bytes) -> bytes:
    """An instance with these bytes behind its first elements."""
    meta, dataset = split(part10(ct()))
    at = dataset.index(b"\x08\x00\x20\x00DA")
    return meta + dataset[:at] + middle + dataset[at:]


def wrong_group_length() -> bytes:
    file = part10(ct())
    return file[:132] + b"\2\0\0\0UL\4\0\xff\xff\0\0" + file[132:]


def never_ending_sequence() -> bytes:
    return part10(ct())[:-60] + SEQUENCE + UNDEFINED + (ITEM + UNDEFINED + b"\x08\x00\x50\x00SH\x02\x00A ") * 10


def nested(depth: int) -> bytes:
    return around((SEQUENCE + UNDEFINED + ITEM + UNDEFINED) * depth)


def deflate_bomb() -> bytes:
    ds = ct()
    ds.PixelData = None
    del ds.PixelData
    plain = split(part10(ds))[1] + b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", 1 << 30)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    zeros = bytes(16 << 20)
    body = packer.compress(plain) + b"".join(packer.compress(zeros) for _ in range(72)) + packer.flush()
    meta = part10(ct())
    deflated = DeflatedExplicitVRLittleEndian.encode()
    head = split(meta)[0].replace(struct.pack("<H", 20) + EXPLICIT_LE, struct.pack("<H", 22) + deflated)
    return head + body


FILES = {
    "an empty file": b"\0",
    "random bytes": bytes(range(7, 256)) * 40,
    "a web page": b"<!DOCTYPE html><html></html>" * 50,
    "preamble and nothing": bytes(128) + b"DICM",
    "cut within group 2": part10(ct())[:200],
    "cut within the data set": part10(ct())[:700],
    "cut within the pixels": part10(ct())[:-5],
    "a transfer syntax that is none": part10(ct()).replace(EXPLICIT_LE, b"1.2.3\r\nSet-Cookie: x"[:20]),
    "a sequence that never ends": never_ending_sequence(),
    "sequences a thousand deep": nested(1000),
    "an element longer than the file": around(b"\x08\x00\x70\x00UT\0\0" + struct.pack("<I", 0x7FFFFFF0)),
    "an undefined length where none may be": around(b"\x08\x00\x70\x00UT\0\0" + UNDEFINED),
    "a value representation that is none": around(b"\x08\x00\x1f\x00\x01\x02\x04\x00abcd" * 3),
    "a deflate bomb": deflate_bomb(),
}


TOLERATED = {
    "group 2 of another length": wrong_group_length(),
    "no group 2": bytes(128) + b"DICM" + split(part10(ct()))[1],
    "no preamble": part10(ct())[132:],
    "a data set alone": split(part10(ct()))[1],
}


@pytest.mark.parametrize("what", TOLERATED)
def test_a_wrong_or_missing_group_2_is_tolerated_where_the_data_set_can_be_read(web: Web, what: str) -> None:
    response = web.post("studies", content=TOLERATED[what], headers={"Content-Type": "application/dicom"})
    assert response.status_code in (200, 202), response.headers
    url = response.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert web.get(url, headers={"Accept": "application/dicom"}).content == TOLERATED[what]
    assert len(parts_of(web.get(f"{url}/frames/1"))) == 1


@pytest.fixture
def neighbour(stow: Stow, web: Web) -> Iterator[str]:
    """An instance that is held before, and has to be there afterwards; nothing else may be."""
    ds = ct()
    assert stow(ds).status_code == 200
    yield ds.SOPInstanceUID
    found = web.get("instances").json()
    assert [one["00080018"]["Value"] for one in found] == [[ds.SOPInstanceUID]]
    url = found[0]["00081190"]["Value"][0]
    assert web.get(url, headers={"Accept": "application/dicom"}).content == part10(ds)


@pytest.mark.parametrize("what", FILES)
def test_what_cannot_be_stored_is_refused_in_words_and_leaves_nothing(
    web: Web, archive: Application, neighbour: str, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    response = web.post("studies", content=FILES[what], headers={"Content-Type": "application/dicom"})
    assert response.status_code == 409, what
    answer = response.json()
    (item,) = (answer.get("00081198") or answer["0008119A"])["Value"]
    assert item["00081197"]["Value"][0] in (CANNOT_UNDERSTAND, TOO_LARGE)
    assert len(response.headers["warning"]) > 30
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == ["instance refused"]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert list(archive.blobs.spool_folder.iterdir()) == []
    assert len(list(archive.blobs.names("studies"))) == 1


@pytest.mark.parametrize(
    "attributes",
    [
        {"PatientName": "x" * 65_000},
        {"PatientID": "x" * 1000},
        {"PatientName": "A^B=C^D=E^F=G^H=I"},
        {"StudyDate": "yesterday"},
        {"PatientID": "../../../etc/passwd"},
        {"AccessionNumber": "'; DROP TABLE studies; --"},
        {"StudyDescription": "\x1b[31m\x00\x07"},
    ],
    ids=str,
)
def test_odd_values_are_kept_as_they_came_and_can_be_searched_past(
    stow: Stow, web: Web, attributes: dict[str, str]
) -> None:
    ds = ct(**attributes)  # type: ignore[arg-type]
    response = stow(ds)
    assert response.status_code in (200, 202), response.headers
    url = response.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert web.get(url, headers={"Accept": "application/dicom"}).content == part10(ds)
    assert web.get(f"{url}/metadata").status_code == 200
    assert len(web.get("studies?includefield=all").json()) == 1
    xml = {"Accept": 'multipart/related; type="application/dicom+xml"'}
    assert web.get(f"{url}/metadata", headers=xml).status_code == 200


def test_bytes_of_no_character_set_are_kept_and_read_as_well_as_can_be(stow: Stow, web: Web) -> None:
    ds = ct(PatientName="Deneme^" + "A" * 7)
    file = part10(ds).replace(b"A" * 7, b"\xff\xfe\xc3\x28\x80\x81\xff")
    response = web.post("studies", content=file, headers={"Content-Type": "application/dicom"})
    assert response.status_code in (200, 202)
    assert web.get("studies?PatientName=deneme*").status_code == 200
    url = response.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert web.get(url, headers={"Accept": "application/dicom"}).content == file
    assert web.get(f"{url}/metadata").status_code == 200


def test_a_path_in_an_address_reaches_no_file(web: Web, neighbour: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("top secret")
    for path in (
        "studies/..%2f..%2fsecret",
        "studies/%2e%2e/%2e%2e/secret",
        f"studies/{ROOT}.1/series/..%5c..%5csecret/instances/1.2",
        f"studies/{ROOT}.1/series/{ROOT}.1.1/instances/{neighbour}/bulkdata/../../../../../../../secret",
        f"studies/{ROOT}.1/series/{ROOT}.1.1/instances/{neighbour}/bulkdata/%2e%2e%2fsecret",
        f"studies/{ROOT}.1/series/{ROOT}.1.1/instances/{neighbour}/frames/..%2f1",
    ):
        response = web.get(path)
        assert response.status_code in (400, 404)
        assert b"top " not in response.content

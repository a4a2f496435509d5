"""`vna serve` and callers who mean it badly, over real sockets: a clear answer, nothing left, others are served."""

from __future__ import annotations

import gzip
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pydicom.data
import pytest

from tests.archives import Backend, LiveArchive, start_archive
from tests.dicomweb.builders import ROOT, STOW_TYPE, ct, part10, stow_body
from tests.dicomweb.test_live import eventually
from vna.app.http_protocol import MOST_ADDRESS, MOST_FIELDS
from vna.model.dictionary import keyword_of

IDLE = 2.0
"""Seconds that the archive waits for a caller here."""
MB = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def live(folder: Path) -> Iterator[LiveArchive]:
    archive = start_archive(Backend("sqlite+folder", folder), HTTP__NETWORK_TIMEOUT=str(IDLE))
    yield archive
    archive.stop()
    assert "request failed" not in archive.child.output()


@pytest.fixture(autouse=True)
def unharmed(live: LiveArchive, folder: Path) -> Iterator[None]:
    """Whatever is done to it, the archive answers afterwards, with the workers it had, and its spool is empty."""
    workers = {child.pid for child in psutil.Process(live.child.pid).children()}
    yield
    eventually(lambda: not list((folder / "data" / "blobs" / "spool").iterdir()))
    assert httpx.get(f"{live.dicomweb}/studies?limit=1").status_code in (200, 204)
    assert {child.pid for child in psutil.Process(live.child.pid).children()} == workers


def connection(live: LiveArchive) -> socket.socket:
    parts = urlsplit(live.http)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)


def said(sock: socket.socket) -> tuple[int, str, float]:
    """Status and message of the answer, and the seconds until the connection was closed."""
    started, received = time.monotonic(), b""
    while piece := sock.recv(65_536):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    message = json.loads(body).get("message", "") if body.startswith(b"{") else body.decode()
    return int(head.split()[1]), message, time.monotonic() - started


def exchanged(live: LiveArchive, *pieces: bytes) -> tuple[int, str, float]:
    with closing(connection(live)) as sock:
        for piece in pieces:
            sock.sendall(piece)
        return said(sock)


def head(live: LiveArchive, line: str, *fields: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", f"Host: {urlsplit(live.http).netloc}", *fields, "", ""]).encode()


# ---------------------------------------------------------------------------------------------------- long requests


@pytest.mark.claim("PS3.18-8.5/414")
@pytest.mark.parametrize("length", [MOST_ADDRESS + 1, MB, 12 * MB])
def test_an_address_that_is_too_long_is_414_in_words(live: LiveArchive, length: int) -> None:
    path = "/dicom-web/studies?PatientID="
    status, message, _ = exchanged(live, head(live, f"GET {path}{'x' * (length - len(path))}"))
    assert (status, message) == (414, f"the address is longer than {MOST_ADDRESS} bytes")


def test_an_address_as_long_as_may_be_is_answered(live: LiveArchive) -> None:
    path = "/dicom-web/studies?PatientID="
    ask = head(live, f"GET {path}{'x' * (MOST_ADDRESS - len(path))}", "Connection: close")
    assert exchanged(live, ask)[0] in (204, 400)


def test_header_fields_without_end_are_431_in_words(live: LiveArchive) -> None:
    begin = head(live, "GET /dicom-web/studies").removesuffix(b"\r\n")
    status, message, _ = exchanged(live, begin, b"X-A: " + b"a" * 1000 + b"\r\n" * 1, b"X-B: y\r\n" * 20_000)
    assert (status, message) == (431, f"the header fields are longer than {MOST_FIELDS} bytes")


def test_what_is_no_http_is_400_in_words(live: LiveArchive) -> None:
    assert exchanged(live, b"\x16\x03\x01 hello\r\n\r\n")[:2] == (400, "this is no HTTP request")


@pytest.mark.parametrize("begun", [b"", b"GET /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "])
def test_a_request_that_never_comes_is_not_waited_for(live: LiveArchive, begun: bytes) -> None:
    with closing(connection(live)) as sock:
        sock.sendall(begun)
        started = time.monotonic()
        with suppress(ConnectionResetError):
            assert sock.recv(100) == b""
        assert IDLE - 0.5 < time.monotonic() - started < IDLE + 10


@pytest.fixture(scope="module")
def keywords() -> list[str]:
    tags = (f"{group:04X}{element:04X}" for group in (0x0008, 0x0010, 0x0018) for element in range(0x10000))
    found = [keyword for tag in tags if (keyword := keyword_of(tag))]
    assert len(found) > 1000
    return found[:1000]


def test_a_thousand_fields_are_included(live: LiveArchive, keywords: list[str]) -> None:
    (study,) = stored(live, 1)
    many = "&".join(f"includefield={keyword}" for keyword in keywords)
    for path in ("studies", f"studies/{study}/instances"):
        started = time.monotonic()
        answer = httpx.get(f"{live.dicomweb}/{path}?{many}")
        assert (answer.status_code, len(answer.headers.get("warning", "")) < 1200) == (200, True)
        assert time.monotonic() - started < 10


def test_a_thousand_keys_are_matched_or_refused(live: LiveArchive, keywords: list[str]) -> None:
    stored(live, 1)
    many = "&".join(f"{keyword}=" for keyword in keywords)
    started = time.monotonic()
    assert httpx.get(f"{live.dicomweb}/instances?{many}").status_code in (200, 400)
    assert time.monotonic() - started < 10


def stored(live: LiveArchive, count: int) -> list[str]:
    """Studies that are held."""
    studies = []
    for number in range(count):
        uid = f"{ROOT}.80.{number}"
        ds = ct(StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", SOPInstanceUID=f"{uid}.1.1")
        headers = {"Content-Type": "application/dicom"}
        assert httpx.post(f"{live.dicomweb}/studies", content=part10(ds), headers=headers).status_code == 200
        studies.append(uid)
    return studies


# -------------------------------------------------------------------------------------------------- bodies that stop


def composed(content: bytes, *, pixels: bytes, kind: str = "application/dicom+json") -> tuple[bytes, str]:
    body = b"--b\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + content
    body += b"\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Location: pixels\r\n\r\n" + pixels
    return body + b"\r\n--b--\r\n", f'multipart/related; type="{kind}"; boundary=b'


def described() -> bytes:
    model = ct().to_json_dict()
    model["7FE00010"] = {"vr": "OW", "BulkDataURI": "pixels"}
    return json.dumps([model]).encode()


def plain_body() -> tuple[bytes, str]:
    return stow_body(part10(ct(frames=20, rows=512, columns=512))), STOW_TYPE


def composed_body() -> tuple[bytes, str]:
    return composed(described(), pixels=bytes(8 * MB))


@pytest.mark.claim("PS3.18-10.5.1.4/broken")
@pytest.mark.parametrize("make", [plain_body, composed_body])
@pytest.mark.parametrize("length", ["as it is", "chunked"])
def test_half_a_body_and_then_nothing_is_given_up_and_leaves_nothing(
    live: LiveArchive, folder: Path, make: Any, length: str
) -> None:
    body, kind = make()
    before = blobs(folder)
    size = f"Content-Length: {len(body)}" if length == "as it is" else "Transfer-Encoding: chunked"
    half = body[: len(body) // 2]
    if length == "chunked":
        half = f"{len(half):x}\r\n".encode() + half + b"\r\n"
    ask = head(live, "POST /dicom-web/studies", f"Content-Type: {kind}", size)
    status, message, seconds = exchanged(live, ask, half)
    assert (status, message) == (400, f"nothing of the body arrived for {IDLE:g} seconds")
    assert IDLE - 0.5 < seconds < IDLE + 10
    assert blobs(folder) == before


def blobs(folder: Path) -> set[Path]:
    return {path for path in (folder / "data" / "blobs" / "studies").rglob("*") if path.is_file()}


def test_a_content_length_that_says_too_much_is_waited_for_and_given_up(live: LiveArchive, folder: Path) -> None:
    body, before = stow_body(part10(ct())), blobs(folder)
    fields = (f"Content-Type: {STOW_TYPE}", f"Content-Length: {len(body) + 1000}")
    ask = head(live, "POST /dicom-web/studies", *fields)
    status, message, seconds = exchanged(live, ask, body)
    assert status == 202 or (status, message) == (400, f"nothing of the body arrived for {IDLE:g} seconds")
    assert seconds < IDLE + 10
    assert len(blobs(folder) - before) == (status == 202)


def test_a_content_length_that_says_too_little_cuts_the_body(live: LiveArchive, folder: Path) -> None:
    body, before = stow_body(part10(ct())), blobs(folder)
    fields = (f"Content-Type: {STOW_TYPE}", f"Content-Length: {len(body) - 500}", "Connection: close")
    status, message, _ = exchanged(live, head(live, "POST /dicom-web/studies", *fields), body)
    assert (status, "ends within part 1" in message) == (400, True)
    assert blobs(folder) == before


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "99999999999999999999999", "1, 2", ""])
def test_a_content_length_that_is_none_is_refused(live: LiveArchive, length: str) -> None:
    fields = (f"Content-Type: {STOW_TYPE}", f"Content-Length: {length}", "Connection: close")
    assert exchanged(live, head(live, "POST /dicom-web/studies", *fields), b"x")[0] in (400, 413)


# ------------------------------------------------------------------------------------------------------------- bombs


@contextmanager
def bounded(live: LiveArchive, most: int, seconds: float) -> Iterator[None]:
    """The workers take no more memory of their own than that, at any moment, and no more time."""
    processes = [psutil.Process(live.child.pid), *psutil.Process(live.child.pid).children(recursive=True)]
    before, peak, done = used(processes), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], used(processes))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    assert peak[0] - before < most, f"grew by {(peak[0] - before) // MB} MB"
    assert time.monotonic() - started < seconds


def used(processes: list[psutil.Process]) -> int:
    total = 0
    for process in processes:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            continue
        found = re.search(r"RssAnon:\s+(\d+) kB", status)
        total += int(found[1]) * 1024 if found else 0
    return total


def zeros(megabytes: int, before: bytes = b"", behind: bytes = b"") -> bytes:
    """So many of them between other bytes, in gzip: a thousandth of it."""
    return gzip.compress(before) + gzip.compress(bytes(8 * MB)) * (megabytes // 8) + gzip.compress(behind)


def bomb_in_a_file() -> tuple[bytes, str]:
    file = part10(ct())
    return zeros(2000, file[:-96] + struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OW", 2000 * MB)), "application/dicom"


def bomb_in_bulk_data() -> tuple[bytes, str]:
    body, kind = composed(described(), pixels=b"")
    at = body.index(b"\r\n--b--")
    return zeros(2000, body[:at], body[at:]), kind


def bomb_in_metadata() -> tuple[bytes, str]:
    body, kind = composed(b" ", pixels=b"")
    at = body.index(b" \r\n--b") + 1
    return zeros(2000, body[:at], body[at:]), kind


@pytest.mark.parametrize("make", [bomb_in_a_file, bomb_in_bulk_data, bomb_in_metadata])
def test_a_gzip_bomb_is_refused_with_little_memory_and_time(live: LiveArchive, folder: Path, make: Any) -> None:
    body, kind = make()
    assert len(body) < 3 * MB
    before = blobs(folder)
    with bounded(live, 150 * MB, 20):
        headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
        answer = httpx.post(f"{live.dicomweb}/studies", content=body, headers=headers, timeout=60)
    assert answer.status_code == 413, answer.text
    assert "compression" in answer.text or "metadata is larger" in answer.text
    assert blobs(folder) == before


def nested_json(depth: int, inner: str = "{}") -> bytes:
    return (b"[" + b'{"00081140":{"vr":"SQ","Value":[' * depth + inner.encode() + b"]}}" * depth) + b"]"


METADATA_BOMBS = {
    "brackets 10,000 deep": (b"[" * 10_000 + b"]" * 10_000, "application/dicom+json", "no JSON"),
    "sequences 10,000 deep": (nested_json(10_000), "application/dicom+json", "no JSON"),
    "sequences 200 deep": (nested_json(200), "application/dicom+json", "nested too deep"),
    "millions of values": (b"[" + b"{}," * 5_000_000 + b"{}]", "application/dicom+json", "values"),
    "entities of entities": (
        b"<!DOCTYPE a [<!ENTITY a0 'ha'>"
        + b"".join(b"<!ENTITY a%d '&a%d;&a%d;&a%d;&a%d;'>" % (n + 1, n, n, n, n) for n in range(40))
        + b"]><NativeDicomModel>&a40;</NativeDicomModel>",
        "application/dicom+xml",
        "metadata",
    ),
    "an entity from a file": (
        b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><NativeDicomModel>&x;</NativeDicomModel>",
        "application/dicom+xml",
        "document type",
    ),
    "elements 10,000 deep": (b"<a>" * 10_000 + b"</a>" * 10_000, "application/dicom+xml", "no XML"),
    "millions of elements": (b"<a>" + b"<b/>" * 5_000_000 + b"</a>", "application/dicom+xml", "values"),
}


@pytest.mark.claim("PS3.18-10.5.3.1/400")
@pytest.mark.parametrize("what", METADATA_BOMBS)
def test_metadata_that_is_a_bomb_is_refused_with_little_memory_and_time(live: LiveArchive, what: str) -> None:
    body, kind, words = METADATA_BOMBS[what]
    with bounded(live, 200 * MB, 20):
        headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
        content = gzip.compress(body, 1)
        answer = httpx.post(f"{live.dicomweb}/studies", content=content, headers=headers, timeout=60)
    assert answer.status_code in (400, 413), answer.text
    assert words in answer.json()["message"]


def test_a_body_of_many_parts_is_kept_in_one_file(live: LiveArchive) -> None:
    part = b"\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Location: x\r\n\r\n" + bytes(250_000)
    body = b"--b\r\nContent-Type: application/dicom+json\r\n\r\n" + described() + part * 400 + b"\r\n--b--\r\n"
    with bounded(live, 60 * MB, 30):
        headers = {"Content-Type": 'multipart/related; type="application/dicom+json"; boundary=b'}
        answer = httpx.post(f"{live.dicomweb}/studies", content=body, headers=headers, timeout=60)
    assert answer.status_code == 409
    assert "Content-Location" in answer.headers["warning"]


# ---------------------------------------------------------------------------------------------------------- decoders


def codecs(live: LiveArchive) -> list[psutil.Process]:
    children = psutil.Process(live.child.pid).children(recursive=True)
    return [child for child in children if "vna.pixels.codec_process" in child.cmdline()]


def asked_at_once(url: str, count: int) -> tuple[list[threading.Thread], list[int]]:
    found: list[int] = []

    def ask() -> None:
        try:
            found.append(httpx.get(url, timeout=90).status_code)
        except httpx.HTTPError:
            found.append(0)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, found


@pytest.mark.parametrize("below", ["rendered", "frames/1"])
def test_decoders_that_hang_and_crash_under_load_keep_nobody_else_waiting(live: LiveArchive, below: str) -> None:
    path = pydicom.data.get_testdata_file("MR_small_jp2klossless.dcm")
    headers = {"Content-Type": "application/dicom"}
    stow = httpx.post(f"{live.dicomweb}/studies", content=Path(str(path)).read_bytes(), headers=headers).json()
    packed = stow["00081199"]["Value"][0]["00081190"]["Value"][0]
    (study,) = stored(live, 1)
    plain = f"{live.dicomweb}/studies/{study}/series/{study}.1/instances/{study}.1.1"
    decoded = f"{packed}/{below}?accept=multipart/related%3Btype%3Dapplication/octet-stream"
    if below == "rendered":
        decoded = f"{packed}/{below}?quality=77"
    assert httpx.get(decoded).status_code == 200
    for codec in codecs(live):
        codec.suspend()

    threads, found = asked_at_once(decoded, 60)
    time.sleep(0.5)
    started = time.monotonic()
    for url in (f"{live.dicomweb}/studies", f"{plain}/frames/1", f"{plain}/metadata", plain, f"{live.http}/healthz"):
        assert httpx.get(url, timeout=10).status_code == 200
    assert time.monotonic() - started < 10

    while any(thread.is_alive() for thread in threads):  # those that were started since hang as well, or have answered
        for codec in codecs(live):
            if codec.status() == psutil.STATUS_STOPPED:
                codec.kill()
        time.sleep(0.05)
    assert set(found) <= {200, 500, 503}
    assert found.count(200) >= 10
    assert httpx.get(decoded).status_code == 200


def test_a_caller_that_takes_its_frames_slowly_keeps_no_decoder(live: LiveArchive) -> None:
    path = pydicom.data.get_testdata_file("MR_small_RLE.dcm")
    ds = pydicom.dcmread(str(path))
    frame = next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))
    ds.NumberOfFrames, ds.SOPInstanceUID = 4000, f"{ROOT}.81.1"
    ds.PixelData = pydicom.encaps.encapsulate([frame] * 4000)
    headers = {"Content-Type": "application/dicom"}
    stow = httpx.post(f"{live.dicomweb}/studies", content=part10(ds), headers=headers, timeout=30).json()
    url = stow["00081199"]["Value"][0]["00081190"]["Value"][0]
    accept = "Accept: multipart/related; type=application/octet-stream"
    ask = head(live, f"GET {urlsplit(url).path}/pixeldata", accept)
    slow = [connection(live) for _ in range(6)]
    try:
        for sock in slow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.sendall(ask)
        for sock in slow:
            assert sock.recv(12) == b"HTTP/1.1 200"
        started = time.monotonic()
        assert httpx.get(f"{url}/frames/7/rendered", timeout=20).status_code == 200
        assert time.monotonic() - started < 10
    finally:
        for sock in slow:
            sock.close()

"""`vna serve` and real clients: dicomweb-client, curl, and sockets that behave badly."""

from __future__ import annotations

import gzip
import http.client
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from struct import pack
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset

from tests.archives import Backend, LiveArchive, start_archive
from tests.dicomweb.builders import ROOT, STOW_TYPE, ct, part10, stow_body

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="module")
def live(folder: Path) -> Iterator[LiveArchive]:
    archive = start_archive(Backend("sqlite+folder", folder))
    yield archive
    archive.stop()


@pytest.fixture(scope="module")
def client(live: LiveArchive) -> DICOMwebClient:
    return DICOMwebClient(live.dicomweb)


def study(number: int, count: int = 1, **attributes: object) -> list[Dataset]:
    """A study of its own for each test."""
    uid = f"{ROOT}.50.{number}"
    return [
        ct(StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", InstanceNumber=one + 1, **attributes)  # type: ignore[arg-type]
        for one in range(count)
    ]


def names(ds: Dataset) -> tuple[str, str, str]:
    return ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID


def url_of(live: LiveArchive, ds: Dataset) -> str:
    return "{}/studies/{}/series/{}/instances/{}".format(live.dicomweb, *names(ds))


def partial(folder: Path, ds: Dataset) -> list[Path]:
    """What lies in the store of an object that no answer has been given for."""
    blobs = folder / "data" / "blobs"
    return [*(blobs / "spool").iterdir(), *blobs.rglob(f"{ds.SOPInstanceUID}.*")]


def eventually(check: object, seconds: float = 10.0) -> None:
    assert callable(check)
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_dicomweb_client_stores_finds_and_fetches_back(client: DICOMwebClient) -> None:
    datasets = study(1, 3, frames=2, rows=16, columns=16)
    for ds in datasets:
        part10(ds)  # gives it its group 2
    answer = client.store_instances(datasets)
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [
        ds.SOPInstanceUID for ds in datasets
    ]
    first = datasets[0]
    uids = names(first)
    found = client.search_for_studies(search_filters={"StudyInstanceUID": uids[0], "PatientName": "*deneme*"})
    assert Dataset.from_json(found[0]).NumberOfStudyRelatedInstances == 3
    assert len(client.search_for_series(uids[0])) == 1
    assert len(client.search_for_instances(uids[0], uids[1], limit=2)) == 2
    assert client.retrieve_study(uids[0]) == datasets
    assert client.retrieve_series(*uids[:2]) == datasets
    assert client.retrieve_instance(*uids) == first
    assert len(client.retrieve_study_metadata(uids[0])) == 3
    assert len(client.retrieve_series_metadata(*uids[:2])) == 3
    metadata = client.retrieve_instance_metadata(*uids)
    frames = np.frombuffer(first.PixelData, "<u2").reshape(2, -1)
    assert client.retrieve_instance_frames(*uids, frame_numbers=[2, 1]) == [frames[1].tobytes(), frames[0].tobytes()]
    assert client.retrieve_bulkdata(metadata["7FE00010"]["BulkDataURI"]) == [first.PixelData]


def test_dicomweb_client_is_told_what_is_not_there(client: DICOMwebClient) -> None:
    with pytest.raises(Exception, match="404"):
        client.retrieve_study("1.2.3")
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []


def curl(*arguments: str) -> bytes:
    return subprocess.run(["curl", "-sS", *arguments], check=True, capture_output=True, timeout=60).stdout


def test_curl_stores_and_fetches_one_instance(live: LiveArchive, tmp_path: Path) -> None:
    (ds,) = study(2, rows=1024, columns=1024)  # long enough for curl to ask first: Expect: 100-continue
    file = tmp_path / "one.dcm"
    file.write_bytes(part10(ds))
    stored = curl(
        "-H",
        "Content-Type: application/dicom",
        "--data-binary",
        f"@{file}",
        "-w",
        "%{http_code}",
        f"{live.dicomweb}/studies",
    )
    assert stored.endswith(b"200")
    assert curl("-H", "Accept: application/dicom", url_of(live, ds)) == file.read_bytes()
    packed = tmp_path / "one.dcm.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    headers = ("-H", "Content-Type: application/dicom", "-H", "Content-Encoding: gzip")
    again = curl(*headers, "--data-binary", f"@{packed}", "-w", "%{http_code}", f"{live.dicomweb}/studies")
    assert again.endswith(b"200")
    head = curl("-I", "-H", "Accept: application/dicom", url_of(live, ds)).decode().lower()
    assert f"content-length: {file.stat().st_size}" in head
    assert curl("-w", "%{http_code}", "-o", "/dev/null", f"{live.dicomweb}/studies/x") == b"400"


def connection(live: LiveArchive) -> socket.socket:
    parts = urlsplit(live.http)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)


def stow_head(live: LiveArchive, length: int | str) -> bytes:
    host = urlsplit(live.http).netloc
    size = f"Content-Length: {length}" if isinstance(length, int) else f"Transfer-Encoding: {length}"
    return f"POST /dicom-web/studies HTTP/1.1\r\nHost: {host}\r\nContent-Type: {STOW_TYPE}\r\n{size}\r\n\r\n".encode()


@pytest.mark.claim("PS3.18-10.5.1.4/broken")
@pytest.mark.parametrize("cut", [0.6, 0.999])
def test_a_client_that_goes_away_leaves_nothing_behind(live: LiveArchive, folder: Path, cut: float) -> None:
    (ds,) = study(3, frames=20, rows=512, columns=512)
    body = stow_body(part10(ds))
    with closing(connection(live)) as sock:
        sock.sendall(stow_head(live, len(body)) + body[: int(len(body) * cut)])
        eventually(lambda: partial(folder, ds))
    eventually(lambda: not partial(folder, ds))
    assert httpx.get(url_of(live, ds)).status_code == 404


@pytest.mark.claim("PS3.18-8.1.1")
def test_a_chunked_body_is_taken_and_a_broken_one_is_not(live: LiveArchive) -> None:
    (ds,) = study(4)
    body = stow_body(part10(ds))

    def pieces() -> Iterator[bytes]:
        for at in range(0, len(body), 100):
            yield body[at : at + 100]

    response = httpx.post(f"{live.dicomweb}/studies", content=pieces(), headers={"Content-Type": STOW_TYPE})
    assert response.status_code == 200
    with closing(connection(live)) as sock:
        sock.sendall(stow_head(live, "chunked") + b"zz\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 400")


def test_slow_readers_do_not_keep_others_waiting(live: LiveArchive) -> None:
    (ds,) = study(5, frames=60, rows=512, columns=512)
    assert httpx.post(
        f"{live.dicomweb}/studies", content=part10(ds), headers={"Content-Type": "application/dicom"}, timeout=30
    ).is_success
    host = urlsplit(live.http).netloc
    ask = (
        f"GET {urlsplit(url_of(live, ds)).path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/dicom\r\n\r\n".encode()
    )
    slow = [connection(live) for _ in range(60)]  # more than there are threads
    try:
        for sock in slow:
            sock.sendall(ask)
        for sock in slow:
            assert sock.recv(12) == b"HTTP/1.1 200"
        started = time.monotonic()
        for _ in range(5):
            assert httpx.get(f"{live.dicomweb}/studies?limit=1").status_code == 200
        assert time.monotonic() - started < 5
    finally:
        for sock in slow:
            sock.close()
    assert httpx.get(url_of(live, ds), headers={"Accept": "application/dicom"}).content == part10(ds)


@pytest.mark.claim("PS3.18-8.4.3")
def test_half_an_instance_is_never_passed_off_as_the_whole(live: LiveArchive, folder: Path) -> None:
    datasets = study(6, count=2, frames=40, rows=512, columns=512)
    for ds in datasets:
        headers = {"Content-Type": "application/dicom"}
        assert httpx.post(f"{live.dicomweb}/studies", content=part10(ds), headers=headers, timeout=30).is_success
    cut = datasets[1]
    (blob,) = (folder / "data" / "blobs" / "studies").rglob(f"{cut.SOPInstanceUID}*")
    with blob.open("r+b") as file:
        file.truncate(blob.stat().st_size - 5 * MEGABYTE)
    told = httpx.get(url_of(live, cut))
    assert told.status_code == 500
    assert told.json()["message"].startswith("what is kept of the instance is gone or cut")
    assert "a stored object is gone or cut" in live.child.output()
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{live.dicomweb}/studies/{cut.StudyInstanceUID}")
    assert live.child.output().count("answer broken off") == 1


def test_files_are_sent_bit_for_bit_to_readers_of_every_pace(live: LiveArchive) -> None:
    (ds,) = study(61, frames=24, rows=512, columns=512)
    pixels = np.random.default_rng(1).bytes(24 * 512 * 512 * 2)
    ds.PixelData = pixels
    body = part10(ds)
    headers = {"Content-Type": "application/dicom"}
    assert httpx.post(f"{live.dicomweb}/studies", content=body, headers=headers, timeout=30).is_success
    address = urlsplit(url_of(live, ds))
    for pause in (0.0, 0.02):
        assert _slowly(address.port or 0, f"{address.path}", "Accept: application/dicom", pause) == body
        assert (
            _slowly(address.port or 0, f"{address.path}/frames/7", "Accept: application/octet-stream", pause)
            == (pixels[6 * 512 * 512 * 2 : 7 * 512 * 512 * 2])
        )


def test_readers_who_go_away_in_the_middle_of_a_file_leave_nothing_open(live: LiveArchive) -> None:
    (ds,) = study(62, frames=40, rows=512, columns=512)
    headers = {"Content-Type": "application/dicom"}
    assert httpx.post(f"{live.dicomweb}/studies", content=part10(ds), headers=headers, timeout=30).is_success
    address = urlsplit(url_of(live, ds))
    workers = psutil.Process(live.child.pid).children(recursive=True)

    def held() -> int:
        return sum(ds.SOPInstanceUID in file.path for one in workers for file in one.open_files())

    for _ in range(20):
        with closing(socket.create_connection(("127.0.0.1", address.port or 0))) as caller:
            caller.sendall(
                f"GET {address.path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/dicom\r\n\r\n".encode()
            )
            assert caller.recv(1000)
    eventually(lambda: held() == 0)
    assert "Traceback" not in live.child.output()


def test_callers_who_go_away_with_more_requests_than_answers_are_no_error(live: LiveArchive) -> None:
    (ds,) = study(63, frames=4, rows=512, columns=512)
    headers = {"Content-Type": "application/dicom"}
    assert httpx.post(f"{live.dicomweb}/studies", content=part10(ds), headers=headers, timeout=30).is_success
    address = urlsplit(url_of(live, ds))
    fields = "HTTP/1.1\r\nHost: localhost\r\nAccept: application/octet-stream, application/json\r\n\r\n"
    asked = f"GET {address.path}/frames/1 {fields}GET {address.path}/metadata {fields}".encode() * 4
    before = live.child.output().count("Exception in ASGI application")
    for number in range(100):
        with closing(socket.socket()) as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.connect(("127.0.0.1", address.port or 0))
            caller.sendall(asked)
            time.sleep(number % 3 * 0.003)
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))  # closed by a reset
    assert httpx.get(f"{url_of(live, ds)}/metadata").is_success
    time.sleep(0.5)
    assert live.child.output().count("Exception in ASGI application") == before


def _slowly(port: int, path: str, field: str, pause: float) -> bytes:
    """The body of an answer, read with pauses into a small buffer."""
    with closing(socket.socket()) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        caller.connect(("127.0.0.1", port))
        caller.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{field}\r\nConnection: close\r\n\r\n".encode())
        received = bytearray()
        while piece := caller.recv(1 << 20):
            received += piece
            time.sleep(pause)
    return bytes(received.partition(b"\r\n\r\n")[2])


@contextmanager
def peak_memory(live: LiveArchive) -> Iterator[list[int]]:
    """Growth of what the workers hold in memory of their own, in bytes, in a list when the block has ended."""
    pids = [child.pid for child in psutil.Process(live.child.pid).children(recursive=True)]
    before = {pid: _anonymous(pid) for pid in pids}
    growth = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            growth[0] = max(growth[0], *(_anonymous(pid) - before[pid] for pid in pids))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield growth
    finally:
        done.set()
        thread.join()


def _anonymous(pid: int) -> int:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def test_memory_does_not_grow_with_the_instance(live: LiveArchive) -> None:
    (ds,) = study(7, frames=320, rows=512, columns=512)  # 160 MiB
    body = part10(ds)
    parts = urlsplit(live.http)
    with peak_memory(live) as growth:
        with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)) as sender:
            sender.request("POST", "/dicom-web/studies", BytesIO(stow_body(body)), {"Content-Type": STOW_TYPE})
            with sender.getresponse() as response:
                assert response.status == 200
        for path in (url_of(live, ds), url_of(live, ds) + "/bulkdata/7FE00010"):
            with httpx.stream("GET", path, timeout=60) as answer:
                assert sum(map(len, answer.iter_bytes())) >= 160 * MEGABYTE
        frames = ",".join(map(str, range(1, 321)))
        with httpx.stream("GET", f"{url_of(live, ds)}/frames/{frames}", timeout=60) as answer:
            assert sum(map(len, answer.iter_bytes())) >= 160 * MEGABYTE
    assert growth[0] < 60 * MEGABYTE


def test_a_stored_file_is_read_by_pydicom_as_it_was_written(live: LiveArchive) -> None:
    (ds,) = study(8, PatientComments="Şişli")
    headers = {"Content-Type": "application/dicom"}
    assert httpx.post(f"{live.dicomweb}/studies", content=part10(ds), headers=headers).is_success
    answer = httpx.get(url_of(live, ds), headers={"Accept": "application/dicom"})
    assert pydicom.dcmread(BytesIO(answer.content)) == ds


@pytest.mark.claim("PS3.18-8.5/414")
def test_a_query_of_a_megabyte_is_refused_or_answered(live: LiveArchive) -> None:
    (one,) = study(77)
    body, headers = stow_body(part10(one)), {"Content-Type": STOW_TYPE}
    assert httpx.post(f"{live.dicomweb}/studies", content=body, headers=headers).status_code == 200
    uids = ",".join([one.StudyInstanceUID, *(f"1.9.{number}" for number in range(110_000))])
    parts = urlsplit(live.dicomweb)
    assert parts.hostname
    with closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)) as connection:
        connection.request("GET", f"{parts.path}/studies?StudyInstanceUID={uids}", headers={"Accept": "*/*"})
        response = connection.getresponse()
        body = response.read()
    assert response.status in (200, 400, 414), body[:200]
    assert httpx.get(f"{live.dicomweb}/studies?StudyInstanceUID={one.StudyInstanceUID}").status_code == 200

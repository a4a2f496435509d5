"""Memory does not grow with the size of an instance: 1 GB goes in and out of every door."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from pydicom.uid import generate_uid

from tests.archives import Backend, LiveArchive, start_archive
from tests.objects import ct, part10
from tests.peers.dcmtk import run_dcmtk, start_storescp
from tests.peers.processes import need_isolation

MB = 1 << 20
FRAME = 1024 * 1024 * 2
FRAMES = 512
MOST_GROWTH = 100 * MB


@pytest.fixture(scope="module")
def giant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A multi-frame instance of 1 GB, written without holding it."""
    ds = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.7.3", NumberOfFrames=FRAMES, SeriesInstanceUID=generate_uid())
    ds.Rows = ds.Columns = 1024
    ds.PixelData = b""
    head = part10(ds)
    assert head.endswith(b"\xe0\x7f\x10\x00OW\x00\x00\x00\x00\x00\x00")
    path = tmp_path_factory.mktemp("giant") / "giant.dcm"
    with path.open("wb") as file:
        file.write(head[:-4] + (FRAME * FRAMES).to_bytes(4, "little"))
        for number in range(FRAMES):
            file.write(hashlib.sha256(str(number).encode()).digest() * (FRAME // 32))
    yield path
    path.unlink()


@contextmanager
def bounded_growth(live: LiveArchive) -> Iterator[None]:
    """All processes of the archive together take less than 100 MB more, at any moment (looked at every 20 ms)."""
    before, peak, stop = _used(live), [0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            peak[0] = max(peak[0], _used(live))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
    assert peak[0] > 0
    assert peak[0] - before < MOST_GROWTH, f"grew by {(peak[0] - before) // MB} MB"


def _used(live: LiveArchive) -> int:
    parent = psutil.Process(live.child.pid)
    total = 0
    for process in [parent, *parent.children(recursive=True)]:
        try:
            total += _anonymous(process.pid)
        except (OSError, psutil.NoSuchProcess):
            continue
    return total


def _settle(live: LiveArchive) -> None:
    """Workers still load their modules when the doors begin to listen: wait until they have and nothing grows."""
    httpx.get(f"{live.dicomweb}/instances", timeout=60)
    assert run_dcmtk("echoscu", "127.0.0.1", live.dimse_port).returncode == 0
    last, calm = 0, 0
    while calm < 10:
        now = _used(live)
        calm = calm + 1 if abs(now - last) < MB else 0
        last = now
        time.sleep(0.2)


def _anonymous(pid: int) -> int:
    """Memory of its own: mapped files are the kernel's to drop."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveArchive]:
    archive = start_archive(Backend("sqlite+folder", tmp_path))
    _settle(archive)
    yield archive
    archive.stop()


def test_a_gigabyte_goes_through_every_door_in_flat_memory(live: LiveArchive, giant: Path, tmp_path: Path) -> None:
    need_isolation("storescp")
    with bounded_growth(live):
        assert run_dcmtk("storescu", "127.0.0.1", live.dimse_port, giant, timeout=300).returncode == 0
    (found,) = httpx.get(f"{live.dicomweb}/instances").json()
    url = found["00081190"]["Value"][0]
    study = found["0020000D"]["Value"][0]

    digest = hashlib.sha256()
    with bounded_growth(live), httpx.stream("GET", url, headers={"Accept": "application/dicom"}, timeout=300) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_bytes(MB):
            digest.update(piece)
    (blob,) = (live_blob for live_blob in (tmp_path / "data" / "blobs" / "studies").rglob("*.dcm"))
    assert digest.hexdigest() == _digest(blob)

    got = tmp_path / "got"
    got.mkdir()
    with bounded_growth(live):
        said = run_dcmtk(
            *("getscu", "+B", "-S", "-od", got, "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"),
            *("127.0.0.1", live.dimse_port),
            timeout=300,
        )
        assert said.returncode == 0, said.stdout
    (received,) = got.iterdir()
    assert received.stat().st_size > FRAME * FRAMES
    received.unlink()

    scp = start_storescp(got)
    try:
        assert live.vna("ae", "add", scp.ae_title, "--host", "127.0.0.1", "--port", str(scp.port)).returncode == 0
        time.sleep(2.5)
        with bounded_growth(live):
            said = run_dcmtk(
                *("movescu", "-S", "-aem", scp.ae_title, "-k", "QueryRetrieveLevel=STUDY"),
                *("-k", f"StudyInstanceUID={study}", "127.0.0.1", live.dimse_port),
                timeout=300,
            )
            assert said.returncode == 0, said.stdout
        (received,) = scp.files()
        assert received.stat().st_size > FRAME * FRAMES
    finally:
        scp.stop()

    with bounded_growth(live):
        kind = 'multipart/related; type="application/dicom"; boundary=b'

        def body() -> Iterator[bytes]:
            yield b"--b\r\nContent-Type: application/dicom\r\n\r\n"
            with giant.open("rb") as file:
                while piece := file.read(MB):
                    yield piece
            yield b"\r\n--b--\r\n"

        again = httpx.post(f"{live.dicomweb}/studies", content=body(), headers={"Content-Type": kind}, timeout=300)
        assert again.status_code == 200, again.text


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

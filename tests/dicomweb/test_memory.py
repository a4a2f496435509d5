"""An instance of 2,000 frames goes out in every way, and no process holds more than a few of its frames."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from tests.archives import Backend, LiveArchive, start_archive
from tests.objects import ct, part10
from vna.model import transfer_syntaxes as ts

FRAMES, SIDE = 2000, 128
MB = 1 << 20
WHOLE = FRAMES * SIDE * SIDE * 2
"""62 MB of pixels; kept or made in memory they would show."""
MOST = 25 * MB
MOST_INFLATED = 40 * MB
"""A deflated data set is taken out of its compression in memory up to 16 MiB, and then in a file."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    archive = start_archive(Backend("sqlite+folder", tmp_path_factory.mktemp("memory")))
    yield archive
    archive.stop()


@pytest.fixture(scope="module")
def pixels() -> bytes:
    """Noisy enough that no compression makes them small."""
    first = np.random.default_rng(7).integers(0, 4096, (SIDE, SIDE))
    return b"".join(((first + number) & 4095).astype("<u2").tobytes() for number in range(FRAMES))


@pytest.fixture(scope="module")
def kept(live: LiveArchive, pixels: bytes) -> dict[str, str]:
    """Addresses of the instance by the syntax that it is kept in, asked for in every way once."""
    urls = {}
    for syntax in (ts.EXPLICIT_LE, ts.EXPLICIT_BE, ts.DEFLATED_LE):
        ds = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.7.3", NumberOfFrames=FRAMES, BitsStored=12, HighBit=11)
        ds.Rows = ds.Columns = SIDE
        ds.PixelData = pixels
        ds["PixelData"].VR = "OW"
        headers = {"Content-Type": "application/dicom"}
        answer = httpx.post(f"{live.dicomweb}/studies", content=part10(ds, syntax), headers=headers, timeout=120)
        urls[syntax] = answer.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    (url, *_) = urls.values()
    for below, accept in (("/frames/1/rendered", "image/gif"), ("/frames/1/rendered", "image/png"), ("/frames/1", RLE)):
        assert httpx.get(url + below, headers={"Accept": accept}).status_code == 200
    time.sleep(0.5)
    return urls


def private(pid: int) -> int:
    try:
        found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


@contextmanager
def flat(live: LiveArchive, most: int = MOST) -> Iterator[None]:
    """No process of the archive takes more than that at any moment (looked at every 10 ms)."""
    parent = psutil.Process(live.child.pid)
    before = {process.pid: private(process.pid) for process in [parent, *parent.children(recursive=True)]}
    growth, done = dict.fromkeys(before, 0), threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            for pid in growth:
                growth[pid] = max(growth[pid], private(pid) - before[pid])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    assert max(growth.values()) < most, {pid: f"{grown // MB} MB" for pid, grown in growth.items()}


RLE = 'multipart/related; type="image/dicom-rle"'
EVERY = ",".join(map(str, range(1, FRAMES + 1)))
WAYS = {
    "as stored": ("", "application/dicom; transfer-syntax=*", WHOLE // 2),
    "in RLE": ("", f"application/dicom; transfer-syntax={ts.RLE}", WHOLE // 2),
    "in Explicit VR Little Endian": ("", f"application/dicom; transfer-syntax={ts.EXPLICIT_LE}", WHOLE),
    "as ZIP": ("", "application/zip", WHOLE // 2),
    "frames": (f"/frames/{EVERY}", "*/*", WHOLE),
    "frames in RLE": (f"/frames/{EVERY}", RLE, WHOLE // 2),
    "pixel data": ("/pixeldata", "*/*", WHOLE),
    "bulk data": ("/bulkdata/7FE00010", "application/octet-stream", WHOLE),
    "every bulk data": ("/bulkdata", "*/*", WHOLE),
    "an animation": ("/rendered", "image/gif", WHOLE // 4),
    "pictures": ("/rendered", 'multipart/related; type="image/jpeg"', WHOLE // 20),
}


@pytest.mark.parametrize("way", WAYS)
def test_memory_is_flat_whatever_is_asked_of_two_thousand_frames(
    live: LiveArchive, kept: dict[str, str], way: str
) -> None:
    below, accept, least = WAYS[way]
    with flat(live):
        assert size_of(kept[ts.EXPLICIT_LE] + below, accept) >= least


@pytest.mark.parametrize("way", ["as stored", "frames", "bulk data"])
@pytest.mark.parametrize("syntax", [ts.EXPLICIT_BE, ts.DEFLATED_LE])
def test_memory_is_flat_for_syntaxes_that_have_to_be_turned(
    live: LiveArchive, kept: dict[str, str], syntax: str, way: str
) -> None:
    below, accept, least = WAYS[way]
    with flat(live, MOST_INFLATED if syntax == ts.DEFLATED_LE else MOST):
        assert size_of(kept[syntax] + below, accept) >= least


def size_of(url: str, accept: str) -> int:
    with httpx.stream("GET", url, headers={"Accept": accept}, timeout=120) as answer:
        assert answer.status_code == 200
        return sum(map(len, answer.iter_raw()))

"""Things that break: a worker, the database, the disk. Each gets a clear answer, and nothing stored is harmed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydicom.uid import generate_uid
from pynetdicom import AE

from tests.archives import Backend, LiveArchive, make_backend, start_archive
from tests.objects import ct, part10
from tests.peers.dcmtk import run_dcmtk
from tests.peers.postgres import PostgresServer
from tests.peers.processes import wait_for

CT = "1.2.840.10008.5.1.4.1.1.2"


def _store(live: LiveArchive, data_bytes: int = 512) -> int:
    """The status of one C-STORE, on an association of its own."""
    ae = AE(ae_title="STORER")
    ae.add_requested_context(CT)
    assoc = ae.associate("127.0.0.1", live.dimse_port)
    assert assoc.is_established
    ds = ct(StudyInstanceUID=generate_uid(), PixelData=os.urandom(data_bytes))
    part10(ds)
    status = assoc.send_c_store(ds)
    assoc.release()
    return int(status.Status)


def _stow(live: LiveArchive, data_bytes: int = 512) -> int:
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part10(ct(PixelData=os.urandom(data_bytes)))
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    answer = httpx.post(
        f"{live.dicomweb}/studies", content=body + b"\r\n--b--\r\n", headers={"Content-Type": kind}, timeout=60
    )
    return answer.status_code


def _workers(live: LiveArchive, kind: str) -> list[int]:
    return [int(pid) for pid in re.findall(rf"worker started.*?{kind}\D+(\d+)", live.child.output())]


@pytest.mark.parametrize("kind", ["dimse", "http", "jobs"])
def test_a_dead_worker_is_replaced(kind: str, tmp_path: Path) -> None:
    live = start_archive(Backend("sqlite+folder", tmp_path))
    try:
        before = _workers(live, kind)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: len(_workers(live, kind)) == 2 * len(before), what="new workers", timeout=20)

        assert run_dcmtk("echoscu", "127.0.0.1", live.dimse_port).returncode == 0
        assert _store(live) == 0x0000
        assert _stow(live) == 200
        assert f'vna_worker_deaths_total{{kind="{kind}"}}' in httpx.get(f"{live.http}/metrics").text
    finally:
        live.stop()


def test_a_database_that_is_down_refuses_stores_and_is_missed_no_longer_than_it_is_down(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    live = start_archive(make_backend("postgresql+seaweedfs", request, tmp_path))
    try:
        assert _store(live) == 0x0000
        postgres_server.stop()
        try:
            assert _store(live) not in (0x0000, 0xB000)
            assert _stow(live) == 503
            assert httpx.get(f"{live.http}/readyz", timeout=60).status_code == 503
        finally:
            postgres_server.start()

        assert _store(live) == 0x0000
        assert _stow(live) == 200
        assert live.vna("verify").returncode == 0
    finally:
        live.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "vna-test", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system needs root")
    yield folder
    for _ in range(50):
        if subprocess.run(["umount", folder], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError("the small file system is still in use")


def test_a_full_disk_answers_a700_and_507_and_what_is_held_stays_sound(tmp_path: Path, small_disk: Path) -> None:
    live = start_archive(Backend("sqlite+folder", tmp_path), STORAGE__URL=small_disk.as_uri())
    try:
        statuses = [_store(live, 2 << 20) for _ in range(12)]
        assert statuses[0] == 0x0000
        assert set(statuses) == {0x0000, 0xA700}
        assert _stow(live, 4 << 20) == 507
        held = httpx.get(f"{live.dicomweb}/instances").json()
        assert len(held) == statuses.count(0x0000)
        accept = {"Accept": "application/dicom"}
        for item in held:
            assert httpx.get(item["00081190"]["Value"][0], headers=accept).status_code == 200
        said = live.vna("verify")
        assert said.returncode == 0, said.stdout
    finally:
        live.stop()


def test_two_thousand_associations_at_once_leave_the_archive_well(tmp_path: Path) -> None:
    import socket

    live = start_archive(Backend("sqlite+folder", tmp_path), DIMSE__MAX_ASSOCIATIONS="50")
    opened: list[socket.socket] = []
    try:
        address = ("127.0.0.1", live.dimse_port)
        opened.extend(socket.create_connection(address, timeout=10) for _ in range(2000))
        # In a process of its own: pynetdicom leaves the socket of a refused association to the garbage collector.
        assert run_dcmtk("echoscu", "127.0.0.1", live.dimse_port).returncode != 0
    finally:
        for sock in opened:
            sock.close()
    try:
        wait_for(
            lambda: run_dcmtk("echoscu", "127.0.0.1", live.dimse_port).returncode == 0,
            what="an association",
            timeout=20,
        )
        assert _store(live) == 0x0000
    finally:
        live.stop()

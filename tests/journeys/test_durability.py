"""What was answered with success survives: kill -9 at random moments, and the order of sync and answer."""

from __future__ import annotations

import random
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pydicom.uid import generate_uid
from pynetdicom import AE

from tests.archives import BACKENDS, Backend, LiveArchive, make_backend, start_archive
from tests.objects import ct, part10
from tests.peers.dcmtk import run_dcmtk
from tests.peers.processes import start

CT = "1.2.840.10008.5.1.4.1.1.2"


def _keep_storing(live: LiveArchive, acknowledged: list[str], stop: threading.Event) -> None:
    """One association after another; notes what was answered 0000H."""
    study, series = generate_uid(), generate_uid()
    while not stop.is_set():
        ae = AE(ae_title="STORER")
        ae.add_requested_context(CT)
        ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = 5
        assoc = ae.associate("127.0.0.1", live.dimse_port)
        while assoc.is_established and not stop.is_set():
            ds = ct(StudyInstanceUID=study, SeriesInstanceUID=series, PixelData=random.randbytes(512) * 64)
            ds.Rows = ds.Columns = 128
            part10(ds)
            try:
                status = assoc.send_c_store(ds)
            except (RuntimeError, ValueError):
                break
            if "Status" in status and status.Status == 0x0000:
                acknowledged.append(str(ds.SOPInstanceUID))
        if assoc.is_established:
            assoc.release()
        else:
            stop.wait(0.05)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BACKENDS)
def test_everything_answered_with_success_is_there_after_kill_9(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    backend = make_backend(name, request, tmp_path)
    acknowledged: list[str] = []
    rounds = 3
    for number in range(rounds):
        live = start_archive(backend)
        stop = threading.Event()
        threads = [threading.Thread(target=_keep_storing, args=(live, acknowledged, stop)) for _ in range(3)]
        for thread in threads:
            thread.start()
        before = len(acknowledged)
        while len(acknowledged) < before + 10:
            time.sleep(0.01)
        time.sleep(random.uniform(0.0, 1.0))
        live.kill()
        stop.set()
        for thread in threads:
            thread.join()
        assert len(acknowledged) > before, f"round {number} stored nothing"

    live = start_archive(backend)
    try:
        found = httpx.get(f"{live.dicomweb}/instances", params={"limit": "10000"}, timeout=60).json()
        assert set(acknowledged) <= {item["00080018"]["Value"][0] for item in found}
        said = live.vna("verify")
        assert said.returncode == 0, said.stdout + said.stderr
    finally:
        live.stop()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_file_folder_and_wal_are_synced_before_the_success_response(tmp_path: Path) -> None:
    """kill -9 cannot show a missing fsync, as the page cache survives it: the system calls can."""
    backend = Backend("sqlite+folder", tmp_path)
    trace = tmp_path / "trace"
    live = start_archive(backend, DIMSE__WORKERS="1")
    found = re.search(r"worker started.*?dimse\D+(\d+)", live.child.output())
    assert found is not None
    calls = "trace=fsync,fdatasync,sendto,sendmsg"
    tracer = start(
        ["strace", "-f", "-y", "-s", "200", "-x", "-e", calls, "-o", trace, "-p", found[1]], log=tmp_path / "strace.log"
    )
    tracer.wait_until(lambda: "attached" in tracer.output())
    file = tmp_path / "one.dcm"
    ds = ct()
    file.write_bytes(part10(ds))
    try:
        assert run_dcmtk("storescu", "127.0.0.1", live.dimse_port, file).returncode == 0
    finally:
        tracer.stop(signal.SIGINT)
        live.stop()
    lines = trace.read_text(errors="replace").splitlines()
    uid = str(ds.SOPInstanceUID)
    response = _first(lines, lambda line: ("sendto(" in line or "sendmsg(" in line) and _has_store_response(line))
    synced_file = _first(lines, lambda line: "sync(" in line and uid in line)
    synced_folder = _first(lines, lambda line: "fsync(" in line and str(ds.SeriesInstanceUID) + ">" in line)
    parents = [
        line
        for line in lines[:response]
        if "fsync(" in line and re.search(r"/studies(/[0-9a-f]{2}(/[0-9.]+)?)?>", line)
    ]
    synced_wal = _first(lines, lambda line: "sync(" in line and "index.sqlite-wal" in line, after=synced_file)
    assert synced_file < synced_folder < synced_wal < response
    assert len(parents) >= 3, "the new folders above were not synced"


def _has_store_response(line: str) -> bool:
    """(0000,0100) Command Field US = 8001H in an implicit little endian command set."""
    return r"\x00\x00\x00\x01\x02\x00\x00\x00\x01\x80" in line


def _first(lines: list[str], wanted: Callable[[str], bool], *, after: int = -1) -> int:
    for number, line in enumerate(lines):
        if number > after and wanted(line):
            return number
    raise AssertionError("no such system call")

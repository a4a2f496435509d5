"""Acknowledged from the spool: nothing is lost or torn while the object store is away and processes are killed."""

from __future__ import annotations

import random
import re
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydicom.uid import generate_uid

from tests.archives import Backend, LiveArchive, new_index, start_archive
from tests.journeys.test_durability import _first, _has_store_response, _keep_storing
from tests.objects import ct, part10
from tests.peers.dcmtk import run_dcmtk
from tests.peers.processes import free_port, start, wait_for
from tests.peers.seaweedfs import SeaweedFS


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """One of our own, that is stopped and started."""
    server = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def spooling(store: SeaweedFS, request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """PostgreSQL and an object store behind a spool."""
    return Backend("postgresql+seaweedfs", tmp_path, _environment(store, new_index(request), store.new_bucket()))


def _environment(store: SeaweedFS, database: str, bucket: str) -> dict[str, str]:
    return {"VNA_DATABASE__URL": database, **store.environment(bucket), "VNA_STORAGE__ACKNOWLEDGE": "spool"}


def _send(live: LiveArchive, folder: Path, count: int) -> list[str]:
    """A study of so many images; their SOP Instance UIDs."""
    study, series, uids = generate_uid(), generate_uid(), []
    folder.mkdir(exist_ok=True)
    for number in range(count):
        ds = ct(StudyInstanceUID=study, SeriesInstanceUID=series, PixelData=random.randbytes(512) * 640)
        ds.Rows, ds.Columns = 640, 256
        (folder / f"{series}-{number}.dcm").write_bytes(part10(ds))
        uids.append(str(ds.SOPInstanceUID))
    said = run_dcmtk("storescu", "127.0.0.1", live.dimse_port, *sorted(folder.glob(f"{series}-*")))
    assert said.returncode == 0, said.stdout + said.stderr
    return uids


def _waiting(backend: Backend) -> list[Path]:
    return list((backend.folder / "data" / "waiting" / "objects").glob("*/studies*"))


def _found(live: LiveArchive) -> set[str]:
    found = httpx.get(f"{live.dicomweb}/instances", params={"limit": "10000"}, timeout=60).json()
    return {item["00080018"]["Value"][0] for item in found}


_AS_STORED = {"Accept": 'application/dicom; transfer-syntax="*"'}


def _address(live: LiveArchive, uid: str) -> str:
    found = httpx.get(f"{live.dicomweb}/instances", params={"SOPInstanceUID": uid}, timeout=60).json()
    study, series = (found[0][tag]["Value"][0] for tag in ("0020000D", "0020000E"))
    return f"{live.dicomweb}/studies/{study}/series/{series}/instances/{uid}"


def _read(live: LiveArchive, uid: str) -> int:
    """Bytes of an instance over WADO-RS."""
    answer = httpx.get(_address(live, uid), headers=_AS_STORED, timeout=60)
    assert answer.status_code == httpx.codes.OK, answer.text
    return len(answer.content)


def test_a_burst_is_acknowledged_while_the_object_store_is_stopped_and_drained_afterwards(
    spooling: Backend, store: SeaweedFS, tmp_path: Path
) -> None:
    live = start_archive(spooling)
    try:
        store.stop()
        sent = _send(live, tmp_path / "sent", 20)
        assert len(_waiting(spooling)) == 20
        assert _read(live, sent[0]) > 300_000
        assert httpx.get(f"{live.http}/readyz", timeout=30).status_code == httpx.codes.OK
        store.start()
        wait_for(lambda: not _waiting(spooling), what="an empty spool", timeout=60)
        assert _read(live, sent[-1]) > 300_000
        said = live.vna("verify")
        assert said.returncode == 0, said.stdout + said.stderr
    finally:
        live.stop()


@pytest.mark.filterwarnings("ignore")
def test_after_kill_9_amid_a_burst_and_its_uploads_nothing_acknowledged_is_lost_and_nothing_is_torn(
    spooling: Backend, store: SeaweedFS
) -> None:
    acknowledged: list[str] = []
    for _ in range(3):
        live = start_archive(spooling)
        stop = threading.Event()
        threads = [threading.Thread(target=_keep_storing, args=(live, acknowledged, stop)) for _ in range(3)]
        for thread in threads:
            thread.start()
        before = len(acknowledged)
        wait_for(lambda: len(acknowledged) > before + 20, what="some stores")  # noqa: B023
        time.sleep(random.uniform(0.0, 0.7))
        live.kill()
        stop.set()
        for thread in threads:
            thread.join()
    live = start_archive(spooling)
    try:
        assert set(acknowledged) <= _found(live)
        wait_for(lambda: not _waiting(spooling), what="an empty spool", timeout=60)
        said = live.vna("verify")
        assert said.returncode == 0, said.stdout + said.stderr
        assert not list((spooling.folder / "data" / "waiting" / "aside").iterdir())
    finally:
        live.stop()


def test_a_node_gives_what_waits_in_the_spool_of_another_and_says_to_try_again_when_that_one_is_away(
    store: SeaweedFS, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    shared = _environment(store, new_index(request), store.new_bucket()) | {"VNA_NODE__SECRET": "not so secret at all"}
    backends, lives, ports = {}, {}, {name: free_port() for name in "ab"}
    for name, port in ports.items():
        own = {"VNA_NODE__NAME": name, "VNA_NODE__URL": f"http://127.0.0.1:{port}", "VNA_HTTP__PORT": str(port)}
        (tmp_path / name).mkdir()
        backends[name] = Backend("postgresql+seaweedfs", tmp_path / name, shared | own)
        lives[name] = start_archive(backends[name], HTTP__PORT=str(port))
    try:
        store.stop()
        sent = _send(lives["a"], tmp_path / "sent", 3)
        assert len(_waiting(backends["a"])) == 3
        assert _read(lives["b"], sent[0]) > 300_000  # while the object store is away
        store.start()
        wait_for(lambda: not _waiting(backends["a"]), what="an empty spool", timeout=60)
        assert _read(lives["b"], sent[1]) > 300_000
        store.stop()
        sent = _send(lives["a"], tmp_path / "more", 3)
        lives["a"].kill()
        store.start()
        answer = httpx.get(_address(lives["b"], sent[0]), headers=_AS_STORED, timeout=60)
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
        said = lives["b"].vna("verify")
        assert "missing" not in said.stdout + said.stderr
        assert "cannot be read" in said.stdout + said.stderr
        lives["a"] = start_archive(backends["a"], HTTP__PORT=str(ports["a"]))
        said = lives["a"].vna("node", "drain")
        assert "nothing waits" in said.stdout
        assert not _waiting(backends["a"])
        said = lives["b"].vna("verify", "--again")
        assert said.returncode == 0, said.stdout + said.stderr
    finally:
        store.stop()
        store.start()
        for live in lives.values():
            live.stop()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_file_and_folder_of_the_spool_are_synced_and_the_row_committed_before_the_success_response(
    store: SeaweedFS, tmp_path: Path
) -> None:
    index = f"sqlite:///{tmp_path}/data/index.sqlite"
    backend = Backend("sqlite+seaweedfs", tmp_path, _environment(store, index, store.new_bucket()))
    trace = tmp_path / "trace"
    (tmp_path / "data").mkdir()
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
    response = _first(lines, lambda line: ("sendto(" in line or "sendmsg(" in line) and _has_store_response(line))
    synced_above = _first(lines, lambda line: "fsync(" in line and line.split(">")[0].endswith("/waiting/objects"))
    synced_file = _first(lines, lambda line: "sync(" in line and str(ds.SOPInstanceUID) in line)
    synced_folder = _first(lines, lambda line: re.search(r"fsync\(.*/waiting/objects/[0-9a-f]{2}>", line) is not None)
    synced_wal = _first(lines, lambda line: "sync(" in line and "index.sqlite-wal" in line, after=synced_file)
    assert synced_above < synced_file < synced_folder < synced_wal < response

"""Two nodes behind a real HAProxy and a real nginx, with the files of deploy/: HTTP, DICOM and HL7."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from pynetdicom import AE

from tests.archives import Backend, LiveArchive, make_backend, start_archive
from tests.journeys.load import CT, Load, held, stow
from tests.objects import ct, part10
from tests.peers.processes import free_port, start, system_program, wait_for

pytestmark = [pytest.mark.filterwarnings("ignore")]

DEPLOY = Path(__file__).parents[2] / "deploy"
CALLER = "127.0.0.7"


def _node(request: pytest.FixtureRequest, folder: Path, name: str, environment: dict[str, str]) -> LiveArchive:
    (folder / name).mkdir()
    backend = Backend("postgresql+seaweedfs", folder / name, environment)
    live = start_archive(
        backend,
        NODE__NAME=name,
        NODE__DRAIN_SECONDS="5",
        NODE__TRUSTED_PROXIES="127.0.0.1",
        HTTP__TRUSTED_PROXIES="127.0.0.1",
    )
    request.addfinalizer(live.stop)
    return live


@pytest.fixture(scope="module")
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[LiveArchive]:
    folder = tmp_path_factory.mktemp("nodes")
    environment = dict(make_backend("postgresql+seaweedfs", request, folder).environment)
    return [_node(request, folder, name, environment) for name in ("one", "two")]


def _written(kind: str, nodes: list[LiveArchive], folder: Path) -> tuple[Path, dict[str, int]]:
    """The file of deploy/ with addresses of this machine."""
    ports = {name: free_port() for name in ("80", "104", "2575")}
    text = (DEPLOY / kind).read_text()
    for number, node in enumerate(nodes, 1):
        http = node.http.rpartition(":")[2]
        text = re.sub(rf"(node{number}:\d+ check port) 8080", rf"\1 {http}", text)
        for port, ours in (("8080", http), ("11112", str(node.dimse_port)), ("2575", str(node.hl7_port))):
            text = text.replace(f"node{number}:{port}", f"127.0.0.1:{ours}")
    for name, taken in ports.items():
        text = text.replace(f"bind :{name}\n", f"bind 127.0.0.1:{taken}\n")
        text = text.replace(f"listen {name};", f"listen 127.0.0.1:{taken};")
    text = text.replace("    maxconn 8000", "    maxconn 1000")
    path = folder / kind
    path.write_text(text)
    return path, ports


def _start(kind: str, nodes: list[LiveArchive], folder: Path) -> LiveArchive:
    path, ports = _written(kind, nodes, folder)
    if kind == "haproxy.cfg":
        child = start([system_program("haproxy", package="haproxy"), "-db", "-f", path], log=folder / "log")
    else:
        said = f"daemon off; pid {folder}/pid; error_log stderr;"
        program = system_program("nginx", package="nginx-light libnginx-mod-stream")
        child = start([program, "-c", path, "-e", "stderr", "-g", said], log=folder / "log")
    for port in ports.values():
        child.wait_until_port(port)
    return LiveArchive(child, f"http://127.0.0.1:{ports['80']}", ports["104"], ports["2575"])


@pytest.fixture(scope="module", params=["haproxy.cfg", "nginx.conf"])
def front(
    request: pytest.FixtureRequest, nodes: list[LiveArchive], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveArchive]:
    live = _start(request.param, nodes, tmp_path_factory.mktemp("front"))
    yield live
    live.child.stop()


def _c_store(front: LiveArchive, size: int) -> str:
    ae = AE(ae_title="BEHIND")
    ae.add_requested_context(CT)
    assoc = ae.associate("127.0.0.1", front.dimse_port, bind_address=(CALLER, 0))
    assert assoc.is_established
    ds = ct(PixelData=bytes(size), PatientID="BEHIND")
    part10(ds)
    assert assoc.send_c_store(ds).Status == 0
    assoc.release()
    return str(ds.SOPInstanceUID)


def _sources(nodes: list[LiveArchive], uids: list[str]) -> set[tuple[str, str]]:
    """Where instances came from, as the archive knows it."""
    url = nodes[0].environment["VNA_DATABASE__URL"].replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        asked = "SELECT door, source_address FROM instances WHERE sop_instance_uid = ANY(%s)"
        return {(str(door), str(address)) for door, address in connection.execute(asked, (uids,))}


def test_every_door_is_reached_on_both_nodes_and_knows_who_calls(front: LiveArchive, nodes: list[LiveArchive]) -> None:
    before = [_counted(node) for node in nodes]
    uids = [_c_store(front, 512) for _ in range(6)]
    with httpx.Client(transport=httpx.HTTPTransport(local_address=CALLER), timeout=60) as client:
        for _ in range(6):
            ds = ct(PatientID="BEHIND")
            body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part10(ds) + b"\r\n--b--\r\n"
            lies = {"X-Forwarded-For": "10.9.9.9", "Forwarded": "for=10.9.9.9"}
            kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
            answer = client.post(f"{front.dicomweb}/studies", content=body, headers={**kind, **lies})
            assert answer.status_code == 200, answer.text
            uids.append(str(ds.SOPInstanceUID))
            client.get(f"{front.http}/healthz", headers={"Connection": "close"})
        assert client.get(f"{front.http}/metrics").status_code == 403
    assert _sources(nodes, uids) == {("C-STORE", CALLER), ("STOW-RS", CALLER)}
    wait_for(lambda: bool(_c_store(front, 512)) and _both_took(nodes, before), what="stores on both nodes")
    with socket.create_connection(("127.0.0.1", front.hl7_port), timeout=30) as hl7:
        hl7.sendall(b"\x0bMSH|^~\\&|A|B|C|D|20260102101112||ADT^A99|1|P|2.5\rEVN|A99|20260102101112\r\x1c\r")
        assert b"MSA|A" in hl7.recv(4096)


def _both_took(nodes: list[LiveArchive], before: list[float]) -> bool:
    return all(_counted(node) > then for node, then in zip(nodes, before, strict=True))


def _counted(node: LiveArchive) -> float:
    text = httpx.get(f"{node.http}/metrics").text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("vna_instances_total"))


def test_large_objects_pass_both_ways(front: LiveArchive) -> None:
    ds = ct(Rows=4096, Columns=4096, PixelData=bytes(32 << 20), PatientID="LARGE")
    assert stow(front, part10(ds), timeout=120) == 200
    series = f"{front.dicomweb}/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
    accept = {"Accept": "application/dicom; transfer-syntax=*"}
    back = httpx.get(f"{series}/instances/{ds.SOPInstanceUID}", headers=accept, timeout=120)
    assert back.content == part10(ds)
    _c_store(front, 32 << 20)


def test_a_node_that_is_stopped_behind_haproxy_is_missed_by_nobody(
    request: pytest.FixtureRequest, nodes: list[LiveArchive], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The last one of this file: it stops a node of the others."""
    front = _start("haproxy.cfg", nodes, tmp_path_factory.mktemp("front"))
    request.addfinalizer(front.child.stop)
    with Load(lambda: [front]) as load:
        _more(load, 20)
        nodes[0].child.popen.send_signal(signal.SIGTERM)
        nodes[0].child.popen.wait(60)
        _more(load, 20)
    assert load.odd == []
    assert load.failed == 0
    assert load.acknowledged.keys() <= held(nodes[1])


def _more(load: Load, count: int) -> None:
    seen = len(load.acknowledged)
    wait_for(lambda: load.more_than(seen + count), what="a load", timeout=60)

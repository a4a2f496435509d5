"""Two nodes on one PostgreSQL and one object store are one archive, and stay one when nodes are killed and added."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.presentation import build_role

from storage.index import migrate
from tests.archives import Backend, LiveArchive, make_backend, start_archive
from tests.journeys.load import CT, Load, held, stow
from tests.objects import ct, part10
from tests.peers.processes import free_port, wait_for

pytestmark = [pytest.mark.filterwarnings("ignore")]

FIND, GET, MOVE = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 3, 2))
VERSIONS = Path(migrate.__file__).parent / "migrations" / "versions"
Begin = Callable[..., LiveArchive]


@pytest.fixture(scope="module")
def begin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begin]:
    """Starts a node of the one archive by name; what still runs in the end is stopped."""
    environment = dict(make_backend("postgresql+seaweedfs", request, tmp_path_factory.mktemp("shared")).environment)
    started: list[LiveArchive] = []

    def make(name: str, wrapper: tuple[str, ...] = (), **options: str) -> LiveArchive:
        backend = Backend("postgresql+seaweedfs", tmp_path_factory.mktemp(name), environment)
        started.append(start_archive(backend, wrapper=wrapper, NODE__NAME=name, **options))
        return started[-1]

    yield make
    for live in started:
        live.stop()


@pytest.fixture(scope="module")
def nodes(begin: Begin) -> tuple[LiveArchive, LiveArchive]:
    return begin("one"), begin("two")


def _c_store(live: LiveArchive, ds: Dataset) -> int:
    ae = AE(ae_title="STORER")
    ae.add_requested_context(CT)
    assoc = ae.associate("127.0.0.1", live.dimse_port)
    assert assoc.is_established
    part10(ds)
    status = assoc.send_c_store(ds).Status
    assoc.release()
    return int(status)


def _stow(live: LiveArchive, ds: Dataset) -> int:
    return stow(live, part10(ds))


def _asked(live: LiveArchive, operation: str, study: str, destination: str = "") -> tuple[list[Dataset], list[str]]:
    """What a C-FIND, C-GET or C-MOVE of a study answers, and which instances came on the same association."""
    came: list[str] = []

    def took(event: evt.Event) -> int:
        came.append(str(event.dataset.SOPInstanceUID))
        return 0

    ae = AE(ae_title="READER")
    ae.add_requested_context(operation)
    if operation == GET:
        ae.add_requested_context(CT)
    roles: list[Any] = [build_role(CT, scp_role=True)] if operation == GET else []
    assoc = ae.associate("127.0.0.1", live.dimse_port, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, took)])
    assert assoc.is_established
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", study
    if operation == FIND:
        answers = list(assoc.send_c_find(query, operation))
    elif operation == GET:
        answers = list(assoc.send_c_get(query, operation))
    else:
        answers = list(assoc.send_c_move(query, destination, operation))
    assoc.release()
    return [status for status, _ in answers], came


@pytest.mark.parametrize("store", [_c_store, _stow])
@pytest.mark.parametrize("turn", [0, 1])
def test_what_one_node_acknowledged_any_node_finds_and_gives_at_once(
    nodes: tuple[LiveArchive, LiveArchive], store: Callable[[LiveArchive, Dataset], int], turn: int
) -> None:
    writer, reader = nodes[turn], nodes[1 - turn]
    ds = ct()
    assert store(writer, ds) in (0, 200)

    study = f"{reader.dicomweb}/studies/{ds.StudyInstanceUID}"
    instance = f"{study}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    found = httpx.get(f"{reader.dicomweb}/studies", params={"StudyInstanceUID": ds.StudyInstanceUID}).json()
    assert [one["0020000D"]["Value"][0] for one in found] == [ds.StudyInstanceUID]
    stored = httpx.get(instance, headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert stored.content.endswith(ds.PixelData)
    assert httpx.get(f"{study}/metadata").json()[0]["00080018"]["Value"] == [ds.SOPInstanceUID]
    assert httpx.get(f"{instance}/frames/1").status_code == 200
    statuses, _ = _asked(reader, FIND, ds.StudyInstanceUID)
    assert [status.Status for status in statuses] == [0xFF00, 0]
    _, came = _asked(reader, GET, ds.StudyInstanceUID)
    assert came == [ds.SOPInstanceUID]


def test_answers_that_a_node_remembers_follow_what_others_change(nodes: tuple[LiveArchive, LiveArchive]) -> None:
    one, two = nodes
    first = ct()
    second = ct(StudyInstanceUID=first.StudyInstanceUID, SeriesInstanceUID=first.SeriesInstanceUID)
    assert _stow(one, first) == 200
    address = f"{two.dicomweb}/studies/{first.StudyInstanceUID}/metadata"
    tags = {httpx.get(address).headers["ETag"] for _ in range(2)}
    assert len(tags) == 1
    assert httpx.get(address, headers={"If-None-Match": tags.copy().pop()}).status_code == 304

    def now() -> set[str]:
        answer = httpx.get(address, headers={"If-None-Match": ", ".join(tags)})
        assert answer.status_code == 200, "what changed has another entity tag"
        tags.add(answer.headers["ETag"])
        return {item["00080018"]["Value"][0] for item in answer.json()}

    assert _c_store(one, second) == 0
    assert now() == {first.SOPInstanceUID, second.SOPInstanceUID}
    series = f"{one.dicomweb}/studies/{first.StudyInstanceUID}/series/{first.SeriesInstanceUID}"
    assert httpx.delete(f"{series}/instances/{first.SOPInstanceUID}").status_code in (200, 204)
    assert now() == {second.SOPInstanceUID}
    assert httpx.delete(f"{one.dicomweb}/studies/{first.StudyInstanceUID}").status_code in (200, 204)
    assert httpx.get(address, headers={"If-None-Match": ", ".join(tags)}).status_code in (404, 410)
    assert _c_store(two, second) == 0, "a node that remembers the series stores into it after another deleted it"
    assert now() == {second.SOPInstanceUID}


def test_a_destination_that_one_node_learns_is_sent_to_by_all(nodes: tuple[LiveArchive, LiveArchive]) -> None:
    one, two = nodes
    ds = ct()
    assert _c_store(two, ds) == 0
    came: list[str] = []

    def took(event: evt.Event) -> int:
        came.append(str(event.dataset.SOPInstanceUID))
        return 0

    port = free_port()
    scp = AE(ae_title="NEWCOMER")
    scp.add_supported_context(CT)
    listening = scp.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, took)])
    assert listening is not None
    try:
        assert _asked(two, MOVE, ds.StudyInstanceUID, "NEWCOMER")[0][-1].Status == 0xA801
        assert one.vna("ae", "add", "NEWCOMER", "--host", "127.0.0.1", "--port", str(port)).returncode == 0
        wait_for(
            lambda: _asked(two, MOVE, ds.StudyInstanceUID, "NEWCOMER")[0][-1].Status == 0,
            what="the destination",
            timeout=5,
        )
        assert came == [ds.SOPInstanceUID]
    finally:
        listening.shutdown()


def test_nodes_are_killed_added_and_replaced_under_load_and_nothing_acknowledged_is_lost(
    nodes: tuple[LiveArchive, LiveArchive], begin: Begin
) -> None:
    alive = list(nodes)
    with Load(lambda: list(alive)) as load:
        wait_for(lambda: load.more_than(10), what="a load", timeout=60)
        third = begin("three")
        alive.append(third)
        killed = alive.pop(0)
        killed.kill()
        seen = len(load.acknowledged)
        wait_for(lambda: load.more_than(seen + 20), what="stores without the first node")
        fourth = begin("four", NODE__DRAIN_SECONDS="1")
        alive.append(fourth)
        leaving = alive.pop(0)
        leaving.stop()
        seen = len(load.acknowledged)
        wait_for(lambda: load.more_than(seen + 20), what="stores on new nodes alone")
    assert load.odd == []
    for node in (third, fourth):
        assert load.acknowledged.keys() <= held(node)
    checked = third.vna("verify")
    assert checked.returncode == 0, checked.stdout

    # The dispatcher's lease was the killed node's, or the stopped one's: a new one hands everything out.
    silent = {row["node"]: row["state"] for row in _rows(fourth, "node", "list")}
    assert silent.keys() >= {"one", "two", "three", "four"}
    wait_for(lambda: not _undone(third), what="events that were handed out", timeout=40)


def _rows(live: LiveArchive, *arguments: str) -> list[dict[str, str]]:
    said = live.vna(*arguments, "--format", "json")
    assert said.returncode == 0, said.stderr
    found: list[dict[str, str]] = json.loads(said.stdout)
    return found


def _undone(live: LiveArchive) -> int:
    url = live.environment["VNA_DATABASE__URL"].replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM events WHERE pending = 1").fetchone()
        assert row is not None
        return int(row[0])


def test_a_node_that_is_stopped_says_that_it_is_not_ready_and_serves_what_still_comes(begin: Begin) -> None:
    node = begin("drained", NODE__DRAIN_SECONDS="60")
    ds = ct()
    with httpx.Client(base_url=node.http, timeout=30) as client:
        assert client.get("/readyz").status_code == 200
        node.child.popen.send_signal(signal.SIGTERM)
        wait_for(lambda: client.get("/readyz").status_code == 503, what="a node that is not ready")
        assert client.get("/readyz").json()["problems"] == ["this node is being stopped"]
        assert _c_store(node, ds) == 0
        assert _stow(node, ds) == 200
    node.child.popen.send_signal(signal.SIGTERM)
    assert node.child.popen.wait(30) == 0


EXPANDS = 'op.add_column("instances", sa.Column("rack", sa.Text(), server_default="", nullable=False))'


def _version_to_come(folder: Path, *, minimum: str) -> tuple[str, ...]:
    """A version with one more migration; what to run its commands behind."""
    shutil.copytree(VERSIONS.parents[2], folder / "storage", ignore=shutil.ignore_patterns("__pycache__"))
    text = (
        f'"""To come."""\nimport sqlalchemy as sa\nfrom alembic import op\nrevision = "9001"\n{minimum}\n'
        f'down_revision = "{migrate.newest()}"\n\ndef upgrade() -> None:\n    {EXPANDS}\n'
    )
    (folder / "storage/index/migrations/versions/m9001_to_come.py").write_text(text)
    return ("env", "-C", str(folder), f"PYTHONPATH={folder}")


def _migrate(live: LiveArchive, wrapper: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    environment = [f"{name}={value}" for name, value in live.environment.items()]
    command = [*wrapper, *environment, sys.executable, "-m", "vna.cli", "migrate"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_version_to_come_is_rolled_out_node_by_node_under_load(
    begin: Begin, nodes: tuple[LiveArchive, LiveArchive], tmp_path: Path
) -> None:
    old = begin("old")
    breaking = _version_to_come(tmp_path / "breaking", minimum="")
    refused = _migrate(old, breaking)
    assert refused.returncode != 0
    assert "stop these nodes first" in refused.stderr
    assert "old" in refused.stderr

    newer = _version_to_come(tmp_path / "newer", minimum=f'minimum = "{migrate.newest()}"')
    alive = [old]
    with Load(lambda: list(alive)) as load:
        wait_for(lambda: load.more_than(10), what="a load", timeout=60)
        done = _migrate(old, newer)
        assert done.returncode == 0, done.stderr
        assert "9001" in done.stdout
        seen = len(load.acknowledged)
        wait_for(lambda: load.more_than(seen + 10), what="stores of the old version on the new schema")
        new = begin("new", newer)
        alive.append(new)
        seen = len(load.acknowledged)
        wait_for(lambda: load.more_than(seen + 20), what="stores of both versions")
        restarted = begin("old-again")
        assert httpx.get(f"{restarted.http}/readyz").status_code == 200
    assert load.odd == []
    assert load.acknowledged.keys() <= held(new)
    assert load.acknowledged.keys() <= held(old)
    assert new.vna("verify").returncode == 0
    wait_for(lambda: not _undone(old), what="events that the newer node hands out", timeout=40)

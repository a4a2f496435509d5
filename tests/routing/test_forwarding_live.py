"""Forwarding to real archives: dcmtk's storescp and another archive of ours, over kill -9 and a destination that is
down for a while."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread

from tests.archives import Backend, LiveArchive, start_archive
from tests.objects import ct, part10
from tests.peers.dcmtk import Dcmtk, StoreSCP, start_storescp

STUDIES = [f"1.2.826.0.1.3680043.10.78.{number}" for number in range(4)]
RULES: list[dict[str, object]] = [
    {"name": "all", "to": "NEAR"},
    {"name": "web", "to": "CITY", "when": "study", "rest": 1, "priority": "bulk"},
    {"name": "down", "to": "DOWN"},
]


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, made = tmp_path_factory.mktemp("files"), {}
    for study in STUDIES:
        for _ in range(15):
            ds = ct(StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1")
            made[str(ds.SOPInstanceUID)] = folder / f"{ds.SOPInstanceUID}.dcm"
            made[str(ds.SOPInstanceUID)].write_bytes(part10(ds))
    return made


@pytest.fixture
def city(tmp_path: Path) -> Iterator[LiveArchive]:
    (tmp_path / "city").mkdir()
    live = start_archive(Backend("sqlite+folder", tmp_path / "city"))
    yield live
    live.stop()


def held(live: LiveArchive) -> set[str]:
    found = httpx.get(f"{live.dicomweb}/instances", params={"limit": 1000}, trust_env=False)
    return {one["00080018"]["Value"][0] for one in found.json()} if found.status_code == 200 else set()


def received(scp: StoreSCP) -> dict[str, str]:
    """What is there whole, each with its Patient ID."""
    whole = [path for path in scp.files() if path.stat().st_size > 1000]
    read = [dcmread(path, stop_before_pixels=True, force=True) for path in whole]
    return {str(ds.SOPInstanceUID): str(ds.PatientID) for ds in read}


def test_everything_arrives_once_in_effect_over_kill_9_and_a_destination_that_is_down(
    tmp_path: Path,
    files: dict[str, Path],
    city: LiveArchive,
    storescp: Callable[..., StoreSCP],
    dcmtk: Dcmtk,
) -> None:
    near = storescp(ae_title="NEAR")
    down = storescp(ae_title="DOWN")
    down.stop()
    backend = Backend("sqlite+folder", tmp_path)
    live = start_archive(backend, FORWARD=json.dumps(RULES))
    try:
        for scp in (near, down):
            assert live.vna("ae", "add", scp.ae_title, "--host", "127.0.0.1", "--port", str(scp.port)).returncode == 0
        coerce = tmp_path / "coerce.toml"
        coerce.write_text('[set]\nPatientID = "CORRECTED"\n')
        assert live.vna("ae", "add", "CT1", "--coerce", str(coerce)).returncode == 0
        added = live.vna("source", "add", "CITY", "--wado-rs", city.dicomweb)
        assert added.returncode == 0, added.stderr
        sent = dcmtk("storescu", "-aet", "CT1", "-aec", "VNA", "127.0.0.1", live.dimse_port, *files.values())
        assert sent.returncode == 0, sent.stdout
        assert eventually(lambda: bool(near.files()))
        live.kill()
        live = start_archive(backend, FORWARD=json.dumps(RULES))

        assert eventually(lambda: received(near).keys() == files.keys()), live.child.output()[-3000:]
        assert eventually(lambda: held(city) == files.keys(), 90), live.child.output()[-3000:]
        assert set(received(near).values()) == {"CORRECTED"}, "corrections are made on the way out"
        listed = live.vna("forward", "list", "--format", "json")
        standing = {one["to"]: one for one in json.loads(listed.stdout)}
        assert (standing["NEAR"]["waiting"], standing["CITY"]["waiting"]) == ("0", "0")
        assert standing["DOWN"]["waiting"] == str(len(STUDIES))
        assert standing["DOWN"]["error"]

        again = restarted(down, tmp_path / "down")
        try:
            assert live.vna("forward", "retry", "--to", "DOWN").returncode == 0
            assert eventually(lambda: received(again).keys() == files.keys(), 90), live.child.output()[-3000:]
        finally:
            again.stop()
        hand = live.vna("forward", "study", STUDIES[0], "--to", "NEAR")
        assert hand.stdout == f"{STUDIES[0]}: 15 instances are at NEAR\n", hand.stderr
        counts = httpx.get(f"{live.http}/metrics", trust_env=False).text
        assert 'vna_forwarded_instances_total{destination="DOWN",outcome="sent"} 60.0' in counts
        lost = live.vna("forward", "study", "1.2.3", "--to", "NEAR")
        assert (lost.returncode, lost.stderr) == (1, "vna: no such study\n")
    finally:
        live.stop()


def restarted(scp: StoreSCP, folder: Path) -> StoreSCP:
    """The same application entity, on its port again."""
    folder.mkdir()
    return start_storescp(folder, ae_title=scp.ae_title, port=scp.port)

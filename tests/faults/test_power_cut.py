"""Simulated power cuts at random moments of many stores: everything acknowledged before is there and sound."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.archives import Backend, lay_index, rows, start_archive
from tests.faults.instances import data_set_of
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.power import Call, Disk, Survival, acknowledged, calls, strace
from tests.faults.results import Outcome, rounds
from tests.peers.seaweedfs import SeaweedFS
from vna.app import Application, build, prepare
from vna.archive.claims import Damage
from vna.model.access import SYSTEM

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def _backend(which: str, request: pytest.FixtureRequest, folder: Path) -> Backend:
    """Acknowledged from a folder, or from the spool of a node, whose object store keeps its power."""
    if which == "folder":
        return Backend("sqlite+folder", folder)
    seaweedfs: SeaweedFS = request.getfixturevalue("seaweedfs")
    stored = seaweedfs.environment(seaweedfs.new_bucket())
    return Backend("sqlite+spool", folder, {**stored, "VNA_STORAGE__ACKNOWLEDGE": "spool"})


@pytest.mark.parametrize("which", ["folder", "spool"])
def test_what_was_acknowledged_before_a_power_cut_is_there_afterwards(
    which: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    ledger: Ledger,
    seed: int,
    under_load: Callable[..., Load],
) -> None:
    rng = random.Random(seed)
    backend = _backend(which, request, tmp_path)
    lay_index(tmp_path / "data")
    disk, careless = Disk(tmp_path / "data"), Disk(tmp_path / "data")
    live = start_archive(backend, wrapper=strace(tmp_path / "trace"), DIMSE__WORKERS="2")
    load = under_load(live, stores_only=True)
    load.wait_for_more(25, timeout=120)
    load.stop()
    live.stop()
    outcome = Outcome("power cut", "system calls done again, with and without what was not synced", backend.name)
    outcome.seed = seed
    wrong = []
    traced = list(calls(tmp_path / "trace"))
    lines = _moments(traced, rng, rounds(2, 100))
    told = {call.begun: acknowledged(call, ledger.sent.keys()) for call in traced}
    for call in traced:
        while lines and call.ended >= lines[0]:
            cut = lines.pop(0)
            promised = [uid for begun, uids in told.items() if begun < cut for uid in uids]
            for how in Survival:
                outcome.tried += 1
                image = replace(backend, folder=tmp_path / "image")
                wrong += _after(disk, how, rng, image, promised, ledger, f"line {cut}, {how.name}")
        disk.do(call)
        if "sync" not in call.name:
            careless.do(call)
    if which == "folder":
        _is_what_is_there(disk, tmp_path)
    promised, image = list(ledger.acknowledged), replace(backend, folder=tmp_path / "image")
    assert _after(careless, Survival.NONE, rng, image, promised, ledger, ""), "syncs do not matter here"
    outcome.count(ledger)
    outcome.judge(wrong)


def _is_what_is_there(disk: Disk, folder: Path) -> None:
    """All calls done again make the same files, those aside that are written through memory."""
    disk.image(folder / "all", Survival.ALL, random.Random())
    made = {path.relative_to(folder / "all"): path for path in (folder / "all").rglob("*") if path.is_file()}
    for name, path in made.items():
        if name.parts[0] not in ("metrics", "turns"):
            assert path.read_bytes() == (folder / "data" / name).read_bytes(), name
    assert sum("studies" in name.parts for name in made) > 10


def _moments(traced: Sequence[Call], rng: random.Random, count: int) -> list[int]:
    """Lines of the trace, between the first and the last answer: half of them right behind an answer."""
    answers = [call.begun for call in traced if call.name in ("sendto", "sendmsg", "write", "writev")]
    chosen = {rng.choice(answers) + 1 for _ in range(count // 2)}
    while len(chosen) < count:
        chosen.add(rng.randrange(answers[0], traced[-1].ended))
    return sorted(chosen)


def _after(
    disk: Disk, how: Survival, rng: random.Random, backend: Backend, promised: list[str], ledger: Ledger, where: str
) -> list[str]:
    """What is wrong with the archive that starts on this image."""
    disk.image(backend.folder / "data", how, rng)
    settings = backend.settings()
    wrong = []
    try:
        prepare(settings)
        application = build(settings)
        try:
            wrong = [f"{where}: {line}" for line in _judge(application, promised, ledger, _ignored(backend))]
        finally:
            application.close()
    except Exception as exc:  # noqa: BLE001  an archive that does not start is a finding like others
        wrong = [f"{where}: does not start: {type(exc).__name__}: {exc}"]
    shutil.rmtree(backend.folder)
    return wrong


def _ignored(backend: Backend) -> frozenset[Damage | None]:
    """What is no finding. An object store that kept its power has what was uploaded after the cut."""
    later = {Damage.NOT_INDEXED} if "spool" in backend.name else set()
    return frozenset({None, Damage.ORPHAN, *later})


def _judge(
    application: Application, promised: list[str], ledger: Ledger, ignored: frozenset[Damage | None]
) -> list[str]:
    held = {str(uid): str(blob) for uid, blob in rows(application, "SELECT sop_instance_uid, blob FROM instances")}
    wrong = [f"{uid} was acknowledged and is not found" for uid in promised if uid not in held]
    for uid, blob in held.items():
        data = application.blobs.read(blob)
        if hashlib.sha256(data_set_of(data)).hexdigest() != ledger.sent[uid].digest:
            wrong.append(f"{uid} is found and has other bytes")
    damaged = (checked for checked in application.care.verify(SYSTEM) if checked.damage not in ignored)
    return wrong + [f"verify: {checked.damage} {checked.blob}" for checked in damaged]

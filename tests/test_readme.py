"""The README's commands do what it says, against a running archive."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.archives import Backend, LiveArchive, start_archive
from tests.peers.processes import SYSTEM_PATH, free_port, need_isolation, system_program
from vna import demo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DEMO_NAMES = ("Yıldız", "Şükran", "YILDIZ", "yildiz", demo.PATIENT_ID)  # noqa: RUF001


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def _here(commands: str, live: LiveArchive) -> str:
    """The commands with the ports of this archive and the program of this environment."""
    ports = {
        "127.0.0.1:8080": live.http.removeprefix("http://"),
        "11112": str(live.dimse_port),
        "11113": str(free_port()),
    }
    for written, real in ports.items():
        assert written in commands
        commands = commands.replace(written, real)
    return commands.replace(".venv/bin/vna", shlex.join([sys.executable, "-m", "vna.cli"]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def live(folder: Path) -> LiveArchive:
    need_isolation("movescu")
    system_program("storescu", package="dcmtk")
    system_program("curl", package="curl")
    return start_archive(Backend("sqlite+folder", folder), "--demo")


@pytest.fixture(scope="module")
def tour(live: LiveArchive, folder: Path) -> subprocess.CompletedProcess[str]:
    """All of the tour, as one script that ends at the first command that fails."""
    try:
        return subprocess.run(
            ["sh", "-ec", _here("\n".join(_blocks("sh")), live)],
            cwd=folder,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("VNA_")},
                "PATH": SYSTEM_PATH,
                "PYTHONPATH": str(ROOT),
                "VNA_DATA_DIR": str(folder / "data"),
                "VNA_STORAGE__MIN_FREE": "0",
                "LC_ALL": "C.UTF-8",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=300,
        )
    finally:
        live.stop()


def test_every_command_of_the_tour_works(tour: subprocess.CompletedProcess[str]) -> None:
    assert tour.returncode == 0, tour.stdout[-3000:]


def test_c_find_answers_with_the_study(tour: subprocess.CompletedProcess[str]) -> None:
    found = tour.stdout.partition("Find Response: 1 (Pending)")[2]
    assert demo.STUDY_INSTANCE_UID in found.partition("Find Response")[0]


@pytest.mark.parametrize("where", ["from-get", "from-move"])
def test_c_get_and_c_move_bring_every_instance(
    tour: subprocess.CompletedProcess[str], folder: Path, where: str
) -> None:
    assert tour.returncode == 0
    assert len(list((folder / where).iterdir())) == 80


def test_dicomweb_answers_with_the_study(tour: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert tour.returncode == 0
    assert len(json.loads((folder / "metadata.json").read_bytes())) == 80
    assert (folder / "study.multipart").read_bytes().count(b"DICM") >= 80
    frame = (folder / "frame.multipart").read_bytes()
    assert 512 * 512 * 2 < len(frame) < 512 * 512 * 2 + 1000


def test_stow_says_what_was_stored(tour: subprocess.CompletedProcess[str]) -> None:
    assert '"00081199"' in tour.stdout


def test_verify_finds_everything_sound(tour: subprocess.CompletedProcess[str]) -> None:
    assert "80 sound, 0 damaged" in tour.stdout


def test_metrics_count_what_the_tour_did(tour: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert tour.returncode == 0
    text = (folder / "metrics.txt").read_text()
    came = re.findall(r'^vna_instances_total\{door="([\w-]+)",outcome="[\w ]+"\} (\d+)', text, re.MULTILINE)
    assert sum(int(count) for door, count in came if door == "C-STORE") == 80
    assert sum(int(count) for door, count in came if door == "STOW-RS") == 1
    for door in ("C-FIND", "QIDO-RS"):
        assert re.search(rf'^vna_queries_total\{{door="{door}",level="STUDY"\}} 1', text, re.MULTILINE), door
    for door, count in (("C-GET", 80), ("C-MOVE", 80), ("WADO-RS", 80)):
        assert re.search(rf'^vna_sent_instances_total\{{door="{door}"\}} {count}', text, re.MULTILINE), door


def test_the_log_of_the_tour_names_no_patient(tour: subprocess.CompletedProcess[str], live: LiveArchive) -> None:
    log = live.child.output()
    assert tour.returncode == 0
    assert "request answered" in log
    assert [name for name in DEMO_NAMES if name in log] == []


def test_enforced_mode_takes_four_commands(tmp_path: Path) -> None:
    (block,) = [block for block in _blocks("console") if "enforced" in block]
    user, ae, export, serve = [line.removeprefix("$ ") for line in block.strip().splitlines()]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "VNA_DATA_DIR": str(tmp_path / "data")}
    program = shlex.join([sys.executable, "-m", "vna.cli"])
    for command in (f"echo 'a long secret' | {user} --password-stdin", ae):
        subprocess.run(
            ["sh", "-ec", command.replace(".venv/bin/vna", program)], env=env, check=True, capture_output=True
        )
    assert serve == ".venv/bin/vna serve"
    options = dict(pair.split("=") for pair in export.removeprefix("export ").split())
    settings = {name.removeprefix("VNA_"): value.replace("0.0.0.0", "127.0.0.1") for name, value in options.items()}
    live = start_archive(Backend("sqlite+folder", tmp_path), wrapper=(), **settings)
    try:
        assert httpx.get(f"{live.dicomweb}/studies").status_code == 401
        assert httpx.get(f"{live.dicomweb}/studies", auth=("ayse", "a long secret")).status_code == 204
    finally:
        live.stop()

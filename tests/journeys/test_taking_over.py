"""Taking over an old PACS: Orthanc, dcmqrscp and another archive of ours, killed and stopped in the middle."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.archives import Backend, LiveArchive, start_archive
from tests.objects import ct, part10
from tests.peers import forks
from tests.peers.orthanc import Orthanc
from tests.peers.processes import wait_for
from tests.routing.dcmqrscp import start_dcmqrscp

STUDIES, EACH = 600, 4
ROOT = Path(__file__).parents[2]


def generated(number: int, each: int) -> list[Dataset]:
    """So many invented studies of a few small images, over some years, with three modalities, some without a date."""
    made = []
    for one in range(number):
        study, modality = generate_uid(), ("CT", "MR", "CR")[one % 3]
        day = "" if one % 50 == 49 else f"20{12 + one % 12:02}{1 + one % 12:02}{1 + one % 28:02}"
        said = {"StudyInstanceUID": study, "PatientID": f"T{one:04}", "Modality": modality, "StudyDate": day}
        for image in range(each):
            series = f"{study[:60]}.{image % 2}"
            made.append(ct(**said, SeriesInstanceUID=series, InstanceNumber=image, StudyTime=f"{one % 24:02}0000"))
    return made


@dataclass
class Taker:
    """An archive that takes over, command by command."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VNA_")},
            "VNA_DATA_DIR": str(self.folder / "data"),
            "VNA_STORAGE__MIN_FREE": "0",
            "PYTHONPATH": str(ROOT),
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["env", "--default-signal=INT", sys.executable, "-m", "vna.cli", *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        )

    def vna(self, *words: str) -> tuple[int, str, str]:
        done = forks.run(words, env=self.environment, cwd=self.folder)
        return done.returncode, done.stdout, done.stderr

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        path = self.folder / "data" / "index.sqlite"
        if not path.exists():
            return []
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return connection.execute(sql).fetchall()

    def held(self) -> int:
        try:
            return int(str(self.rows("SELECT count(*) FROM instances")[0][0]))
        except (sqlite3.Error, IndexError):
            return 0

    def data_sets(self) -> dict[str, bytes]:
        """Of every instance in the blob store, without group 2."""
        found = self.rows("SELECT sop_instance_uid, blob, dataset_offset FROM instances")
        blobs = self.folder / "data" / "blobs"
        return {str(uid): (blobs / str(blob)).read_bytes()[int(str(offset)) :] for uid, blob, offset in found}


def data_set(content: bytes) -> bytes:
    """What comes after File Meta Information."""
    return content[144 + int.from_bytes(content[140:144], "little") :]


@pytest.fixture
def taker(tmp_path: Path) -> Taker:
    return Taker(tmp_path)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {str(ds.SOPInstanceUID): part10(ds) for ds in generated(STUDIES, EACH)}


@pytest.fixture(scope="module")
def old(orthanc: Callable[..., Orthanc], files: dict[str, bytes]) -> Iterator[Orthanc]:
    """Orthanc with all of them."""
    started = orthanc(
        DicomAlwaysAllowFind=True,
        DicomAlwaysAllowGet=True,
        DicomAlwaysAllowMove=True,
        StorageCompression=False,
        SynchronousCMove=True,
    )
    each = httpx.Limits(max_keepalive_connections=0)  # Orthanc may close a kept one just when it is used again
    with httpx.Client(timeout=60, limits=each) as client, ThreadPoolExecutor(4) as pool:
        for answer in pool.map(
            lambda content: client.post(f"{started.url}/instances", content=content), files.values()
        ):
            answer.raise_for_status()
    yield started
    started.stop()


def test_a_few_thousand_instances_come_from_orthanc_through_a_kill_and_a_stop_and_not_a_byte_differs(
    taker: Taker, old: Orthanc, files: dict[str, bytes]
) -> None:
    web = ("--qido-rs", old.dicomweb_url, "--wado-rs", old.dicomweb_url)
    assert taker.vna("source", "add", "OLD", *web)[0] == 0
    first = taker.start("migrate-from", "OLD")
    wait_for(lambda: taker.held() > 400, what="some instances", timeout=60)
    first.kill()
    first.communicate()
    killed_at = taker.held()
    assert killed_at < len(files)
    begun = time.monotonic()
    second = taker.start("migrate-from", "OLD")
    wait_for(lambda: taker.held() > killed_at + 200, what="more instances", timeout=60)
    second.send_signal(signal.SIGTERM)
    out, err = second.communicate(timeout=30)
    assert second.returncode == 1
    assert out.splitlines()[-1] == "stopped before the end: the same command goes on where it was"
    assert err == ""
    code, out, err = taker.vna("migrate-from", "OLD", "--report", "report.json")
    assert (code, err) == (0, ""), out
    assert time.monotonic() - begun < 90
    assert f"{STUDIES} studies: {STUDIES} complete, 0 incomplete, 0 failed, 0 to come" in out
    assert taker.data_sets() == {uid: data_set(content) for uid, content in files.items()}
    report = json.loads((taker.folder / "report.json").read_text())
    assert (report["adds_up"], report["list_is_complete"], report["findings"]) == (True, True, [])
    assert report["totals"]["figures"] == {
        "studies": STUDIES,
        "studies_here": STUDIES,
        "instances": len(files),
        "instances_here": len(files),
    }
    expected: dict[tuple[str, str], int] = {}
    for content in generated_heads(files):
        expected[content] = expected.get(content, 0) + 1
    assert {(one["year"], one["modality"]): one["instances"] for one in report["counts"]} == expected
    assert all(one["instances"] == one["instances_here"] for one in report["counts"])
    assert taker.vna("verify")[1] == f"{len(files)} sound, 0 damaged\n"


def generated_heads(files: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    """Year and modality of each."""
    for content in files.values():
        day = re.search(rb"\x08\x00\x20\x00DA(..)(\d{4})?", content, re.DOTALL)
        modality = re.search(rb"\x08\x00\x60\x00CS\x02\x00(..)", content)
        assert day is not None
        assert modality is not None
        yield (day[2] or b"no date").decode(), modality[1].decode()


@pytest.mark.parametrize("door", ["C-GET", "WADO-RS", "WADO-URI"])
def test_each_door_of_orthanc_gives_what_is_asked_for(
    taker: Taker, old: Orthanc, files: dict[str, bytes], door: str
) -> None:
    web = ("--wado-rs", old.dicomweb_url, "--wado-uri", f"{old.url}/wado")
    dicom = ("--dicom", f"{old.ae_title}@127.0.0.1:{old.dicom_port}")
    assert taker.vna("source", "add", "OLD", *web, *dicom)[0] == 0
    chosen = ("--from", "2020-01-01", "--to", "2020-12-31", "--modality", "CR", "--door", door)
    code, out, err = taker.vna("migrate-from", "OLD", *chosen, "--parallel", "2")
    assert (code, err) == (0, ""), out
    held = taker.data_sets()
    assert held
    assert held.items() <= {uid: data_set(content) for uid, content in files.items()}.items()
    (row,) = [line.split() for line in out.splitlines() if line.startswith("2020")]
    assert row[:2] == ["2020", "CR"]
    assert row[4] == row[5] == str(len(held))


def test_orthanc_that_says_when_it_cuts_its_answers_hides_nothing(
    taker: Taker, orthanc: Callable[..., Orthanc]
) -> None:
    images = generated(200, 1)
    old = orthanc(DicomAlwaysAllowFind=True, DicomAlwaysAllowGet=True, LimitFindResults=30, LimitFindInstances=30)
    with httpx.Client(timeout=60) as client:
        for ds in images:
            client.post(f"{old.url}/instances", content=part10(ds)).raise_for_status()
    for name, words in {
        "DICOM": ("--dicom", f"{old.ae_title}@127.0.0.1:{old.dicom_port}"),
        "WEB": ("--qido-rs", old.dicomweb_url, "--wado-rs", old.dicomweb_url),
    }.items():
        assert taker.vna("source", "add", name, *words)[0] == 0
        code, out, err = taker.vna("migrate-from", name, "--dry-run")
        assert out.splitlines()[-1] == "200 studies with 200 instances there, 0 of them here", (name, err)
        assert (code, err) == (0, "")
    old.stop()


def test_dcmqrscp_gives_everything_by_find_and_get(taker: Taker, tmp_path: Path) -> None:
    images = generated(60, 2)
    folder = tmp_path / "dcmqrscp"
    folder.mkdir()
    old = start_dcmqrscp(folder, [part10(ds) for ds in images])
    try:
        assert taker.vna("source", "add", "OLD", "--dicom", f"{old.ae_title}@127.0.0.1:{old.port}")[0] == 0
        code, out, err = taker.vna("migrate-from", "OLD", "--report", "report.csv")
    finally:
        old.stop()
    assert (code, err) == (0, ""), out
    assert taker.data_sets() == {str(ds.SOPInstanceUID): data_set(part10(ds)) for ds in images}
    with (taker.folder / "report.csv").open() as report:
        counts = [row for row in csv.DictReader(report) if row["what"] == "count"]
    assert sum(int(row["instances here"]) for row in counts) == len(images)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveArchive, list[Dataset]]]:
    folder = tmp_path_factory.mktemp("old")
    live = start_archive(Backend("sqlite+folder", folder))
    images = generated(60, 2)
    written = folder / "files"
    written.mkdir()
    for ds in images:
        (written / str(ds.SOPInstanceUID)).write_bytes(part10(ds))
    assert live.vna("import", str(written)).returncode == 0
    yield live, images
    live.stop()


@pytest.mark.parametrize("by", ["dicom", "web"])
def test_another_archive_of_ours_gives_everything_and_knows_what_it_holds(
    taker: Taker, ours: tuple[LiveArchive, list[Dataset]], by: str
) -> None:
    live, images = ours
    ways = {
        "dicom": ("--dicom", f"VNA@127.0.0.1:{live.dimse_port}"),
        "web": ("--qido-rs", live.dicomweb, "--wado-rs", live.dicomweb),
    }
    assert taker.vna("source", "add", "OLD", *ways[by])[0] == 0
    code, out, err = taker.vna("migrate-from", "OLD", "--report", "report.html")
    assert (code, err) == (0, ""), out
    assert taker.data_sets() == {str(ds.SOPInstanceUID): data_set(part10(ds)) for ds in images}
    page = (taker.folder / "report.html").read_text()
    assert "everything adds up." in page
    assert "T0001" not in page


def test_a_pause_lets_nothing_come_until_it_is_over(taker: Taker, ours: tuple[LiveArchive, list[Dataset]]) -> None:
    live, _ = ours
    taker.vna("source", "add", "OLD", "--qido-rs", live.dicomweb, "--wado-rs", live.dicomweb)
    now = time.localtime()
    minute = now.tm_hour * 60 + now.tm_min
    words = "{:02}:{:02}-{:02}:{:02}=0".format(*divmod((minute - 1) % 1440, 60), *divmod((minute + 5) % 1440, 60))
    running = taker.start("migrate-from", "OLD", "--rate", words)
    wait_for(lambda: taker.rows("SELECT 1 FROM takeovers WHERE listed = 1") != [], what="the list")
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert running.returncode == 1
    assert "0 stored" in out
    assert "60 to come" in out
    assert err == ""
    assert taker.held() == 0

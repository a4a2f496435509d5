"""`vna import`, `verify`, `reindex`, `migrate`, `demo`: files in, and everything still there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.cli.conftest import Vna
from tests.objects import ct, part10
from tests.peers.processes import wait_for
from vna.app import Application, build
from vna.archive.store import Store
from vna.cli.importing import looks_like_dicom
from vna.settings import load

NAME, PATIENT_ID = "Gizli^Hasta", "G-48151623"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two instances, one of them deeper, and things that are none."""
    folder = tmp_path / "files"
    (folder / "deeper").mkdir(parents=True)
    (folder / "a.dcm").write_bytes(part10(ct()))
    (folder / "deeper" / "no-extension").write_bytes(part10(ct()))
    (folder / "readme.txt").write_text("not an image")
    (folder / "empty").touch()
    (folder / "DICOMDIR").write_bytes(part10(ct()))
    return folder


def _rows(sql: str) -> list[tuple[object, ...]]:
    archive: Application = build(load().settings)
    try:
        with archive.database.read() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]
    finally:
        archive.close()


def test_folders_are_searched_and_what_is_no_instance_is_counted(vna: Vna, files: Path) -> None:
    done = vna("import", files)
    assert (done.code, done.out) == (0, "2 stored, 0 already held, 0 refused, 3 not DICOM\n")
    assert done.err == ""
    assert _rows("SELECT count(*) FROM instances") == [(2,)]


def test_the_facility_that_is_named_is_kept(vna: Vna, files: Path) -> None:
    vna("import", files, "--facility", "34001")
    assert _rows("SELECT DISTINCT facility, door FROM instances") == [("34001", "import")]


def test_what_is_refused_is_named_with_its_reason_and_ends_with_1(vna: Vna, files: Path) -> None:
    (files / "cut.dcm").write_bytes((files / "a.dcm").read_bytes()[:-100])
    done = vna("import", files)
    assert done.code == 1
    assert done.out == "2 stored, 0 already held, 1 refused, 3 not DICOM\n"
    assert done.err.startswith(f"refused: {files}/cut.dcm: ")
    assert done.err.count("\n") == 1


def test_only_the_first_refusals_are_listed(vna: Vna, files: Path) -> None:
    for number in range(25):
        (files / f"cut-{number:02}.dcm").write_bytes((files / "a.dcm").read_bytes()[: 600 - number])
    done = vna("import", files)
    assert done.out.endswith("25 refused, 3 not DICOM\n")
    assert len(done.err.splitlines()) == 21
    assert done.err.splitlines()[-1] == "refused: more, not listed here"


def test_the_same_files_again_are_not_even_read(vna: Vna, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vna("import", files)

    def unread(*_args: object) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr(Store, "open", unread)
    assert vna("import", files).out == "0 stored, 2 already held, 0 refused, 3 not DICOM\n"


def test_a_changed_file_is_read_again(vna: Vna, files: Path) -> None:
    vna("import", files)
    (files / "a.dcm").write_bytes(part10(ct()))
    assert vna("import", files).out == "1 stored, 1 already held, 0 refused, 3 not DICOM\n"


def test_what_the_index_no_longer_has_is_stored_again(vna: Vna, files: Path, tmp_path: Path) -> None:
    vna("import", files)
    for path in (tmp_path / "data").glob("index.sqlite*"):
        path.unlink()
    assert vna("import", files).out == "2 stored, 0 already held, 0 refused, 3 not DICOM\n"


def test_the_same_instances_in_other_files_are_already_held(vna: Vna, files: Path, tmp_path: Path) -> None:
    vna("import", files)
    (tmp_path / "copy.dcm").write_bytes((files / "a.dcm").read_bytes())
    assert vna("import", tmp_path / "copy.dcm").out == "0 stored, 1 already held, 0 refused, 0 not DICOM\n"


def test_an_archive_without_space_ends_the_run_and_says_how_far_it_came(
    vna: Vna, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VNA_STORAGE__MIN_FREE", "1000TiB")
    done = vna("import", files)
    assert done.code == 1
    assert done.out.startswith("0 stored, 0 already held, 0 refused, ")
    assert done.err == "vna: less space is free than VNA_STORAGE__MIN_FREE asks for\n"


def test_a_run_that_was_stopped_goes_on_where_it_was(vna: Vna, tmp_path: Path) -> None:
    count, folder = 800, tmp_path / "files"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:03}.dcm").write_bytes(part10(ct()))
    vna("migrate")
    child = subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "vna.cli", "import", folder],  # ignored in the background
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        wait_for(lambda: _rows("SELECT count(*) FROM instances") >= [(5,)], what="some instances")
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    finally:
        child.kill()
    assert (child.returncode, err) == (1, "")
    stored = int(out.split()[0])
    assert 0 < stored < count
    done = vna("import", folder)
    assert done.code == 0
    again, held = int(done.out.split()[0]), int(done.out.split()[2])
    assert again + held == count
    assert held >= stored
    assert vna("verify").out == f"{count} sound, 0 damaged\n"


def test_no_line_of_the_log_names_a_patient(vna: Vna, tmp_path: Path) -> None:
    vna("migrate")
    folder = tmp_path / "files"
    folder.mkdir()
    good = part10(ct(PatientName=NAME, PatientID=PATIENT_ID))
    other = part10(ct(PatientName=NAME, PatientID=PATIENT_ID, SOPInstanceUID="1.2.3"))
    (folder / "good.dcm").write_bytes(good)
    (folder / "cut.dcm").write_bytes(good[:-10])
    (folder / "first.dcm").write_bytes(other)
    (folder / "second.dcm").write_bytes(other.replace(b"Hekim", b"Hakim"))
    (folder / "not-a-uid.dcm").write_bytes(
        part10(ct(PatientName=NAME, SOPInstanceUID="1.2.4")).replace(b"1.2.4", b"1.A.4")
    )
    done = subprocess.run(
        [sys.executable, "-m", "vna.cli", "import", folder],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "VNA_LOG__LEVEL": "debug",
            "VNA_LOG__FORMAT": "json",
        },
    )
    log = [line for line in done.stderr.splitlines() if line.startswith("{")]
    assert done.returncode == 1
    assert len(log) >= 3
    assert [line for line in log if json.loads(line)["event"] == "instance refused"]
    for secret in (*NAME.split("^"), PATIENT_ID):
        assert secret.lower() not in (done.stderr + done.stdout).lower()


@pytest.mark.parametrize(
    ("head", "is_dicom"),
    [
        (b"\0" * 128 + b"DICM", True),
        (b"\x08\0\x16\0UI", True),
        (b"\x08\0\0\0\x04\0\0\0", True),
        (b"\x02\0\0\0UL", True),
        (b"DICM\x02\0", True),
        (b"", False),
        (b"%PDF-1.7", False),
        (b"\x89PNG\r\n", False),
        (b"\0" * 132, False),
    ],
)
def test_files_are_told_apart_by_how_they_begin(head: bytes, is_dicom: bool) -> None:
    assert looks_like_dicom(head) is is_dicom


Damage = Callable[[Path], object]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "size differs"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\xa5"), "digest differs"),
    ],
)
def test_verify_finds_damage_names_it_and_ends_with_1(
    vna: Vna, files: Path, tmp_path: Path, damage: Damage, words: str
) -> None:
    vna("import", files)
    assert (vna("verify").code, vna("verify").out) == (0, "2 sound, 0 damaged\n")
    ((name,),) = _rows("SELECT blob FROM instances ORDER BY id LIMIT 1")
    path = tmp_path / "data" / "blobs" / str(name)
    path.parent.chmod(0o755)
    path.chmod(0o644)
    damage(path)
    done = vna("verify")
    assert (done.code, done.out) == (1, "1 sound, 1 damaged\n")
    assert done.err == f"damaged: {name}: {words}\n"


def test_reindex_rebuilds_the_index_from_the_blob_store_alone(vna: Vna, files: Path, tmp_path: Path) -> None:
    vna("import", files, "--facility", "34001")
    before = _rows("SELECT sop_instance_uid, facility, received_at FROM instances ORDER BY 1")
    for path in (tmp_path / "data").glob("index.sqlite*"):
        path.unlink()
    done = vna("reindex")
    assert done.code == 0
    assert done.out.startswith("2 indexed, ")
    assert _rows("SELECT sop_instance_uid, facility, received_at FROM instances ORDER BY 1") == before


def test_reindex_says_what_the_journal_names_and_is_gone(vna: Vna, files: Path, tmp_path: Path) -> None:
    vna("import", files)
    ((name,),) = _rows("SELECT blob FROM instances ORDER BY id LIMIT 1")
    (tmp_path / "data" / "blobs" / str(name)).unlink()
    done = vna("reindex")
    assert done.code == 1
    assert f"named by the journal and not there: {name}" in done.err


def test_what_is_lost_stays_damage_until_it_is_given_up(vna: Vna, files: Path, tmp_path: Path) -> None:
    vna("import", files)
    ((uid, name),) = _rows("SELECT sop_instance_uid, blob FROM instances ORDER BY id LIMIT 1")
    (tmp_path / "data" / "blobs" / str(name)).write_bytes(b"cut")
    done = vna("reindex")
    assert (done.code, done.err.count(str(name))) == (1, 1)
    done = vna("verify")
    assert (done.code, done.out) == (1, "1 sound, 1 damaged\n")
    assert done.err == f"damaged: {name}: size differs\n"
    done = vna("verify", "--forget", str(uid))
    assert (done.code, done.err) == (0, f"forgotten: {name}\n")
    assert done.out == f"{uid} is given up; the next `vna reindex` leaves it out of the index\n"
    for _ in range(2):
        done = vna("verify")
        assert (done.code, done.out) == (0, "1 sound, 0 damaged\n")
        assert vna("reindex").code == 0
    done = vna("verify", "--forget", str(uid))
    assert (done.code, done.err) == (1, f"vna: nothing is damaged under the SOP Instance UID {uid}\n")


def test_migrate_may_be_run_again(vna: Vna, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VNA_DATA_DIR", str(tmp_path / "new"))
    assert vna("migrate").out.startswith("the schema is now at ")
    assert vna("migrate").out.startswith("the schema was up to date ")


def test_demo_writes_the_study_as_files(vna: Vna, tmp_path: Path) -> None:
    assert vna("demo", "somewhere").out == "80 files written to somewhere\n"
    assert len(list((tmp_path / "somewhere").rglob("*.dcm"))) == 80

"""`vna backup` and `vna restore`, as operators use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Vna
from tests.objects import ct, part10


@pytest.fixture
def backed_up(vna: Vna, tmp_path: Path) -> Path:
    for number in range(3):
        (tmp_path / f"{number}.dcm").write_bytes(part10(ct(PatientID=f"P{number}")))
    assert vna("import", *sorted(tmp_path.glob("*.dcm"))).code == 0
    assert vna("backup", tmp_path / "backup").code == 0
    return tmp_path / "backup"


def test_a_backup_is_restored_into_an_empty_place_and_verifies(
    vna: Vna, backed_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert vna("restore", backed_up).err.endswith("a backup is restored into an empty place only\n")
    monkeypatch.setenv("VNA_DATA_DIR", str(tmp_path / "again"))

    done = vna("restore", backed_up)

    assert (done.code, "0 damaged" in done.out) == (0, True)
    assert vna("verify").out == "3 sound, 0 damaged\n"
    assert (tmp_path / "again" / "index.sqlite").stat().st_mode & 0o077 == 0
    assert not [path for path in backed_up.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]


def test_a_restore_test_writes_a_report_to_sign_and_is_remembered(vna: Vna, backed_up: Path, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    for form in ("txt", "html", "pdf"):
        report = tmp_path / f"report.{form}"
        done = vna("restore", "--test", backed_up, "--scratch", tmp_path / "scratch", "--report", report)
        assert done.code == 0, done.err
        assert "passed; 6 objects compared" in done.out or "passed; 4 objects compared" in done.out
        assert report.stat().st_size > 500
    said = (tmp_path / "report.txt").read_text()
    assert "instances: 3, 3\n" in said
    assert "Approved by / Onaylayan" in said
    assert list((tmp_path / "scratch").iterdir()) == []
    assert vna("backup", "--status").out.count("restore test") == 3


def test_a_restore_test_finds_one_flipped_byte_and_says_so_in_the_report(
    vna: Vna, backed_up: Path, tmp_path: Path
) -> None:
    victim = next(path for path in backed_up.glob("blobs/studies/**/*.dcm"))
    raw = bytearray(victim.read_bytes())
    raw[-1] ^= 1
    victim.write_bytes(raw)

    done = vna("restore", "--test", backed_up, "--report", tmp_path / "report.txt")

    assert done.code == 1
    assert f"{victim.relative_to(backed_up / 'blobs')} is not what it was" in (tmp_path / "report.txt").read_text()
    status = vna("backup", "--status")
    assert (status.code, "failed" in status.out) == (0, True), "no backups at regular times: nothing is overdue"

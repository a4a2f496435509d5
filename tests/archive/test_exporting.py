"""Exports of an archive, on either pair of stores."""

from __future__ import annotations

import gzip
import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pydicom
import pytest

from storage.index.handing_over import Scope
from tests.archive.test_care import damage
from tests.archives import Backend, Open, put, ready, rows
from tests.objects import ct, part10
from vna.app import Application, build
from vna.archive import exporting
from vna.archive.exporting import Order, Progress
from vna.model.access import SYSTEM
from vna.model.errors import BadRequest, NotFound


def _ignored(_progress: Progress) -> None:
    """Nobody looks."""


def _index(folder: Path, table: str, column: str) -> list[object]:
    """What the exported index has in a column."""
    if (folder / "index.sqlite").exists():
        index = sqlite3.connect(folder / "index.sqlite")
        found = [row[0] for row in index.execute(f"SELECT {column} FROM {table} ORDER BY 1")]
        index.close()
        return found
    with gzip.open(folder / f"{table}.jsonl.gz") as file:
        head, *lines = map(json.loads, file)
    return sorted(line[head["columns"].index(column)] for line in lines)


def test_what_is_damaged_is_named_and_left_out_of_an_export(open_archive: Open, tmp_path: Path) -> None:
    archive = open_archive()
    bad, good = put(archive, part10(ct())), put(archive, part10(ct()))
    damage(archive, bad)

    made = archive.keeping.exports.run(SYSTEM, tmp_path / "out", Order(Scope()), _ignored)

    assert made["counts"]["instances"] == 1
    assert bad.sop_instance_uid in json.dumps(made)
    assert len(list((tmp_path / "out/VOL00001/DICOM").rglob("I*"))) == 1
    assert good.sop_instance_uid not in json.dumps(made.get("left_out", ""))


def test_an_export_has_corrections_and_nothing_deleted_and_the_rows_of_its_studies_alone(
    open_archive: Open, tmp_path: Path
) -> None:
    archive = open_archive()
    gone, other = ct(StudyDate="20260301"), ct(PatientID="P2", PatientName="Öteki^Kişi", StudyDate="20260301")
    kept = ct(StudyInstanceUID=gone.StudyInstanceUID, StudyDate="20260301")
    for one in (gone, kept, other, ct(StudyDate="20250301")):
        put(archive, part10(one))
    archive.accounts.add_user(SYSTEM, "zacharias", "long enough a password")
    archive.deletion.delete(SYSTEM, gone.StudyInstanceUID, gone.SeriesInstanceUID, gone.SOPInstanceUID, reason="wrong")
    archive.keeping.corrections.correct(
        SYSTEM, kept.StudyInstanceUID, said={"PatientName": "Doğru^İsim"}, reason="typing"
    )
    archive.catch_up()
    archive.workers().drain()
    order = Order(Scope((str(kept.StudyInstanceUID),), from_date="20260101"), with_database=True, receiver="Müdürlük")

    made = archive.keeping.exports.run(SYSTEM, tmp_path / "out", order, _ignored)

    assert made["counts"] | {"bytes": 0} == {"patients": 1, "studies": 1, "series": 1, "instances": 1, "bytes": 0}
    (path,) = (tmp_path / "out/VOL00001/DICOM").rglob("I*")
    assert pydicom.dcmread(path).PatientName == "Doğru^İsim"
    record = pydicom.dcmread(tmp_path / "out/VOL00001/DICOMDIR").DirectoryRecordSequence[0]
    assert record.PatientName == "Doğru^İsim"
    database = tmp_path / "out" / "DATABASE"
    assert _index(database, "instances", "sop_instance_uid") == [kept.SOPInstanceUID]
    assert _index(database, "studies", "study_instance_uid") == [kept.StudyInstanceUID]
    assert made["rows"]["instances"] == 1
    everything = b"".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in database.iterdir()
    )
    assert "Öteki".encode() not in everything
    assert b"zacharias" not in everything
    (event,) = rows(archive, "SELECT detail FROM events WHERE kind = 'studies.exported'")
    assert json.loads(str(event[0]))["receiver"] == "Müdürlük"
    assert exporting.verify(tmp_path / "out", _ignored).problem_count == 0


def test_a_medium_tells_patients_of_two_issuers_apart_and_a_file_that_was_added_is_noticed(
    open_archive: Open, tmp_path: Path
) -> None:
    archive = open_archive()
    for issuer in ("HIS", "LIS", ""):
        made = ct(PatientID="P1")
        if issuer:
            made.IssuerOfPatientID = issuer
        put(archive, part10(made))
    archive.keeping.exports.run(SYSTEM, tmp_path / "out", Order(Scope()), _ignored)
    volume = tmp_path / "out/VOL00001"
    patients = [
        (record.PatientID, record.get("IssuerOfPatientID"))
        for record in pydicom.dcmread(volume / "DICOMDIR").DirectoryRecordSequence
        if record.DirectoryRecordType == "PATIENT"
    ]
    assert sorted(patients, key=str) == [("P1", "HIS"), ("P1", "LIS"), ("P1", None)]
    assert exporting.verify(tmp_path / "out", _ignored).problem_count == 0

    (volume / "DICOM/STRANGE").write_bytes(b"x")

    assert exporting.verify(tmp_path / "out", _ignored).problems == ["DICOM/STRANGE is not in the manifest"]


def test_an_export_is_refused_of_nothing_and_on_too_small_a_medium(open_archive: Open, tmp_path: Path) -> None:
    archive = open_archive()
    with pytest.raises(NotFound, match="no study fits"):
        archive.keeping.exports.run(SYSTEM, tmp_path / "out", Order(Scope(facility="X")), _ignored)
    with pytest.raises(BadRequest):
        archive.keeping.exports.run(SYSTEM, tmp_path / "out", Order(Scope(), medium_bytes=1000), _ignored)


_KILLED = """
import os, signal, sys
from pathlib import Path
from vna.archive.retrieve import Retrieval
from vna.cli import run
original, count = Retrieval.part10, 0
def part10(*given):
    global count
    count += 1
    if count == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*given)
Retrieval.part10 = part10
run(sys.argv[1:])
"""


def test_an_export_that_was_killed_goes_on_and_is_whole(tmp_path: Path) -> None:
    archive = _sqlite(tmp_path)
    study = ct()
    for number in range(10):
        put(archive, part10(ct(StudyInstanceUID=study.StudyInstanceUID, InstanceNumber=number)))
    out = tmp_path / "out"
    environment = {"VNA_DATA_DIR": str(archive.settings.data_dir), "VNA_STORAGE__MIN_FREE": "0", "PYTHONPATH": "."}
    command = [sys.executable, "-c", _KILLED, "export", str(out), "--all"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    written = {path: path.stat().st_mtime_ns for path in out.rglob("I*")}
    assert len(written) == 5
    (out / "VOL00001/DICOM/G0000000/S0000001/I0FFFFFF").write_bytes(b"written, and not noted")
    time.sleep(0.01)

    made = archive.keeping.exports.run(SYSTEM, out, Order(Scope()), _ignored)

    assert made["counts"]["instances"] == 10
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert len(list(out.rglob("I*"))) == 10
    assert exporting.verify(out, _ignored).problem_count == 0
    archive.close()


def _sqlite(folder: Path) -> Application:
    settings = Backend("sqlite+folder", folder).settings()
    ready(settings)
    return build(settings)

"""`vna delete` and `vna deleted`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Vna
from tests.objects import ct, part10


def test_a_study_is_deleted_listed_and_put_back(vna: Vna, tmp_path: Path) -> None:
    ds = ct()
    (tmp_path / "one.dcm").write_bytes(part10(ds))
    assert vna("import", tmp_path / "one.dcm").code == 0

    assert vna("delete", ds.StudyInstanceUID, "--reason", "by mistake").out.startswith("1 instance deleted;")

    (row,) = json.loads(vna("deleted", "list", "--format", "json").out)
    assert (row["instance"], row["by"], row["reason"]) == (ds.SOPInstanceUID, "vna", "by mistake")
    again = vna("delete", ds.StudyInstanceUID)
    assert (again.code, again.err) == (1, "vna: no such study\n")
    assert vna("deleted", "restore", ds.StudyInstanceUID).out == "1 put back\n"
    assert vna("deleted", "restore", ds.StudyInstanceUID).code == 1
    assert vna("verify").out == "1 sound, 0 damaged\n"


def test_what_cannot_be_put_back_is_told(vna: Vna, tmp_path: Path) -> None:
    ds = ct()
    (tmp_path / "one.dcm").write_bytes(part10(ds))
    vna("import", tmp_path / "one.dcm")
    vna("delete", ds.StudyInstanceUID)
    vna("import", tmp_path / "one.dcm")

    done = vna("deleted", "restore", ds.StudyInstanceUID)

    assert (done.code, done.out) == (1, "0 put back, 1 not\n")
    assert "held again" in done.err

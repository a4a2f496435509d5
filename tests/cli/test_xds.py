"""`vna xds`: manifests and reports published by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Vna
from tests.objects import ct, part10


@pytest.fixture
def study(vna: Vna, tmp_path: Path) -> str:
    """Imported."""
    ds = ct()
    path = tmp_path / "one.dcm"
    path.write_bytes(part10(ds))
    assert vna("import", path).code == 0
    return str(ds.StudyInstanceUID)


def test_a_repository_that_does_not_answer_is_said_so_and_tried_again_later(
    vna: Vna, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VNA_XDS__PUBLISH_TO", "http://127.0.0.1:9/xds/repository")

    done = vna("xds", "publish", study)

    assert done.code == 1
    assert study in done.err
    assert "127.0.0.1:9 cannot be reached" in done.err
    (job,) = json.loads(vna("jobs", "list", "--format", "json").out)
    assert (job["kind"], job["about"], job["state"], job["attempts"]) == ("publish", study, "ready", "1")


def test_a_study_that_is_not_held_is_not_published(vna: Vna) -> None:
    done = vna("xds", "publish", "1.2.3")

    assert (done.code, done.out) == (1, "")
    assert "1.2.3: no such study" in done.err


@pytest.mark.parametrize("name", ["report.png", "report"])
def test_a_report_of_another_kind_is_refused(vna: Vna, study: str, tmp_path: Path, name: str) -> None:
    report = tmp_path / name
    report.write_bytes(b"x")

    done = vna("xds", "publish", study, "--report", report)

    assert done.code == 1
    assert ".pdf, .txt or .xml" in done.err
    assert vna("xds", "publish", study, "--report", tmp_path / "absent.pdf").code == 2

"""The commands of docs/xds.md lead from a stored study to a retrieved one, against a running archive."""

from __future__ import annotations

import re
from pathlib import Path

import pydicom
import pytest

from tests.archives import Backend, start_archive
from tests.peers.processes import system_program
from tests.tours import walked
from vna import demo

ROOT = Path(__file__).parents[1]
SECTION = re.search(r"^## From a stored.*?^(?=## )", (ROOT / "docs" / "xds.md").read_text(), re.MULTILINE | re.DOTALL)


def _blocks(language: str) -> list[str]:
    assert SECTION is not None
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTION[0], re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sharing")


@pytest.fixture(scope="module")
def tour(folder: Path) -> str:
    """All of it, as one script that ends at the first command that fails; what it wrote."""
    for program, package in (("storescu", "dcmtk"), ("curl", "curl")):
        system_program(program, package=package)
    settings, profile = _blocks("toml")
    (folder / "profile.toml").write_text(profile)
    (folder / "vna.toml").write_text(settings.replace("/etc/vna", str(folder)))
    live = start_archive(Backend("sqlite+folder", folder), CONFIG=str(folder / "vna.toml"))
    addresses = {"127.0.0.1:8080": live.http.removeprefix("http://"), "11112": str(live.dimse_port)}
    return walked(live, "\n".join(_blocks("sh")), addresses, folder, seconds=300)


def test_the_manifest_is_found_by_patient_and_by_accession_number(tour: str, folder: Path) -> None:
    (manifest,) = (folder / "documents").iterdir()
    unique_id = pydicom.dcmread(manifest).SOPInstanceUID
    assert tour.count(unique_id) >= 3  # both answers, and the name of its file
    assert "^urn:ihe:iti:xds:2013:accession" in tour


def test_the_manifest_names_every_image(tour: str, folder: Path) -> None:
    (manifest,) = (folder / "documents").iterdir()
    (study,) = pydicom.dcmread(manifest).CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == demo.STUDY_INSTANCE_UID
    assert sum(len(series.ReferencedSOPSequence) for series in study.ReferencedSeriesSequence) == 80
    for series in study.ReferencedSeriesSequence:
        assert f"[{series.SeriesInstanceUID}]" in tour
        assert f"[{series.RetrieveLocationUID}]" in tour


@pytest.mark.usefixtures("tour")
def test_rad_69_and_wado_rs_give_the_same_image(folder: Path) -> None:
    image = (folder / "image.dcm").read_bytes()
    assert image[128:132] == b"DICM"
    answer = (folder / "rad69.multipart").read_bytes()
    assert b"ResponseStatusType:Success" in answer
    assert image in answer

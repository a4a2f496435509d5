"""The demonstration study: what a viewer needs of it, and that it is the same every time."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pydicom import FileDataset, dcmread

from vna import demo


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return dict(demo.files())


@pytest.fixture(scope="module")
def instances(files: dict[str, bytes]) -> list[FileDataset]:
    return [dcmread(BytesIO(content)) for content in files.values()]


def _series(instances: list[FileDataset], modality: str) -> list[FileDataset]:
    return [ds for ds in instances if ds.Modality == modality]


def test_it_is_one_study_of_64_ct_and_16_mr_slices(instances: list[FileDataset]) -> None:
    assert {ds.StudyInstanceUID for ds in instances} == {demo.STUDY_INSTANCE_UID}
    assert [len(_series(instances, modality)) for modality in ("CT", "MR")] == [64, 16]
    assert len({ds.SOPInstanceUID for ds in instances}) == 80
    assert {(ds.Rows, ds.BitsAllocated) for ds in _series(instances, "CT")} == {(512, 16)}


def test_it_is_the_same_every_time(files: dict[str, bytes]) -> None:
    once_more = {name: hashlib.sha256(content).digest() for name, content in demo.files()}
    assert once_more == {name: hashlib.sha256(content).digest() for name, content in files.items()}


def test_its_patient_has_a_turkish_name_in_unicode(instances: list[FileDataset]) -> None:
    assert {str(ds.PatientName) for ds in instances} == {"Yıldız^Şükran İpek"}  # noqa: RUF001
    assert {ds.SpecificCharacterSet for ds in instances} == {"ISO_IR 192"}


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_slices_lie_one_step_apart_in_one_space(instances: list[FileDataset], modality: str) -> None:
    series = _series(instances, modality)
    steps = {round(b.ImagePositionPatient[2] - a.ImagePositionPatient[2], 3) for a, b in pairwise(series)}
    assert steps == {5.0 if modality == "CT" else 6.0}
    assert len({ds.FrameOfReferenceUID for ds in series}) == 1
    assert [ds.InstanceNumber for ds in series] == list(range(1, len(series) + 1))


def test_the_middle_ct_slice_shows_air_lung_soft_tissue_and_bone(instances: list[FileDataset]) -> None:
    ds = _series(instances, "CT")[31]
    hounsfield = ds.pixel_array.astype(float) * ds.RescaleSlope + ds.RescaleIntercept

    def near(x_mm: float, y_mm: float) -> float:
        column, row = (round(255.5 + mm / ds.PixelSpacing[0]) for mm in (x_mm, y_mm))
        return float(np.median(hounsfield[row - 3 : row + 4, column - 3 : column + 4]))

    assert near(-170, -170) < -950
    assert -900 < near(-80, 25) < -800
    assert 0 < near(0, 30) < 90
    assert near(0, 62) > 150


def test_neighbouring_slices_differ(instances: list[FileDataset]) -> None:
    for modality in ("CT", "MR"):
        pictures = [ds.pixel_array.astype(float) for ds in _series(instances, modality)]
        assert all(np.abs(a - b).mean() > 1 for a, b in pairwise(pictures))


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (Debian: dicom3tools)")
@pytest.mark.parametrize("name", ["ct/ct-001.dcm", "ct/ct-032.dcm", "mr/mr-001.dcm", "mr/mr-016.dcm"])
def test_dciodvfy_finds_no_error(files: dict[str, bytes], tmp_path: Path, name: str) -> None:
    path = tmp_path / "instance.dcm"
    path.write_bytes(files[name])
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
    assert "Error" not in said
    assert "Warning" not in said

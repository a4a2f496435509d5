"""Sample DICOM files: those in pydicom's wheel, and those of ../shared/data/dicom where that is there."""

from __future__ import annotations

import functools
from pathlib import Path

import pydicom.data
import pytest

SHARED_DICOM = Path(__file__).parents[3] / "shared" / "data" / "dicom"
PYDICOM_FOLDERS = ("test_files", "charset_files", "palettes")
NOT_DICOM = {".csv", ".dump", ".gz", ".icc", ".json", ".md", ".py", ".pyc", ".txt"}


def _dicom_files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in NOT_DICOM)
    return sorted(path for path in found if path.stat().st_size)


@functools.cache
def pydicom_files() -> tuple[Path, ...]:
    """What the wheel itself carries; never pydicom's own look-up, which downloads what is not there."""
    root = Path(pydicom.data.__file__).parent
    return tuple(path for folder in PYDICOM_FOLDERS for path in _dicom_files(root / folder))


@functools.cache
def shared_files() -> tuple[Path, ...]:
    """Empty where the folder is absent."""
    return tuple(_dicom_files(SHARED_DICOM))


def all_files() -> tuple[Path, ...]:
    """For `parametrize`, with `name` as ids."""
    return (*pydicom_files(), *shared_files())


def name(path: Path) -> str:
    """Short and unlike any other sample's."""
    return "/".join(path.parts[-2:])


@pytest.fixture(scope="session")
def sample_files() -> tuple[Path, ...]:
    """Every sample file here, DICOMDIRs and bare data sets included."""
    return all_files()


@pytest.fixture(scope="session")
def shared_dicom() -> Path:
    """The folder of shared samples; skips where it is absent."""
    if not SHARED_DICOM.is_dir():
        pytest.skip("../shared/data/dicom is not here")
    return SHARED_DICOM

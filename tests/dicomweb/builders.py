"""Instances and STOW bodies for the tests of the door."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from tests import objects
from vna.mime.writer import Part, write_multipart
from vna.sending import as_bytes

ROOT = "1.2.826.0.1.3680043.10.1561"
STUDY = f"{ROOT}.1"
SERIES = f"{ROOT}.1.1"
BOUNDARY = "a-boundary"
STOW_TYPE = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'


def ct(*, frames: int = 1, rows: int = 4, columns: int = 6, **attributes: Any) -> Dataset:
    """A CT image of one study whose pixel values count up; keywords given win, None takes one away."""
    pixels = np.arange(frames * rows * columns, dtype="<u2").tobytes()
    wanted = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "Rows": rows, "Columns": columns}
    ds = objects.ct(**wanted, PixelData=pixels)
    ds["PixelData"].VR = "OW"
    if frames > 1:
        ds.NumberOfFrames = frames
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def part10(ds: Dataset) -> bytes:
    """The data set as a file; group 2 is well formed whatever its UIDs are."""
    if not hasattr(ds, "file_meta"):
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.preamble = bytes(128)
    ds.file_meta.FileMetaInformationVersion = b"\0\1"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = UID(ds.get("SOPInstanceUID") or f"{ROOT}.9")
    ds.file_meta.ImplementationClassUID = UID(f"{ROOT}.8")
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=False)
    return buffer.getvalue()


def stow_body(*files: bytes, content_type: str = "application/dicom") -> bytes:
    """A multipart body of these files."""
    return b"".join(
        as_bytes(write_multipart([Part((("Content-Type", content_type),), [file]) for file in files], BOUNDARY))
    )

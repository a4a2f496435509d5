"""Invented instances, small unless asked otherwise."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid


def ct(**elements: Any) -> Dataset:
    """A CT image of 16 x 16 with what every archive wants to know; keyword arguments change or add elements."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID = elements.get("StudyInstanceUID") or generate_uid()
    ds.SeriesInstanceUID = elements.get("SeriesInstanceUID") or generate_uid()
    ds.StudyDate, ds.StudyTime = "20260102", "101112"
    ds.Modality = "CT"
    ds.PatientName, ds.PatientID = "Deneme^Ayşe", "P1"
    ds.AccessionNumber, ds.StudyID = "A1", "1"
    ds.ReferringPhysicianName = "Hekim^Can"
    ds.SeriesNumber, ds.InstanceNumber = 1, 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = 16, 16
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelData = bytes(range(256)) * 2
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def part10(ds: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The data set as a Part 10 file."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()

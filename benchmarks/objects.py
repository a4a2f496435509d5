"""What is sent: CT images of 512 x 512 x 16 bit, and small objects of 8 KB, both invented."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian, generate_uid

from vna import demo


def ct_images(folder: Path, count: int, series: int = 4) -> list[list[Path]]:
    """`count` slices of the phantom as one study of `series` series; files by series."""
    study, uids = generate_uid(), [generate_uid() for _ in range(series)]
    sources = []
    for data in demo.generate():
        sources.append(dcmread(BytesIO(data)))
        if len(sources) == 64:
            break
    made: list[list[Path]] = [[] for _ in range(series)]
    for number in range(count):
        ds = sources[number % len(sources)]
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, uids[number % series]
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.InstanceNumber = number + 1
        path = folder / f"ct{number:05d}.dcm"
        ds.save_as(path)
        made[number % series].append(path)
    return made


def small_objects(folder: Path, count: int) -> list[Path]:
    """Encapsulated documents of 8 KB."""
    study, series = generate_uid(), generate_uid()
    noise = np.random.default_rng(1)
    made = []
    for number in range(count):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = study, series, number + 1
        ds.PatientName, ds.PatientID, ds.Modality = "Deneme^Veli", "B1", "DOC"
        ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20260101", "1200", "B1"
        ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
        ds.EncapsulatedDocument = noise.bytes(7600)
        path = folder / f"doc{number:05d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        made.append(path)
    return made

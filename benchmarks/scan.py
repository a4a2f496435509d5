"""Microseconds that reading one header takes: `python -m benchmarks.scan`."""

import io
import statistics
import time
from collections.abc import Callable
from typing import TypeVar

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from storage.metadata import scan, to_json
from storage.part10 import read_file_meta
from storage.values import cached_value

ROUNDS = 300
Item = TypeVar("Item")


def header(elements: int, number: int) -> bytes:
    """A CT header of about so many elements, its identifiers and position its own as in a series."""
    ds = Dataset()
    ds.SpecificCharacterSet, ds.ImageType = "ISO_IR 148", ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "2.25.1", "2.25.1.1"
    ds.PatientName, ds.PatientID, ds.Modality = "GÜNEŞ^DENİZ", "P1", "CT"
    ds.ImagePositionPatient, ds.InstanceNumber = [-125.0, -125.0, number * 1.25], number
    ds.PixelSpacing, ds.ImageOrientationPatient = [0.488281, 0.488281], [1, 0, 0, 0, 1, 0]
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.SamplesPerPixel, ds.PixelRepresentation = 512, 512, 16, 1, 1
    ds.ReferencedImageSequence = [_reference() for _ in range(3)]
    block = ds.private_block(0x0009, "BENCHMARK", create=True)
    vrs = ("DS", "LO", "US", "SH", "FD", "IS", "CS", "UI")
    values = ("1.25", "a description", 7, f"slice {number}", 3.25, "12", "CODE", "1.2.3")
    for at in range(elements - len(ds)):
        block.add_new(at, vrs[at % 8], values[at % 8])
    ds.PixelData = bytes(512 * 512 * 2)
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _reference() -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "2.25.1.2"
    return item


def microseconds(work: Callable[[Item], object], files: list[Item]) -> float:
    times = []
    for at in range(ROUNDS):
        begin = time.perf_counter()
        work(files[at % len(files)])
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e6


def read(file: bytes) -> object:
    return scan(file, read_file_meta(file))


def cold(file: bytes) -> object:
    cached_value.cache_clear()
    return read(file)


def pydicom_reads(file: bytes) -> object:
    return dcmread(io.BytesIO(file), stop_before_pixels=True)


def main() -> None:
    for elements in (100, 256):
        files = [header(elements, number) for number in range(64)]
        found = [scan(file, read_file_meta(file)).elements for file in files]
        warm = microseconds(read, files)
        print(f"{elements} elements: scan {warm:.0f} µs, without cache {microseconds(cold, files):.0f} µs,", end=" ")
        print(f"to JSON {microseconds(to_json, found):.0f} µs,", end=" ")
        print(f"pydicom dcmread {microseconds(pydicom_reads, files):.0f} µs")


if __name__ == "__main__":
    main()

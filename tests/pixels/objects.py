"""Part 10 objects made for these tests, and what pydicom reads out of a transcoded data set."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_file_meta_info
from pydicom.pixels.encoders.base import get_encoder
from pydicom.tag import BaseTag
from pydicom.uid import UID

from vna.pixels.transcode import transcode

SC_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.7.2"


def part10(dataset_bytes: bytes, syntax_uid: str) -> bytes:
    """A data set with preamble and group 2 before it."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(SC_MULTIFRAME)
    meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    meta.TransferSyntaxUID = UID(syntax_uid)
    out = io.BytesIO()
    out.write(bytes(128) + b"DICM")
    write_file_meta_info(DicomFileLike(out), meta)
    return out.getvalue() + dataset_bytes


def read_as(dataset_bytes: bytes, syntax_uid: str) -> Dataset:
    """What pydicom sees in a data set said to be in a transfer syntax."""
    return pydicom.dcmread(io.BytesIO(part10(dataset_bytes, syntax_uid)))


def transcoded_bytes(part10_bytes: bytes, target_uid: str) -> bytes:
    """The data set that transcode() makes."""
    with transcode(io.BytesIO(part10_bytes), target_uid) as made:
        return made.read()


def transcoded(part10_bytes: bytes, target_uid: str) -> Dataset:
    """The data set that transcode() makes, read back by pydicom."""
    return read_as(transcoded_bytes(part10_bytes, target_uid), target_uid)


def encoded(ds: Dataset, syntax_uid: str) -> bytes:
    """A Part 10 object that pydicom writes."""
    out = io.BytesIO()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax_uid)
    ds.file_meta.MediaStorageSOPClassUID = UID(SC_MULTIFRAME)
    ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def image(pixels: np.ndarray[Any, Any], photometric: str = "MONOCHROME2", **attributes: Any) -> Dataset:
    """A native image; `pixels` is frames x rows x columns (x samples)."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = SC_MULTIFRAME, "1.2.3.4"
    ds.PatientName = "Deneme^Hasta"
    ds.SamplesPerPixel = pixels.shape[3] if pixels.ndim == 4 else 1
    ds.PhotometricInterpretation = photometric
    if pixels.ndim == 4:
        ds.PlanarConfiguration = 0
    ds.NumberOfFrames = pixels.shape[0]
    ds.Rows, ds.Columns = pixels.shape[1:3]
    ds.BitsAllocated = ds.BitsStored = pixels.dtype.itemsize * 8
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def compressed(
    ds: Dataset, syntax_uid: str, frames: Sequence[bytes], *, fragments_per_frame: int = 1, has_bot: bool = True
) -> bytes:
    """A Part 10 object whose pixel data is these encoded frames."""
    ds.PixelData = encapsulate(list(frames), fragments_per_frame=fragments_per_frame, has_bot=has_bot)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return encoded(ds, syntax_uid)


def rle(frame: np.ndarray[Any, Any]) -> bytes:
    """One frame in RLE, as pydicom encodes it."""
    encode: Callable[..., bytes] = get_encoder("1.2.840.10008.1.2.5").encode
    samples = frame.shape[2] if frame.ndim == 3 else 1
    return encode(
        frame,
        rows=frame.shape[0],
        columns=frame.shape[1],
        samples_per_pixel=samples,
        bits_allocated=frame.dtype.itemsize * 8,
        bits_stored=frame.dtype.itemsize * 8,
        pixel_representation=0,
        photometric_interpretation="RGB" if samples == 3 else "MONOCHROME2",
        number_of_frames=1,
        planar_configuration=0,
    )


def ramp(frames: int, rows: int, columns: int, dtype: str = "<u2") -> np.ndarray[Any, Any]:
    """Frames that all differ."""
    f, y, x = np.mgrid[0:frames, 0:rows, 0:columns]
    return np.asarray(f * 101 + y * 7 + x * 3, dtype)


def values(ds: Dataset) -> dict[int, Any]:
    """Every element's value as it is encoded, sequences as lists of the same; group lengths left out."""
    return {int(tag): _value(ds, tag) for tag in ds._dict if tag.element != 0}


def _value(ds: Dataset, tag: BaseTag) -> Any:
    if tag == 0x00280103:  # pydicom decodes it where others depend on it
        return ds[tag].value
    raw: Any = ds.get_item(tag)
    if raw.VR == "SQ" or (raw.VR in (None, "UN") and ds[tag].VR == "SQ"):
        return [values(item) for item in ds[tag].value]
    return raw.value or b""

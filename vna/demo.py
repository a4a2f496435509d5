"""The demonstration study: an invented patient with a phantom chest CT (64 slices) and a phantom head MR (16 slices).

Everything is made by the arithmetic below, the same at every call: UIDs come from names, noise from a seed.
"""

import io
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

Image = NDArray[np.float32]

_NAMESPACE = uuid.UUID("6f6b5d0c-3f1e-5b0a-9a55-2f3f6c1d8e21")
_SEED = 20250115

PATIENT_ID = "DEMO-0001"
ACCESSION_NUMBER = "DEMO20250115"


def uid(name: str) -> str:
    """A UID that belongs to `name` for ever (PS3.5 B.2: 2.25 and a UUID as one number)."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, name).int}"


STUDY_INSTANCE_UID = uid("study")


@dataclass(frozen=True, slots=True)
class Volume:
    """The geometry of a series, and how one of its slices is made."""

    name: str
    slices: int
    size: int
    spacing: float
    step: float
    draw: Callable[["Canvas", float, np.random.Generator], Image]
    describe: Callable[[], Dataset]


class Canvas:
    """A slice to paint shapes on, in millimetres from its middle: x to the patient's left, y to the back."""

    def __init__(self, size: int, spacing: float) -> None:
        axis = ((np.arange(size) - (size - 1) / 2) * spacing).astype(np.float32)
        self.x, self.y, self.size, self.spacing = axis[None, :], axis[:, None], size, spacing
        self.image: Image = np.zeros((size, size), np.float32)

    def fill(self, value: float) -> None:
        """Start again."""
        self.image[:] = value

    def ellipse(self, centre: tuple[float, float], radii: tuple[float, float], value: float, edge: float = 1.0) -> None:
        """Paint an ellipse with an edge of about `edge` millimetres; nothing where a radius is not positive."""
        (cx, cy), (rx, ry) = centre, radii
        if min(rx, ry) <= 0:
            return
        rows, columns = self._window(cy, ry + edge), self._window(cx, rx + edge)
        x, y = self.x[:, columns] - np.float32(cx), self.y[rows] - np.float32(cy)
        distance = np.sqrt((x / np.float32(rx)) ** 2 + (y / np.float32(ry)) ** 2)
        share = np.clip((1 - distance) * np.float32(min(rx, ry) / edge) + 0.5, 0, 1)
        part = self.image[rows, columns]
        part += share * (np.float32(value) - part)

    def ball(self, centre: tuple[float, float, float], radius: float, z: float, value: float) -> None:
        """Paint the cut at height `z` through a ball."""
        rest = radius**2 - (z - centre[2]) ** 2
        if rest > 0:
            self.ellipse(centre[:2], (rest**0.5, rest**0.5), value)

    def _window(self, centre: float, reach: float) -> slice:
        middle = centre / self.spacing + (self.size - 1) / 2
        first, last = int(middle - reach / self.spacing), int(middle + reach / self.spacing) + 2
        return slice(max(first, 0), max(last, 0))


def _chest(canvas: Canvas, z: float, noise: np.random.Generator) -> Image:
    """Hounsfield units of a chest at height `z` (0 in the middle, feet negative, about 160 either way)."""
    canvas.fill(-1000)
    wide = 1 + 0.06 * np.cos(z / 90)
    canvas.ellipse((0, 175), (150, 6), -300)  # the table
    canvas.ellipse((0, 0), (160 * wide, 112 * wide), -95)  # skin and fat
    canvas.ellipse((0, 0), (146 * wide, 98 * wide), 45)  # muscle
    for side in (-1, 1):
        _lung(canvas, side, z)
    _ribs(canvas, z)
    if z > -90:
        canvas.ball((22, -18, -40), 52, z, 45)  # heart
    else:
        canvas.ellipse((-45, -8), (72, 62), 58)  # liver
        canvas.ball((-62, -20, -120), 14, z, 12)  # a cyst in it
        canvas.ellipse((72, 18), (34, 40), 50)  # spleen
    canvas.ellipse((14, 46), (11, 11), 140)  # aorta
    canvas.ellipse((0, -78 * wide), (16, 6), 260)  # breastbone
    _spine(canvas, z)
    for centre, radius in (((-70, -12, 30), 6.0), ((78, 30, -10), 11.0), ((-58, 40, -55), 4.0), ((62, -25, 75), 8.0)):
        canvas.ball(centre, radius, z, 35)  # nodules
    grain = noise.standard_normal(canvas.image.shape, np.float32)
    grain += np.roll(grain, 1, axis=0) + np.roll(grain, 1, axis=1)
    return canvas.image + grain * np.float32(9)


def _lung(canvas: Canvas, side: int, z: float) -> None:
    height = 1 - ((z - 15) / 145) ** 2
    if height <= 0:
        return
    scale = height**0.5
    canvas.ellipse((side * 72, 4), (58 * scale, 78 * scale), -860, edge=2)
    for number in range(9):  # vessels, thinner away from the hilum
        angle = number * 2.4 + z / 60 * side
        reach = (12 + 5 * number) * scale
        place = (side * 66 + reach * float(np.cos(angle)), 4 + 1.2 * reach * float(np.sin(angle)))
        width = 5.0 - 0.4 * number
        canvas.ellipse(place, (width, width), -20)


def _ribs(canvas: Canvas, z: float) -> None:
    for number in range(-7, 9):
        for side in (-1, 1):
            for part in np.linspace(0.15, 2.75, 22):  # a rib falls from the spine to the front
                away = abs(z - (number * 24 - part * 16))
                if away < 6:
                    x, y = 134 * np.sin(part) * side, 90 * np.cos(part)
                    width = (36 - away**2) ** 0.5
                    canvas.ellipse((float(x), float(y)), (width * 1.3, width * 0.8), 420)


def _spine(canvas: Canvas, z: float) -> None:
    disc = (z % 30) < 6
    canvas.ellipse((0, 62), (21, 16), 95 if disc else 330)
    canvas.ellipse((0, 62), (18, 13), 85 if disc else 190)
    canvas.ellipse((0, 92), (5, 14), 350)
    canvas.ellipse((0, 84), (9, 8), 30)


def _head(canvas: Canvas, z: float, noise: np.random.Generator) -> Image:
    """T1-like brightness of a head at height `z` (0 in the middle, 48 either way)."""
    canvas.fill(0)
    scale = max(1 - (z / 82) ** 2, 0.05) ** 0.5
    for rx, ry, value in ((82, 100, 900), (78, 96, 120), (73, 91, 180)):  # scalp, skull, fluid
        canvas.ellipse((0, 0), (rx * scale, ry * scale), value)
    x, y = canvas.x / (71 * scale), canvas.y / (89 * scale)
    distance, angle = np.sqrt(x**2 + y**2), np.arctan2(y, x)
    folds = 0.035 * np.sin(17 * angle + z / 9) + 0.02 * np.sin(29 * angle - z / 5)
    canvas.image[distance < 0.97 + folds / 2] = 430  # grey matter
    canvas.image[distance < 0.82 + folds] = 640  # white matter
    canvas.image[(np.abs(x) < 0.018) & (distance < 0.93)] = 190  # between the halves
    for side in (-1, 1):
        canvas.ellipse((side * 12, -4 - z / 8), (7 - abs(z) / 9, 26 - abs(z) / 2.2), 160)  # ventricles
        canvas.ellipse((side * 24, 2), (8 - abs(z + 6) / 4, 15 - abs(z + 6) / 2), 440)  # deep grey matter
        canvas.ball((side * 29, -66, -36), 11, z, 150)  # eyes
    canvas.ball((34, 22, 14), 8, z, 300)  # a lesion
    real, imaginary = (noise.standard_normal(canvas.image.shape, np.float32) * 12 for _ in range(2))
    result: Image = np.hypot(canvas.image + real, imaginary)
    return result


def _ct() -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = CTImageStorage
    ds.Modality = "CT"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SeriesDescription = "Toraks 5.0 mm (phantom)"
    ds.ProtocolName = "Demonstration chest"
    ds.BodyPartExamined = "CHEST"
    ds.SeriesNumber = 1
    ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "101500"
    ds.KVP = 120
    ds.XRayTubeCurrent = 200
    ds.ExposureTime = 500
    ds.ConvolutionKernel = "DEMO"
    ds.SliceThickness = 5
    ds.WindowCenter, ds.WindowWidth = [40, -600], [400, 1500]
    ds.WindowCenterWidthExplanation = ["MEDIASTINUM", "LUNG"]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.BitsStored, ds.HighBit = 12, 11
    return ds


def _mr() -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = MRImageStorage
    ds.Modality = "MR"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    ds.SeriesDescription = "Beyin T1 aksiyel (phantom)"
    ds.ProtocolName = "Demonstration head"
    ds.BodyPartExamined = "HEAD"
    ds.SeriesNumber = 2
    ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "104000"
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "SE", "NONE", ""
    ds.MRAcquisitionType = "2D"
    ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength = 500, 12, 1
    ds.MagneticFieldStrength = 1.5
    ds.SliceThickness, ds.SpacingBetweenSlices = 5, 6
    ds.WindowCenter, ds.WindowWidth = 450, 900
    ds.BitsStored, ds.HighBit = 12, 11
    return ds


CT = Volume("ct", 64, 512, 0.7, 5.0, _chest, _ct)
MR = Volume("mr", 16, 256, 0.85, 6.0, _head, _mr)


def generate() -> Iterator[bytes]:
    """Every instance as a Part 10 file, in Explicit VR Little Endian."""
    for _name, content in files():
        yield content


def files() -> Iterator[tuple[str, bytes]]:
    """Every instance with a file name of its own, such as `ct/ct-001.dcm`."""
    for volume in (CT, MR):
        canvas, noise = Canvas(volume.size, volume.spacing), np.random.default_rng(_SEED)
        ds = _series(volume)
        for number in range(1, volume.slices + 1):
            yield f"{volume.name}/{volume.name}-{number:03}.dcm", _instance(ds, volume, number, canvas, noise)


def _series(volume: Volume) -> Dataset:
    ds = volume.describe()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = "Yıldız^Şükran İpek"  # noqa: RUF001  Turkish
    ds.PatientID = PATIENT_ID
    ds.IssuerOfPatientID = "VNA-DEMO"
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = "19710423", "F", "053Y"
    ds.StudyInstanceUID, ds.StudyID = STUDY_INSTANCE_UID, "1"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20250115"
    ds.StudyTime = "101200"
    ds.TimezoneOffsetFromUTC = "+0300"
    ds.AccessionNumber = ACCESSION_NUMBER
    ds.StudyDescription = "Demonstration: chest CT and head MR"
    ds.ReferringPhysicianName = "Öğüt^Çağrı"  # noqa: RUF001  Turkish
    ds.Manufacturer, ds.ManufacturerModelName = "vna", "Phantom"
    ds.InstitutionName, ds.StationName = "Örnek Hastanesi", "DEMO"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "1", "1"
    ds.SeriesInstanceUID = uid(volume.name)
    ds.FrameOfReferenceUID = uid(f"{volume.name} space")
    ds.PositionReferenceIndicator = ""
    ds.PatientPosition = "HFS"
    ds.AcquisitionNumber = 1
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [volume.spacing, volume.spacing]
    ds.Rows = ds.Columns = volume.size
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.PixelRepresentation = 16, 0
    ds.BurnedInAnnotation = "NO"
    return ds


def _instance(ds: Dataset, volume: Volume, number: int, canvas: Canvas, noise: np.random.Generator) -> bytes:
    """One slice; the first is the one nearest the feet."""
    z = (number - (volume.slices + 1) / 2) * volume.step
    corner = -(volume.size - 1) / 2 * volume.spacing
    values = volume.draw(canvas, z, noise) - np.float32(ds.get("RescaleIntercept", 0))
    pixels = np.clip(np.rint(values), 0, 4095).astype("<u2")
    ds.SOPInstanceUID = uid(f"{volume.name} {number}")
    ds.InstanceNumber = number
    ds.ImagePositionPatient = [round(corner, 3), round(corner, 3), z]
    ds.SliceLocation = z
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
    return _part10(ds)


def _part10(ds: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(uid("vna demonstration"))
    meta.ImplementationVersionName = "VNA_DEMO"
    buffer = io.BytesIO()
    ds.file_meta = meta
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()

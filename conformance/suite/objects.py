"""Instances that the suite makes: small, invented, and marked as of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from conformance.suite.session import Session

CT: Final = "1.2.840.10008.5.1.4.1.1.2"
MR: Final = "1.2.840.10008.5.1.4.1.1.4"
SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT: Final = "1.2.840.10008.1.2.1"


def patient_id(session: Session, name: str = "A") -> str:
    """A Patient ID that no other run uses."""
    return f"VNACONF-{session.mark}-{name}"


def image(session: Session, sop_class: str = CT, *, transfer_syntax: str = EXPLICIT, **elements: Any) -> Dataset:
    """A monochrome image of 16 x 16 with what every archive wants to know; keyword arguments change or add."""
    ds = common(session, sop_class, "MR" if sop_class == MR else "CT")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 0]
    ds.PixelSpacing, ds.SliceThickness = [1, 1], 1
    ds.FrameOfReferenceUID = f"{ds.StudyInstanceUID}.1"[:64]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = 16, 16
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleIntercept, ds.RescaleSlope = 0, 1
    ds.WindowCenter, ds.WindowWidth = 2048, 4096
    ds.PixelData = b"".join((16 * n % 4096).to_bytes(2, "little") for n in range(256))
    return finished(ds, transfer_syntax, elements)


def common(session: Session, sop_class: str, modality: str) -> Dataset:
    """What instances of every kind have."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = UID(sop_class)
    ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID = (UID(session.uid()) for _ in range(3))
    ds.StudyDate, ds.StudyTime = "20260102", "101112"
    ds.SeriesDate, ds.SeriesTime = "20260102", "101213"
    ds.ContentDate, ds.ContentTime = "20260102", "101314"
    ds.Modality, ds.Manufacturer = modality, "Conformance suite"
    ds.PatientName, ds.PatientID = "Conformance^Adam", patient_id(session)
    ds.PatientBirthDate, ds.PatientSex = "19700203", "M"
    ds.AccessionNumber, ds.StudyID = f"C{session.mark}", "S1"
    ds.ReferringPhysicianName = "Referring^Rita"
    ds.StudyDescription, ds.SeriesDescription = "Conformance study", "Conformance series"
    ds.SeriesNumber, ds.InstanceNumber = 1, 1
    ds.Laterality = ""
    return ds


def finished(ds: Dataset, transfer_syntax: str, elements: Mapping[str, Any]) -> Dataset:
    """With these elements, and file meta information that says so."""
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def part10(ds: Dataset) -> bytes:
    """As a file (PS3.10 7)."""
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def colour(session: Session, **elements: Any) -> Dataset:
    """A Secondary Capture of 16 x 16 in RGB."""
    ds = common(session, SECONDARY_CAPTURE, "OT")
    ds.ConversionType = "SYN"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.Rows, ds.Columns = 16, 16
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = bytes(range(256)) * 3
    return finished(ds, EXPLICIT, elements)


def document(session: Session, **elements: Any) -> Dataset:
    """An encapsulated PDF (PS3.3 A.45.1)."""
    ds = common(session, "1.2.840.10008.5.1.4.1.1.104.1", "DOC")
    ds.BurnedInAnnotation, ds.DocumentTitle = "NO", "Conformance"
    ds.ConversionType = "WSD"
    ds.ConceptNameCodeSequence = Sequence()
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocument = _PDF + b"\0" * (len(_PDF) % 2)
    return finished(ds, EXPLICIT, elements)


def report(session: Session, **elements: Any) -> Dataset:
    """A Basic Text SR of one sentence (PS3.3 A.35.1)."""
    ds = common(session, "1.2.840.10008.5.1.4.1.1.88.11", "SR")
    ds.ReferencedPerformedProcedureStepSequence, ds.PerformedProcedureCodeSequence = Sequence(), Sequence()
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = Sequence([code("18748-4", "LN", "Diagnostic imaging report")])
    text = Dataset()
    text.RelationshipType, text.ValueType, text.TextValue = "CONTAINS", "TEXT", "Nothing to see."
    text.ConceptNameCodeSequence = Sequence([code("121071", "DCM", "Finding")])
    ds.ContentSequence = Sequence([text])
    return finished(ds, EXPLICIT, elements)


def selection(session: Session, *of: Dataset, **elements: Any) -> Dataset:
    """A Key Object Selection that names an image (PS3.3 A.35.4)."""
    ds = common(session, "1.2.840.10008.5.1.4.1.1.88.59", "KO")
    named = of or (image(session),)
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = Sequence([code("113000", "DCM", "Of Interest")])
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2010"
    ds.ContentTemplateSequence = Sequence([template])
    ds.CurrentRequestedProcedureEvidenceSequence = Sequence([_evidence(one) for one in named])
    ds.ContentSequence = Sequence([_image_item(one) for one in named])
    return finished(ds, EXPLICIT, elements)


def _evidence(one: Dataset) -> Dataset:
    study, series = Dataset(), Dataset()
    study.StudyInstanceUID, series.SeriesInstanceUID = one.StudyInstanceUID, one.SeriesInstanceUID
    series.ReferencedSOPSequence = Sequence([reference(one)])
    study.ReferencedSeriesSequence = Sequence([series])
    return study


def _image_item(one: Dataset) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "IMAGE"
    item.ReferencedSOPSequence = Sequence([reference(one)])
    return item


def reference(one: Dataset) -> Dataset:
    """An item that names an instance."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.SOPClassUID, one.SOPInstanceUID
    return item


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A coded entry (PS3.3 8.1)."""
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    return ds


_PDF: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)

KINDS: Final[Mapping[str, Callable[..., Dataset]]] = {
    "CT image": image,
    "MR image": lambda session, **elements: image(session, MR, **elements),
    "Secondary Capture image in colour": colour,
    "Encapsulated PDF": document,
    "Basic Text SR": report,
    "Key Object Selection": selection,
}
"""Instances of several kinds, by their name."""

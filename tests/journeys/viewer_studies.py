"""One invented study for every kind of object that the viewer shows, with names and numbers to search by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    EnhancedMRImageStorage,
    SegmentationStorage,
    XRayAngiographicImageStorage,
    generate_uid,
)

from tests.objects import ct, part10
from tests.peers.samples import pydicom_files, shared_files


@dataclass(frozen=True, slots=True)
class Study:
    """What was made, and by which words it is found."""

    kind: str
    uid: str
    patient_name: str
    patient_id: str
    accession: str
    description: str
    date: str
    modality: str
    files: tuple[bytes, ...]


TURKISH_NAME = "Çağlar^Işıl İğde"  # noqa: RUF001

SENTENCE = "Nothing of note in an invented patient"


def studies() -> dict[str, Study]:
    """All of them, by kind."""
    made = [
        _study("CT", _ct_series(), 1),
        _study("MR", [_enhanced_mr()], 2),
        _study("US", [_sample("examples_jpeg2k.dcm")], 3),
        _study("XA", [_xa()], 4),
        _study("SR", [_sr()], 5),
        _study("PDF", [_pdf()], 6, modality="DOC"),
        _study("SEG", _segmented(), 7),
        _study("ECG", [_sample("waveform_ecg.dcm")], 8),
        _study("Turkish", _ct_series(1), 9, modality="CT", name=TURKISH_NAME, description="Göğüs BT: ışın dozu düşük"),  # noqa: RUF001
        _study("Bare", _ct_series(1, Modality=""), 13, modality=""),
        _study("Prior", _ct_series(1), 10, modality="CT", name="PatientMR^Given", patient_id="PID-002-MR"),
    ]
    return {study.kind: study for study in [*made, *_film()]}


def _film() -> list[Study]:
    """A film of coloured bars in MP4, H.264; nothing where the shared samples are absent."""
    found = [path for path in shared_files() if path.parent.name == "video"]
    return [_study("Film", [dcmread(found[0])], 12, modality="ES")] if found else []


def upload() -> Study:
    """One that is not held, for the viewer's own upload."""
    return _study("Upload", _ct_series(1), 11, modality="CT")


def _study(
    kind: str,
    objects: list[Dataset],
    number: int,
    *,
    modality: str = "",
    name: str = "",
    patient_id: str = "",
    description: str = "",
) -> Study:
    uid = generate_uid()
    study = Study(
        kind=kind,
        uid=uid,
        patient_name=name or f"Patient{kind}^Given",
        patient_id=patient_id or f"PID-{number:03}-{kind.upper()}",
        accession=f"ACC{number:03}{kind.upper()}",
        description=description or f"Study of {kind}",
        date=f"202503{number:02}",
        modality=modality or kind,
        files=(),
    )
    for ds in objects:
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.StudyInstanceUID = uid
        ds.PatientName, ds.PatientID = study.patient_name, study.patient_id
        ds.AccessionNumber, ds.StudyDescription = study.accession, study.description
        ds.StudyDate, ds.StudyTime = study.date, "101500"
        ds.PatientBirthDate, ds.PatientSex = "19700101", "O"
    files = tuple(part10(ds, _syntax(ds)) for ds in objects)
    return Study(**{field: getattr(study, field) for field in Study.__slots__ if field != "files"}, files=files)


def _syntax(ds: Dataset) -> str:
    return str(ds.file_meta.TransferSyntaxUID) if hasattr(ds, "file_meta") else "1.2.840.10008.1.2.1"


def _sample(name: str) -> Dataset:
    return dcmread(next(path for path in pydicom_files() if path.name == name))


def _picture(rows: int, columns: int, shift: int = 0) -> NDArray[np.uint16]:
    """A ramp with a bright disc on it, anything but blank."""
    y, x = np.mgrid[0:rows, 0:columns]
    image = (x + 2 * y) * (1000 / (columns + 2 * rows))
    image[(x - columns / 2 - shift) ** 2 + (y - rows / 2) ** 2 < (rows / 5) ** 2] = 1800
    made: NDArray[np.uint16] = image.astype(np.uint16)
    return made


def _ct_series(slices: int = 4, Modality: str = "CT") -> list[Dataset]:
    series, frame = generate_uid(), generate_uid()
    return [
        ct(
            SeriesInstanceUID=series,
            Modality=Modality,
            FrameOfReferenceUID=frame,
            SeriesDescription="Axial",
            InstanceNumber=number + 1,
            Rows=128,
            Columns=128,
            BitsStored=12,
            HighBit=11,
            PixelSpacing=[1, 1],
            SliceThickness="2",
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[0, 0, 2 * number],
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            RescaleSlope="1",
            RescaleIntercept="-1000",
            WindowCenter="0",
            WindowWidth="2000",
            PixelData=_picture(128, 128, 4 * number).tobytes(),
        )
        for number in range(slices)
    ]


def _item(**elements: object) -> list[Dataset]:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return [ds]


def _enhanced_mr(frames: int = 6) -> Dataset:
    (ds,) = _ct_series(1)
    for keyword in ("RescaleSlope", "RescaleIntercept", "ImagePositionPatient", "ImageOrientationPatient"):
        delattr(ds, keyword)
    for keyword in ("PixelSpacing", "SliceThickness", "WindowCenter", "WindowWidth"):
        delattr(ds, keyword)
    ds.SOPClassUID, ds.Modality, ds.SeriesDescription = EnhancedMRImageStorage, "MR", "Enhanced"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.NumberOfFrames = frames
    ds.PixelData = b"".join(_picture(128, 128, 6 * number).tobytes() for number in range(frames))
    (shared,) = _item(
        PixelMeasuresSequence=_item(PixelSpacing=[1, 1], SliceThickness="3"),
        PlaneOrientationSequence=_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        FrameVOILUTSequence=_item(WindowCenter="900", WindowWidth="1800"),
        PixelValueTransformationSequence=_item(RescaleSlope="1", RescaleIntercept="0", RescaleType="US"),
    )
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PerFrameFunctionalGroupsSequence = [
        _item(
            FrameContentSequence=_item(
                StackID="1", InStackPositionNumber=number + 1, DimensionIndexValues=[number + 1]
            ),
            PlanePositionSequence=_item(ImagePositionPatient=[0, 0, 3 * number]),
        )[0]
        for number in range(frames)
    ]
    return ds


def _xa(frames: int = 8) -> Dataset:
    ds = ct(
        SOPClassUID=XRayAngiographicImageStorage,
        Modality="XA",
        SeriesDescription="Run 1",
        ImageType=["ORIGINAL", "PRIMARY", "SINGLE PLANE"],
        Rows=128,
        Columns=128,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        NumberOfFrames=frames,
        FrameTime="66",
        ImagerPixelSpacing=[0.3, 0.3],
        PixelIntensityRelationship="LIN",
        WindowCenter="128",
        WindowWidth="256",
    )
    ds.FrameIncrementPointer = 0x00181063
    ds.PixelData = b"".join((_picture(128, 128, 5 * n) // 8).astype(np.uint8).tobytes() for n in range(frames))
    return ds


def _without_pixels(ds: Dataset) -> None:
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"):
        delattr(ds, keyword)
    del ds.SamplesPerPixel, ds.PhotometricInterpretation


def _sr() -> Dataset:
    """A report of one sentence."""
    ds = ct(SOPClassUID=ComprehensiveSRStorage, Modality="SR", SeriesDescription="Findings")
    _without_pixels(ds)
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ContentDate, ds.ContentTime = "20250305", "101500"
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.PerformedProcedureCodeSequence = []
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = _code("18748-4", "LN", "Diagnostic Imaging Report")
    ds.ContentTemplateSequence = _item(MappingResource="DCMR", TemplateIdentifier="2000")
    ds.ContentSequence = _item(
        RelationshipType="CONTAINS",
        ValueType="TEXT",
        ConceptNameCodeSequence=_code("121071", "DCM", "Finding"),
        TextValue=SENTENCE,
    )
    return ds


def _pdf() -> Dataset:
    ds = ct(SOPClassUID=EncapsulatedPDFStorage, Modality="DOC", SeriesDescription="Report")
    _without_pixels(ds)
    ds.DocumentTitle, ds.MIMETypeOfEncapsulatedDocument = "Report", "application/pdf"
    ds.BurnedInAnnotation, ds.ConversionType = "NO", "WSD"
    document = _pdf_document()
    ds.EncapsulatedDocumentLength = len(document)
    ds.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    return ds


def _pdf_document() -> bytes:
    """One page with a filled square and a word."""
    padding = b"%" + b"." * 200_000 + b"\n"  # more than metadata carries inside: the viewer has to fetch it
    drawing = b"0.1 0.2 0.8 rg 50 50 200 200 re f BT /F 36 Tf 50 300 Td (Report) Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 400]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawing), drawing),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    text, places = b"%PDF-1.4\n" + padding, []
    for number, content in enumerate(objects, 1):
        places.append(len(text))
        text += b"%d 0 obj%s endobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, len(text))
    return text + b"xref\n0 %d\n0000000000 65535 f \n" % count + table + end


def _segmented() -> list[Dataset]:
    """A CT series and a segmentation of a disc in each of its slices."""
    images = _ct_series()
    first = images[0]
    seg = ct(
        SOPClassUID=SegmentationStorage,
        Modality="SEG",
        SeriesNumber=2,
        SeriesDescription="Disc",
        FrameOfReferenceUID=first.FrameOfReferenceUID,
        ImageType=["DERIVED", "PRIMARY"],
        Rows=128,
        Columns=128,
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        LossyImageCompression="00",
        SegmentationType="BINARY",
        ContentLabel="DISC",
        ContentDescription="A disc",
        ContentCreatorName="Maker^A",
        Manufacturer="vna tests",
        ManufacturerModelName="1",
        DeviceSerialNumber="1",
        SoftwareVersions="1",
        NumberOfFrames=len(images),
    )
    seg.SegmentSequence = _item(
        SegmentNumber=1,
        SegmentLabel="Disc",
        SegmentAlgorithmType="MANUAL",
        RecommendedDisplayCIELabValue=[40000, 50000, 20000],
        SegmentedPropertyCategoryCodeSequence=_code("91723000", "SCT", "Anatomical structure"),
        SegmentedPropertyTypeCodeSequence=_code("10200004", "SCT", "Liver"),
    )
    organization = generate_uid()
    seg.DimensionOrganizationSequence = _item(DimensionOrganizationUID=organization)
    seg.DimensionIndexSequence = [
        _item(DimensionOrganizationUID=organization, DimensionIndexPointer=tag, FunctionalGroupPointer=group)[0]
        for tag, group in ((0x0062000B, 0x0062000A), (0x00200032, 0x00209113))
    ]
    seg.ReferencedSeriesSequence = _item(
        SeriesInstanceUID=first.SeriesInstanceUID,
        ReferencedInstanceSequence=[
            _item(ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID)[0]
            for image in images
        ],
    )
    seg.SharedFunctionalGroupsSequence = _item(
        PixelMeasuresSequence=_item(PixelSpacing=[1, 1], SliceThickness="2", SpacingBetweenSlices="2"),
        PlaneOrientationSequence=_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        SegmentIdentificationSequence=_item(ReferencedSegmentNumber=1),
    )
    seg.PerFrameFunctionalGroupsSequence = [
        _item(
            FrameContentSequence=_item(DimensionIndexValues=[1, number + 1]),
            PlanePositionSequence=_item(ImagePositionPatient=list(image.ImagePositionPatient)),
            DerivationImageSequence=_item(
                DerivationCodeSequence=_code("113076", "DCM", "Segmentation"),
                SourceImageSequence=_item(
                    ReferencedSOPClassUID=image.SOPClassUID,
                    ReferencedSOPInstanceUID=image.SOPInstanceUID,
                    PurposeOfReferenceCodeSequence=_code(
                        "121322", "DCM", "Source image for image processing operation"
                    ),
                ),
            ),
        )[0]
        for number, image in enumerate(images)
    ]
    y, x = np.mgrid[0:128, 0:128]
    mask = np.stack([(x - 64 - 4 * n) ** 2 + (y - 64) ** 2 < 400 for n in range(len(images))])
    seg.PixelData = np.packbits(mask.ravel(), bitorder="little").tobytes()
    return [*images, seg]


def _code(value: str, scheme: str, meaning: str) -> list[Dataset]:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)

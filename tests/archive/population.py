"""Invented patients, studies, series and instances in great variety, the same ones for the same seed."""

# ruff: noqa: RUF001 (names in many scripts)

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

LATIN_5, UTF_8, LATIN_1, CYRILLIC = "ISO_IR 148", "ISO_IR 192", "ISO_IR 100", "ISO_IR 144"
JAPANESE = ["", "ISO 2022 IR 87"]

PEOPLE: tuple[tuple[str, Any], ...] = (
    ("YILMAZ^AYŞE", LATIN_5),
    ("Yılmaz^Ayşe Nur", UTF_8),
    ("IŞIK^İLKNUR", LATIN_5),
    ("ışık^ilker^^Dr", UTF_8),
    ("İNCİ^IRMAK", LATIN_5),
    ("ÇAĞLAYAN^ÖZGÜR", LATIN_5),
    ("Kâmil^Hâlim", UTF_8),
    ("ÖZ-TÜRK^ALİ", LATIN_5),
    ("YILMAZER^MEHMET", ""),
    ("YILMAZ", ""),
    ("YILMAZ^^^^", ""),
    ("Müller^Jürgen", LATIN_1),
    ("Groß^Änne", LATIN_1),
    ("O'Brien^Mary-Jane", ""),
    ("Люксембург^Роза", CYRILLIC),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", JAPANESE),
    ("Suzuki^Hanako=鈴木^花子", UTF_8),
    ("=山本^次郎", UTF_8),
    ("A_B%^[C]", ""),
    ("", ""),
)
PHYSICIANS = ("KAYA^FATMA", "Kaya^Fatih^^Dr", "", "Demir^Can")
DESCRIPTIONS = ("Thorax CT", "THORAX CT", "Beyin MR 50%", "a_b [x]", "", "Head*", "Knee?")
BIRTH_DATES = ("19700101", "1985.03.04", "20010229", "20000229", "", "unknown")
TIMES = ("", "08", "0930", "093015", "093015.123456", "10:30:00", "235959", "noon")
MODALITIES = ("CT", "MR", "US", "SR", "DX")


def population(seed: int) -> list[Dataset]:
    """About 25 patients, 45 studies, 90 series and 250 instances."""
    random = Random(seed)
    numbers = itertools.count(1)
    found: list[Dataset] = []
    for number in range(25):
        person, charset = PEOPLE[number % len(PEOPLE)]
        patient = _patient(random, number, person)
        for _ in range(random.choice((1, 1, 2, 3))):
            study = _study(random, f"1.2.3.{next(numbers)}")
            for _ in range(random.choice((1, 2, 3))):
                series = _series(random, f"1.2.3.{next(numbers)}")
                found += [_joined(charset, patient, study, series, one) for one in _instances(random, numbers, series)]
    random.shuffle(found)
    return found


def _joined(charset: Any, *levels: Dataset) -> Dataset:
    ds = Dataset()
    if charset:
        ds.SpecificCharacterSet = charset
    for level in levels:
        ds.update(level)
    ds.file_meta = _meta(ds)
    return ds


def _meta(ds: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta


def _some(random: Random, ds: Dataset, **values: Any) -> None:
    """Each attribute now and then absent."""
    for keyword, value in values.items():
        if random.random() < 0.85:
            setattr(ds, keyword, value)


def _patient(random: Random, number: int, person: str) -> Dataset:
    ds = Dataset()
    ds.PatientName = person
    ds.PatientID = f"P{number % 23:03}"
    if number % 3 == 0:
        ds.IssuerOfPatientID = f"ISSUER{number % 2}"
    if number >= 23:
        ds.IssuerOfPatientID = "OTHER"  # the same identifiers, from elsewhere
    if number == 10:
        ds.PatientID = ""
    _some(
        random,
        ds,
        PatientBirthDate=random.choice(BIRTH_DATES),
        PatientBirthTime=random.choice(TIMES),
        PatientSex=random.choice(("M", "F", "O", "")),
        OtherPatientNames=random.sample(("KAYA^AYSE", "X^Y", "Z"), 2),
        PatientComments="seen *before*",
    )
    return ds


def _study(random: Random, uid: str) -> Dataset:
    ds = Dataset()
    ds.StudyInstanceUID = uid
    _some(
        random,
        ds,
        StudyDate=random.choice(("20230101", "20230102", "20230103", "20230115", "2023.02.01", "20240229", "", "bad")),
        StudyTime=random.choice(TIMES),
        AccessionNumber=random.choice(("A1", "A2", "a1", "A10", "")),
        StudyID=random.choice(("S1", "S2", "7", "")),
        StudyDescription=random.choice(DESCRIPTIONS),
        ReferringPhysicianName=random.choice(PHYSICIANS),
        PhysiciansOfRecord=random.sample(PHYSICIANS, 2),
        PatientAge="034Y",
        PatientSize=random.choice(("1.70", "1.7", "1.8")),
        ProcedureCodeSequence=_codes(random),
    )
    return ds


def _codes(random: Random) -> list[Dataset]:
    return [_code(random) for _ in range(random.choice((0, 1, 2)))]


def _code(random: Random) -> Dataset:
    ds = Dataset()
    ds.CodeValue = random.choice(("T-D3000", "P5-08000", "X1"))
    ds.CodingSchemeDesignator = random.choice(("SRT", "99TR"))
    if random.random() < 0.5:
        ds.CodeMeaning = random.choice(("Chest", "chest", "Head and neck"))
    return ds


def _series(random: Random, uid: str) -> Dataset:
    ds = Dataset()
    ds.SeriesInstanceUID = uid
    ds.Modality = random.choice(MODALITIES)
    _some(
        random,
        ds,
        SeriesDate=random.choice(("20230101", "20230102", "20230103", "")),
        SeriesTime=random.choice(TIMES),
        SeriesNumber=random.choice(("1", "2", "003", "11", "-4", None)),
        SeriesDescription=random.choice(DESCRIPTIONS),
        FrameOfReferenceUID=random.choice(("1.9.1", "1.9.2")),
        BodyPartExamined=random.choice(("CHEST", "HEAD", "")),
        OperatorsName=random.sample(PHYSICIANS, 2),
        PerformedProcedureStepStartDate=random.choice(("20230101", "20230102", "20230103")),
        PerformedProcedureStepStartTime=random.choice(TIMES),
        RequestAttributesSequence=[_request(random) for _ in range(random.choice((0, 1, 2)))],
    )
    return ds


def _request(random: Random) -> Dataset:
    ds = Dataset()
    ds.ScheduledProcedureStepID = random.choice(("SPS1", "SPS2", "SPS10"))
    _some(
        random,
        ds,
        RequestedProcedureID=random.choice(("R1", "R2")),
        ScheduledProtocolCodeSequence=_codes(random),
    )
    return ds


def _instances(random: Random, numbers: Iterator[int], series: Dataset) -> Iterator[Dataset]:
    for index in range(random.choice((1, 2, 3, 5))):
        ds = Dataset()
        ds.SOPClassUID = MRImageStorage if series.Modality == "MR" else CTImageStorage
        ds.SOPInstanceUID = f"1.2.3.{next(numbers)}"
        _some(
            random,
            ds,
            InstanceNumber=str(index + 1),
            ContentDate=random.choice(("20230101", "20230102", "20230103")),
            ContentTime=random.choice(TIMES),
            ImageType=random.choice((["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "SECONDARY"])),
            SliceThickness=random.choice(("1.50", "1.5", "3", "0.625")),
            PixelSpacing=["0.5", "0.75"],
            Rows=random.choice((256, 512)),
            AcquisitionDateTime=random.choice(("20230101120000+0300", "20230101090000+0000", "2023")),
            DerivationCodeSequence=_codes(random),
        )
        yield ds

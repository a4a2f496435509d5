"""Queries in great variety over a population: keys of every kind, made from values that are held, and from others."""

# ruff: noqa: RUF001 (names in many scripts)

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

from pydicom import Dataset

from tests.archive.oracle import LEVELS, Asked, Held, Modes, values_of

KEYS: dict[str, tuple[tuple[str, str], ...]] = {
    "PATIENT": (
        ("PatientName", "PN"),
        ("PatientName", "PN"),
        ("PatientID", "LO"),
        ("IssuerOfPatientID", "LO"),
        ("PatientBirthDate", "DA"),
        ("PatientBirthTime", "TM"),
        ("PatientSex", "CS"),
        ("OtherPatientNames", "PN"),
        ("PatientComments", "LT"),
        ("NumberOfPatientRelatedStudies", "IS"),
        ("NumberOfPatientRelatedInstances", "IS"),
    ),
    "STUDY": (
        ("StudyInstanceUID", "UI"),
        ("StudyDate", "DA"),
        ("StudyDate", "DA"),
        ("StudyTime", "TM"),
        ("AccessionNumber", "SH"),
        ("StudyID", "SH"),
        ("StudyDescription", "LO"),
        ("ReferringPhysicianName", "PN"),
        ("PhysiciansOfRecord", "PN"),
        ("PatientSize", "DS"),
        ("PatientAge", "AS"),
        ("ProcedureCodeSequence.CodeValue", "SH"),
        ("ProcedureCodeSequence.CodeMeaning", "LO"),
        ("ModalitiesInStudy", "CS"),
        ("SOPClassesInStudy", "UI"),
        ("NumberOfStudyRelatedSeries", "IS"),
        ("NumberOfStudyRelatedInstances", "IS"),
    ),
    "SERIES": (
        ("SeriesInstanceUID", "UI"),
        ("Modality", "CS"),
        ("SeriesDate", "DA"),
        ("SeriesTime", "TM"),
        ("SeriesNumber", "IS"),
        ("SeriesDescription", "LO"),
        ("BodyPartExamined", "CS"),
        ("OperatorsName", "PN"),
        ("FrameOfReferenceUID", "UI"),
        ("PerformedProcedureStepStartDate", "DA"),
        ("PerformedProcedureStepStartTime", "TM"),
        ("RequestAttributesSequence.ScheduledProcedureStepID", "SH"),
        ("RequestAttributesSequence.RequestedProcedureID", "SH"),
        ("RequestAttributesSequence.ScheduledProtocolCodeSequence.CodeValue", "SH"),
        ("NumberOfSeriesRelatedInstances", "IS"),
    ),
    "IMAGE": (
        ("SOPInstanceUID", "UI"),
        ("SOPClassUID", "UI"),
        ("InstanceNumber", "IS"),
        ("ContentDate", "DA"),
        ("ContentTime", "TM"),
        ("ImageType", "CS"),
        ("SliceThickness", "DS"),
        ("PixelSpacing", "DS"),
        ("Rows", "US"),
        ("AcquisitionDateTime", "DT"),
        ("DerivationCodeSequence.CodeValue", "SH"),
        ("DerivationCodeSequence.CodingSchemeDesignator", "SH"),
    ),
}
PAIRS = (
    ("StudyDate", "StudyTime", "STUDY"),
    ("SeriesDate", "SeriesTime", "SERIES"),
    ("PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "SERIES"),
    ("PatientBirthDate", "PatientBirthTime", "PATIENT"),
    ("ContentDate", "ContentTime", "IMAGE"),
)


def question(random: Random, held: Held) -> tuple[str, list[Asked], Modes]:
    """One query: its level, its keys, what was negotiated."""
    level = random.choice(LEVELS)
    upper = LEVELS[: LEVELS.index(level) + 1]
    modes = Modes(fuzzy=random.random() < 0.2, combined=random.random() < 0.5, empty=random.random() < 0.15)
    asked: dict[str, Asked] = {}
    if random.random() < 0.2:
        for key in _pair(random, upper):
            asked[key.path] = key
    about = random.choice(held.datasets)  # keys about one object: several may match together
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3))):
        path, vr = random.choice(KEYS[random.choice(upper)])
        asked.setdefault(path, _asked(random, held, about, path, vr, modes))
    return level, list(asked.values()), modes


def _asked(random: Random, held: Held, about: Dataset, path: str, vr: str, modes: Modes) -> Asked:
    if modes.empty and random.random() < 0.3:
        return Asked(path, vr, ('""',))
    if random.random() < 0.05:
        return Asked(path, vr, (random.choice(("", "*")),))
    texts = _held(about, held, path) or _held(random.choice(held.datasets), held, path) or ["X"]
    text = random.choice(texts)
    if vr == "UI":
        more = [
            random.choice(_held(random.choice(held.datasets), held, path) or ["1.2"])
            for _ in range(random.choice((0, 0, 3, 60)))
        ]
        return Asked(path, vr, (text, *more))
    if vr == "CS" and random.random() < 0.3:
        return Asked(path, vr, (text, "MR"))
    return Asked(path, vr, (_CHANGES.get(vr, _changed_text)(random, text),))


def _held(ds: Dataset, held: Held | None, path: str) -> list[str]:
    first, _, rest = path.partition(".")
    if rest:
        return [text for item in ds.get(first) or [] for text in _held(item, None, rest)]
    return [str(value) for value in (held.values(ds, first) if held else values_of(ds, first))]


def _changed_text(random: Random, text: str) -> str:
    kind = random.randrange(7)
    if kind == 0 and text:
        at = random.randrange(len(text))
        return text[:at] + "?" + text[at + 1 :]
    if kind == 1:
        return text[: random.randrange(len(text) + 1)] + "*"
    if kind == 2:
        return "*" + text[random.randrange(len(text) + 1) :]
    if kind == 3 and len(text) > 2:
        return text[0] + "*" + text[-1]
    if kind == 4:
        return text.swapcase() or "X"
    return text or "X"


def _changed_name(random: Random, text: str) -> str:
    kind = random.randrange(10)
    if kind == 0:
        return text.translate(str.maketrans("ışğüöçİŞĞÜÖÇâ", "isguocISGUOCa"))
    if kind == 1:
        return text.replace("i", "İ").replace("I", "ı") or "X"
    if kind == 2:
        return (re.split("[=^]", text)[0] or "X") + random.choice(("^*", "*", "^*^*", "^^*"))
    if kind == 3:
        return random.choice(text.split("=")) or "X"
    if kind == 4:
        return random.choice(text.replace("^", " ").replace("=", " ").split() or ["X"])[: random.choice((2, 9))]
    if kind == 5:
        return text + "^^"
    if kind == 6 and "=" in text:
        groups = text.split("=")
        return "=".join(group[:2] + "*" for group in groups)
    changed = _changed_text(random, text)
    return changed if changed.strip("*^= ") else "X"


def _changed_date(random: Random, text: str) -> str:
    first = random.choice(("20230101", "20230102", "20230103", "19850304", "20240229"))
    if random.random() < 0.4 and text.isdigit() and len(text) == 8 and text != "20010229":
        first = text
    last = random.choice(("20230102", "20230103", "20230201", "20240301"))
    return random.choice((first, f"{first}-", f"-{first}", f"{first}-{last}"))


def _changed_time(random: Random, text: str) -> str:
    first = random.choice(("08", "0930", "093015", "0900", "10"))
    if random.random() < 0.4 and text[:1].isdigit():
        first = text
    last = random.choice(("1000", "093015", "23", "235959"))
    return random.choice((first, f"{first}-", f"-{first}", f"{first}-{last}"))


def _changed_number(random: Random, text: str) -> str:
    return random.choice((text, f"0{text}" if not text.startswith("-") else text, "1", "2"))


_CHANGES: dict[str, Callable[[Random, str], str]] = {
    "PN": _changed_name,
    "DA": _changed_date,
    "TM": _changed_time,
    "DT": lambda random, text: random.choice((text, "2023", "20230101-", "20230101100000+0100-20230101", "-2022")),
    "IS": _changed_number,
    "DS": _changed_number,
    "US": _changed_number,
}


def _pair(random: Random, levels: Sequence[str]) -> list[Asked]:
    dates, times, _ = random.choice([pair for pair in PAIRS if pair[2] in levels])
    form = random.choice(("{0}-{1}", "{0}-", "-{1}"))
    days = random.choice((("20230101", "20230103"), ("20230102", "20230102"), ("19700101", "19850304")))
    hours = random.choice((("0900", "1000"), ("1000", "0900"), ("08", "093015")))
    return [Asked(dates, "DA", (form.format(*days),)), Asked(times, "TM", (form.format(*hours),))]

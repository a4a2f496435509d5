"""Radiation dose reports of invented patients, as devices make them and as some make them otherwise."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.objects import ct

DOSE_SR = "1.2.840.10008.5.1.4.1.1.88.67"
ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"


def code(value: str, meaning: str = "", scheme: str = "DCM") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning or value
    return [item]


def container(value: str, *content: Dataset, scheme: str = "DCM") -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "CONTAINER"
    item.ConceptNameCodeSequence = code(value, scheme=scheme)
    item.ContentSequence = list(content)
    return item


def number(value: str, amount: str, unit: str, *content: Dataset, meaning: str = "", scheme: str = "DCM") -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "NUM"
    item.ConceptNameCodeSequence = code(value, meaning, scheme)
    measured = Dataset()
    measured.NumericValue = amount
    measured.MeasurementUnitsCodeSequence = code(unit, scheme="UCUM")
    item.MeasuredValueSequence = [measured]
    if content:
        item.ContentSequence = list(content)
    return item


def coded(value: str, what: str, meaning: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "HAS CONCEPT MOD", "CODE"
    item.ConceptNameCodeSequence = code(value)
    item.ConceptCodeSequence = code(what, meaning)
    return item


def written(value: str, words: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = code(value)
    item.TextValue = words
    return item


def moment(value: str, at: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "DATETIME"
    item.ConceptNameCodeSequence = code(value)
    item.DateTime = at
    return item


def report(*content: Dataset, study: str = "", title: str = "113701", sop_class: str = DOSE_SR) -> Dataset:
    ds = ct(SOPClassUID=sop_class, Modality="SR", StudyInstanceUID=study or generate_uid())
    del ds.PixelData
    ds.Manufacturer, ds.ManufacturerModelName = "Example Imaging", "Example X"
    ds.StationName, ds.DeviceSerialNumber = "XR1", "S100"
    ds.ContentDate, ds.ContentTime = "20261130", "101500"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = code(title)
    ds.ContentSequence = list(content)
    return ds

"""Manifests of invented hospitals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydicom import Dataset
from pydicom.uid import CTImageStorage, generate_uid

from tests.objects import part10
from vna.model.manifests import KEY_OBJECT_SELECTION


def code(value: str, scheme: str, meaning: str) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    return ds


def kos(
    study: str,
    series: Mapping[str, Sequence[str]],
    *,
    location: str = "",
    ae_title: str = "",
    sop_class: str = CTImageStorage,
    title: str = "113030",
    **elements: Any,
) -> Dataset:
    """A manifest that names these instances of a study; keyword arguments change or add elements."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = KEY_OBJECT_SELECTION
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID = study
    ds.SeriesInstanceUID = generate_uid()
    ds.Modality = "KO"
    ds.PatientName, ds.PatientID = "Deneme^Ayşe", "P1"
    ds.AccessionNumber = "A1"
    ds.StudyDate, ds.StudyTime, ds.StudyID = "20260102", "101112", "1"
    ds.ReferringPhysicianName = ""
    ds.SeriesNumber, ds.InstanceNumber = 999, 1
    ds.InstitutionName = "Örnek Hastanesi^^^SKRS500059^^^FK1"
    ds.ContentDate, ds.ContentTime = "20260102", "111213"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = [code(title, "DCM", "Manifest")]
    ds.CurrentRequestedProcedureEvidenceSequence = [evidence(study, series, location, ae_title, sop_class)]
    ds.ContentSequence = []
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def evidence(
    study: str, series: Mapping[str, Sequence[str]], location: str, ae_title: str, sop_class: str = CTImageStorage
) -> Dataset:
    """One study of it."""
    ds = Dataset()
    ds.StudyInstanceUID = study
    ds.ReferencedSeriesSequence = []
    for uid, instances in series.items():
        one = Dataset()
        one.SeriesInstanceUID = uid
        if location:
            one.RetrieveLocationUID = location
        if ae_title:
            one.RetrieveAETitle = ae_title
        one.ReferencedSOPSequence = [_reference(sop_class, instance) for instance in instances]
        ds.ReferencedSeriesSequence.append(one)
    return ds


def _reference(sop_class: str, uid: str) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID, ds.ReferencedSOPInstanceUID = sop_class, uid
    return ds


def written(ds: Dataset) -> bytes:
    """As a file."""
    return part10(ds)

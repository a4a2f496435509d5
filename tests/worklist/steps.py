"""Performed procedure steps as modalities tell of them, of invented patients."""

from __future__ import annotations

from typing import Any

from pydicom import Dataset
from pydicom.sequence import Sequence

from vna.model.orders import Order

PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"


def begun(*orders: Order, station: str = "CT1") -> Dataset:
    """The attributes of an N-CREATE, for one acquisition of these orders."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ScheduledStepAttributesSequence = Sequence([scheduled(order, orders[0]) for order in orders])
    ds.PatientName, ds.PatientID = orders[0].patient.name, orders[0].patient.patient_id
    ds.PatientBirthDate, ds.PatientSex = orders[0].patient.birth_date, orders[0].patient.sex
    ds.ReferencedPatientSequence = Sequence([])
    ds.PerformedProcedureStepID = "P1"
    ds.PerformedStationAETitle = station
    ds.PerformedStationName = ds.PerformedLocation = ""
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = "20261130", "101500"
    ds.PerformedProcedureStepStatus = "IN PROGRESS"
    ds.PerformedProcedureStepDescription = "Beyin BT"
    ds.PerformedProcedureTypeDescription = ""
    ds.ProcedureCodeSequence = Sequence([])
    ds.PerformedProcedureStepEndDate = ds.PerformedProcedureStepEndTime = ""
    ds.Modality, ds.StudyID = "CT", ""
    ds.PerformedProtocolCodeSequence = ds.PerformedSeriesSequence = Sequence([])
    return ds


def scheduled(order: Order, first: Order) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = first.study_instance_uid
    item.AccessionNumber = item.RequestedProcedureID = item.ScheduledProcedureStepID = order.key.accession_number
    item.ReferencedStudySequence = Sequence([])
    item.RequestedProcedureDescription = item.ScheduledProcedureStepDescription = order.sut.text
    item.ScheduledProtocolCodeSequence = Sequence([])
    return item


def ended(status: str = "COMPLETED", *, series: bool = True) -> Dataset:
    """The modification list of an N-SET."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 148"
    ds.PerformedProcedureStepStatus = status
    ds.PerformedProcedureStepEndDate, ds.PerformedProcedureStepEndTime = "20261130", "103000"
    if series:
        item = Dataset()
        item.PerformingPhysicianName = item.OperatorsName = "TEKNİKER^ÇAĞRI"
        item.ProtocolName = "Beyin"
        item.SeriesInstanceUID, item.SeriesDescription, item.RetrieveAETitle = "1.2.3.4", "", ""
        item.ReferencedImageSequence = item.ReferencedNonImageCompositeSOPInstanceSequence = Sequence([])
        ds.PerformedSeriesSequence = Sequence([item])
    return ds


def elements(ds: Dataset) -> dict[str, Any]:
    """As the DICOM JSON model has it."""
    made: dict[str, Any] = ds.to_json_dict()
    return made

"""Modality Performed Procedure Step as provider (PS3.4 F.7, F.8)."""

from __future__ import annotations

from typing import Final

from pydicom import Dataset
from pydicom.sequence import Sequence
from pynetdicom import evt

from conformance.checks.dimse_worklist import WORKLIST, ask, only, question
from conformance.suite.check import Failed, Target, check
from conformance.suite.dicom import Peer, offer
from conformance.suite.messages import Order, new_order, order_message
from conformance.suite.mllp import tell
from conformance.suite.objects import patient_id
from conformance.suite.session import Session

STEP: Final = "1.2.840.10008.3.1.2.3.3"
READ: Final = "1.2.840.10008.3.1.2.3.4"
COVERS = (STEP,)
STATUS: Final = 0x00400252


def begun(session: Session, order: Order | None = None, study: str = "") -> Dataset:
    """The attributes of an N-CREATE (PS3.4 Table F.7.2-1)."""
    ds, item = Dataset(), Dataset()
    item.StudyInstanceUID = study or session.uid()
    item.AccessionNumber = order.accession if order else ""
    item.RequestedProcedureID = item.ScheduledProcedureStepID = order.accession if order else ""
    item.ReferencedStudySequence, item.ScheduledProtocolCodeSequence = Sequence(), Sequence()
    item.RequestedProcedureDescription = item.ScheduledProcedureStepDescription = ""
    ds.ScheduledStepAttributesSequence = Sequence([item])
    ds.PatientName = order.name if order else "Conformance^Adam"
    ds.PatientID = order.patient_id if order else patient_id(session)
    ds.PatientBirthDate, ds.PatientSex = "19700203", "M"
    ds.ReferencedPatientSequence = Sequence()
    ds.PerformedProcedureStepID, ds.PerformedStationAETitle = f"P{session.mark}", session.caller.ae_title
    ds.PerformedStationName = ds.PerformedLocation = ""
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = "20260102", "101112"
    ds.PerformedProcedureStepStatus = "IN PROGRESS"
    ds.PerformedProcedureStepDescription = ds.PerformedProcedureTypeDescription = ""
    ds.ProcedureCodeSequence = Sequence()
    ds.PerformedProcedureStepEndDate = ds.PerformedProcedureStepEndTime = ""
    ds.Modality, ds.StudyID = "CT", ""
    ds.PerformedProtocolCodeSequence, ds.PerformedSeriesSequence = Sequence(), Sequence()
    return ds


def ended(session: Session, status: str = "COMPLETED") -> Dataset:
    """The modification list of the last N-SET."""
    ds, series = Dataset(), Dataset()
    ds.PerformedProcedureStepStatus = status
    ds.PerformedProcedureStepEndDate, ds.PerformedProcedureStepEndTime = "20260102", "103000"
    series.PerformingPhysicianName = series.OperatorsName = ""
    series.ProtocolName, series.SeriesInstanceUID = "Head", session.uid()
    series.SeriesDescription = series.RetrieveAETitle = ""
    series.ReferencedImageSequence = Sequence()
    series.ReferencedNonImageCompositeSOPInstanceSequence = Sequence()
    ds.PerformedSeriesSequence = Sequence([series])
    return ds


def created(session: Session, peer: Peer, attributes: Dataset | None = None) -> str:
    """A step that is in progress; its UID."""
    uid = session.uid()
    status, _ = peer.create(STEP, uid, attributes or begun(session))
    expect(status, 0x0000, "N-CREATE")
    return uid


def expect(status: Dataset, wanted: int, what: str) -> None:
    """Whether that is the status of a response."""
    if status.Status != wanted:
        raise Failed(f"{what} is answered {status.Status:04X} {status.get('ErrorComment', '')}, not {wanted:04X}")


@check(
    "dimse.step.create", "PS3.4 F.7.2.1", "N-CREATE of a step IN PROGRESS is answered 0000", Target.DIMSE, covers=COVERS
)
def create(session: Session) -> None:
    with session.dicom.open(offer(STEP)) as peer:
        created(session, peer)


@check(
    "dimse.step.complete",
    "PS3.4 F.7.2.2",
    "N-SET of the status COMPLETED is answered 0000",
    Target.DIMSE,
    covers=COVERS,
)
def complete(session: Session) -> None:
    with session.dicom.open(offer(STEP)) as peer:
        expect(peer.set(STEP, created(session, peer), ended(session))[0], 0x0000, "N-SET")


@check(
    "dimse.step.discontinue",
    "PS3.4 F.7.2.2",
    "N-SET of the status DISCONTINUED is answered 0000",
    Target.DIMSE,
    covers=COVERS,
)
def discontinue(session: Session) -> None:
    with session.dicom.open(offer(STEP)) as peer:
        expect(peer.set(STEP, created(session, peer), ended(session, "DISCONTINUED"))[0], 0x0000, "N-SET")


@check(
    "dimse.step.final",
    "PS3.4 F.7.2.2.3, Table F.7.2-2",
    "A step that is over may not be changed: 0110 with Error ID A710",
    Target.DIMSE,
    covers=COVERS,
)
def final(session: Session) -> None:
    responses: list[Dataset] = []
    handlers = [(evt.EVT_DIMSE_RECV, lambda event: responses.append(event.message.command_set))]
    with session.dicom.open(offer(STEP), handlers=handlers) as peer:
        uid = created(session, peer)
        expect(peer.set(STEP, uid, ended(session))[0], 0x0000, "N-SET")
        expect(peer.set(STEP, uid, ended(session, "DISCONTINUED"))[0], 0x0110, "N-SET of a completed step")
    error = responses[-1].get("ErrorID")
    if error != 0xA710:
        raise Failed(f"the Error ID is {error}, not A710")


@check(
    "dimse.step.twice",
    "PS3.7 10.1.5, C.5",
    "N-CREATE under a SOP Instance UID that is known is answered 0111",
    Target.DIMSE,
    covers=COVERS,
)
def twice(session: Session) -> None:
    with session.dicom.open(offer(STEP)) as peer:
        uid = created(session, peer)
        expect(peer.create(STEP, uid, begun(session))[0], 0x0111, "the second N-CREATE")


@check(
    "dimse.step.not-in-progress",
    "PS3.4 F.7.2.1.3",
    "N-CREATE with another status than IN PROGRESS is refused (0106)",
    Target.DIMSE,
    covers=COVERS,
)
def not_in_progress(session: Session) -> None:
    attributes = begun(session)
    attributes.PerformedProcedureStepStatus = "COMPLETED"
    with session.dicom.open(offer(STEP)) as peer:
        status, _ = peer.create(STEP, session.uid(), attributes)
    expect(status, 0x0106, "N-CREATE with COMPLETED")


@check(
    "dimse.step.missing-attribute",
    "PS3.7 10.1.5, C.5",
    "N-CREATE without an attribute of type 1 is refused (0120, or 0121)",
    Target.DIMSE,
    covers=COVERS,
)
def missing_attribute(session: Session) -> None:
    attributes = begun(session)
    del attributes.PerformedStationAETitle
    with session.dicom.open(offer(STEP)) as peer:
        status, _ = peer.create(STEP, session.uid(), attributes)
    if status.Status not in (0x0120, 0x0121):
        raise Failed(f"N-CREATE without Performed Station AE Title is answered {status.Status:04X}")


@check(
    "dimse.step.unknown",
    "PS3.7 10.1.3, C.5",
    "N-SET of a step that is not known is answered 0112",
    Target.DIMSE,
    covers=COVERS,
)
def unknown(session: Session) -> None:
    with session.dicom.open(offer(STEP)) as peer:
        expect(peer.set(STEP, session.uid(), ended(session))[0], 0x0112, "N-SET")


@check("dimse.step.read", "PS3.4 F.8.2.1", "N-GET gives what was told of a step", Target.DIMSE, covers=(*COVERS, READ))
def read(session: Session) -> None:
    with session.dicom.open(offer(STEP, READ)) as peer:
        peer.need(READ)
        uid = created(session, peer)
        status, answer = peer.read(READ, uid, [STATUS, 0x00400253])
        expect(status, 0x0000, "N-GET")
    said = (answer or Dataset()).get("PerformedProcedureStepStatus")
    if said != "IN PROGRESS":
        raise Failed(f"the Performed Procedure Step Status is {said!r}, not IN PROGRESS")


@check(
    "dimse.step.order",
    "PS3.4 F.7",
    "A step that was completed for an order takes it from the worklist",
    Target.DIMSE,
    also=(Target.HL7,),
    covers=(*COVERS, WORKLIST),
)
def of_an_order(session: Session) -> None:
    order = new_order(session, 4)
    answer = tell(session, order_message(session, order))
    if answer.code not in ("AA", "CA"):
        raise Failed(f"the order is answered {answer.code} {answer.field('MSA', 3)}")
    match = only(ask(session, question(AccessionNumber=order.accession)), order)
    with session.dicom.open(offer(STEP)) as peer:
        uid = created(session, peer, begun(session, order, str(match.StudyInstanceUID)))
        only(ask(session, question(AccessionNumber=order.accession)), order)
        expect(peer.set(STEP, uid, ended(session))[0], 0x0000, "N-SET")
    if ask(session, question(AccessionNumber=order.accession)).matches:
        raise Failed("the order is on the worklist still")

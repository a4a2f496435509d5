"""Modality Worklist as provider (PS3.4 K)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pydicom import Dataset
from pydicom.sequence import Sequence

from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.dicom import Found, offer
from conformance.suite.messages import Order, cancelled, new_order, order_message
from conformance.suite.mllp import tell
from conformance.suite.session import Session

WORKLIST: Final = "1.2.840.10008.5.1.4.31"
COVERS = (WORKLIST,)
ORDERED = (*COVERS, "ORM^O01")

OF_STEP: Final = (
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "Modality",
    "ScheduledPerformingPhysicianName",
    "ScheduledProcedureStepDescription",
    "ScheduledProcedureStepID",
)
OF_REQUEST: Final = (
    "AccessionNumber",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "ReferringPhysicianName",
    "RequestingPhysician",
)

NEEDED_OF_STEP: Final = (  # PS3.4 Table K.6-1: return key type 1
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "Modality",
    "ScheduledProcedureStepID",
)
NEEDED: Final = ("PatientName", "PatientID", "StudyInstanceUID", "RequestedProcedureID")


def question(step: dict[str, Any] | None = None, **keys: Any) -> Dataset:
    """An identifier that asks for all of it; `step` are keys of the scheduled procedure step."""
    ds, item = Dataset(), Dataset()
    for keyword in OF_REQUEST:
        setattr(ds, keyword, keys.get(keyword, ""))
    for keyword in OF_STEP:
        setattr(item, keyword, (step or {}).get(keyword, ""))
    ds.ScheduledProcedureStepSequence = Sequence([item])
    return ds


def ask(session: Session, asked: Dataset) -> Found:
    """One query of the worklist, which has to end with Success."""
    with session.dicom.open(offer(WORKLIST)) as peer:
        found = peer.find(WORKLIST, asked)
    if found.status not in (0x0000, 0xA700):
        raise Failed(f"the query ends with {found.status:04X} {found.final.get('ErrorComment', '')}".rstrip())
    return found


def ordered(session: Session) -> tuple[Order, Order]:
    """Two orders of the suite's own, given by HL7: a CT and an MR."""

    def make() -> tuple[Order, Order]:
        orders = new_order(session, 1), new_order(session, 2, "MR", "CONFORMANCE^BERTA")
        for one in orders:
            answer = tell(session, order_message(session, one))
            if answer.code not in ("AA", "CA"):
                raise Failed(f"the order is answered {answer.code} {answer.field('MSA', 3)}")
        return orders

    return session.once("orders on the worklist", make)


@check(
    "dimse.worklist.answered", "PS3.4 K.4.1", "A query for everything ends with Success", Target.DIMSE, covers=COVERS
)
def answered(session: Session) -> None:
    ask(session, question())


def some(session: Session) -> list[Dataset]:
    """Matches to look at: NotApplicable where there are none."""
    if session.targets.hl7 is not None:
        ordered(session)
    found = ask(session, question()).matches
    if not found:
        raise NotApplicable("the worklist is empty")
    return found


@check(
    "dimse.worklist.one-step",
    "PS3.4 K.6.1.2.2",
    "Every match has exactly one item in its Scheduled Procedure Step Sequence",
    Target.DIMSE,
    covers=COVERS,
)
def one_step(session: Session) -> None:
    for match in some(session):
        count = len(match.get("ScheduledProcedureStepSequence") or [])
        if count != 1:
            raise Failed(f"a match has {count} items")


@check(
    "dimse.worklist.return-keys",
    "PS3.4 Table K.6-1",
    "Return keys of type 1 have a value in every match, and what was asked is there",
    Target.DIMSE,
    covers=COVERS,
)
def return_keys(session: Session) -> None:
    for match in some(session):
        (step,) = match.ScheduledProcedureStepSequence
        empty = [keyword for keyword in NEEDED if not match.get(keyword)]
        empty += [keyword for keyword in NEEDED_OF_STEP if not step.get(keyword)]
        lacking = [keyword for keyword in OF_REQUEST if keyword not in match]
        if empty or lacking:
            raise Failed(f"a match has no value for {empty or 'none'}, and lacks {lacking or 'nothing'}")


@check(
    "dimse.worklist.values",
    "PS3.4 Table K.6-1",
    "Dates, times and UIDs of the matches are what their VR says",
    Target.DIMSE,
    covers=COVERS,
)
def values(session: Session) -> None:
    forms = {
        "ScheduledProcedureStepStartDate": r"\d{8}",
        "ScheduledProcedureStepStartTime": r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?",
        "ScheduledProcedureStepID": r".{1,16}",
    }
    for match in some(session):
        (step,) = match.ScheduledProcedureStepSequence
        for keyword, form in forms.items():
            if not re.fullmatch(form, str(step.get(keyword, ""))):
                raise Failed(f"{keyword} is {step.get(keyword)!r}")
        if not re.fullmatch(r"[0-2](\.(0|[1-9]\d*))+", str(match.get("StudyInstanceUID", ""))):
            raise Failed(f"Study Instance UID is {match.get('StudyInstanceUID')!r}")


@check(
    "dimse.worklist.order",
    "PS3.4 K.6.1.2.2",
    "What was ordered by HL7 is on the worklist, with its patient, its time and its station",
    Target.DIMSE,
    also=(Target.HL7,),
    covers=ORDERED,
)
def order_is_there(session: Session) -> None:
    one, _ = ordered(session)
    match = only(ask(session, question(AccessionNumber=one.accession)), one)
    (step,) = match.ScheduledProcedureStepSequence
    said = {
        "Patient's Name": str(match.PatientName).upper().rstrip("^") == one.name,
        "Patient's Birth Date": str(match.PatientBirthDate) == "19700203",
        "Patient's Sex": str(match.PatientSex) == "M",
        "Modality": step.Modality == one.modality,
        "Start Date": step.ScheduledProcedureStepStartDate == f"{one.when:%Y%m%d}",
        "Start Time": str(step.ScheduledProcedureStepStartTime)[:4] == f"{one.when:%H%M}",
    }
    wrong = [name for name, right in said.items() if not right]
    if wrong:
        raise Failed(f"other values than were ordered: {', '.join(wrong)}")


def only(found: Found, one: Order) -> Dataset:
    """The match of an order; Failed when there is not exactly one."""
    matching = [match for match in found.matches if match.get("AccessionNumber") == one.accession]
    if len(matching) != 1:
        raise Failed(f"the order is {len(matching)} times among {len(found.matches)} matches")
    return matching[0]


Keys = Callable[[Order], Dataset]

MATCHINGS: Final[tuple[tuple[str, str, Keys], ...]] = (
    ("accession-number", "Accession Number", lambda one: question(AccessionNumber=one.accession)),
    ("patient-name", "Patient's Name with a wildcard",
     lambda one: question(PatientName=f"{one.name[:-2]}*", AccessionNumber=f"{one.accession[:-1]}*")),
    ("modality", "Modality, in the sequence", lambda one: question({"Modality": one.modality})),
    ("date", "Scheduled Procedure Step Start Date, one day",
     lambda one: question({"ScheduledProcedureStepStartDate": f"{one.when:%Y%m%d}", "Modality": one.modality})),
    ("date-range", "Scheduled Procedure Step Start Date, a range",
     lambda one: question({"ScheduledProcedureStepStartDate": f"{one.when:%Y%m%d}-", "Modality": one.modality})),
    ("station", "Scheduled Station AE Title",
     lambda one: question({"ScheduledStationAETitle": one.station, "Modality": one.modality})),
)  # fmt: skip


def narrowed(keys: Keys, session: Session) -> None:
    """The one order is found by these keys, and the other one is not."""
    one, other = ordered(session)
    found = ask(session, keys(one))
    only(found, one)
    if any(match.get("AccessionNumber") == other.accession for match in found.matches):
        raise Failed("the other order, which does not match, is found too")


for _id, _title, _keys in MATCHINGS:
    check(
        f"dimse.worklist.match.{_id}",
        "PS3.4 Table K.6-1",
        f"The worklist is narrowed by {_title}",
        Target.DIMSE,
        also=(Target.HL7,),
        covers=ORDERED,
    )(partial(narrowed, _keys))


@check(
    "dimse.worklist.nothing",
    "PS3.4 K.4.1",
    "A date of long ago finds nothing of the suite's orders",
    Target.DIMSE,
    also=(Target.HL7,),
    covers=ORDERED,
)
def long_ago(session: Session) -> None:
    orders = {one.accession for one in ordered(session)}
    found = ask(session, question({"ScheduledProcedureStepStartDate": "19010101"}))
    if orders & set(found.values("AccessionNumber")):
        raise Failed("an order of tomorrow is found on 1 January 1901")


@check(
    "dimse.worklist.cancelled",
    "PS3.4 K.6.1.2.2",
    "An order that was cancelled by HL7 leaves the worklist",
    Target.DIMSE,
    also=(Target.HL7,),
    covers=ORDERED,
)
def cancelled_order(session: Session) -> None:
    one = new_order(session, 3)
    for message in (order_message(session, one), cancelled(session, one)):
        answer = tell(session, message)
        if answer.code not in ("AA", "CA"):
            raise Failed(f"the message is answered {answer.code} {answer.field('MSA', 3)}")
    if ask(session, question(AccessionNumber=one.accession)).matches:
        raise Failed("the order is on the worklist still")

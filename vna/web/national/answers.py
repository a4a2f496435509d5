"""What the national calls answer. Each is a function of the door, who asks, and what was asked."""

# ruff: noqa: RUF001 (Turkish letters)

from collections.abc import Iterable, Sequence
from contextlib import suppress

from vna.model.access import Actor
from vna.model.codes import Facility
from vna.model.errors import BadRequest, NotFound
from vna.model.order_queries import OrderQuery, Period
from vna.model.orders import KnownOrder, Order, OrderKey, OrderState
from vna.model.reports import Report
from vna.teleradiology.listings import MOST
from vna.web.national import national_calls as calls
from vna.web.national.door import NationalDoor
from vna.web.national.fields import iso, local_time
from vna.web.national.report_text import plain_text
from vna.web.national.statuses import Known, order_status, sent_at
from vna.web.national.unmatched import orders_without_images, studies_without_order

UNSET = "0001-01-01T00:00:00"
"""A time that is not known where clients read a date that cannot be null."""
_COMPLAINTS, _HISTORY = "NTE0001", "NTE0002"


def patient_orders(door: NationalDoor, actor: Actor, asked: calls.PatientOrders) -> list[calls.PatientOrder]:
    """Orders of a patient at a facility, without those that were cancelled."""
    facility = door.listings.facility_of_medula(actor, asked.MedulaInstitutionId)
    query = OrderQuery(facility=facility.code, national_number=asked.CitizenId)
    found = door.listings.orders(actor, query, limit=MOST).orders
    return [_patient_order(one.order) for one in found if one.order.state is not OrderState.CANCELLED]


def _patient_order(order: Order) -> calls.PatientOrder:
    return calls.PatientOrder(
        AccessionNumber=order.key.accession_number,
        Modality=order.modality,
        ScheduleDate=iso(order.scheduled_at),
        SutCode=order.sut.code,
        SutDescription=order.sut.text,
        PatientHbysId=order.patient.patient_id,
        PatientHistory=_note(order, _HISTORY),
        PatientComplaints=_note(order, _COMPLAINTS),
        PatientICD1O=",".join(one.code for one in order.diagnoses),
    )


def _note(order: Order, code: str) -> str:
    return "\n".join(note.text for note in order.notes if note.code == code)


def statuses(door: NationalDoor, actor: Actor, asked: calls.OrderStatuses) -> list[calls.OrderStatus]:
    """How these orders stand, one answer for each number."""
    facility = door.listings.facility_of_medula(actor, asked.MedulaInstitutionId)
    known = door.known(actor, facility.code, asked.AccessionNumberList)
    return [_status(door, one, facility.medula_code) for one in known]


def _status(door: NationalDoor, known: Known, medula_code: str) -> calls.OrderStatus:
    return order_status(known, medula_code, door.zone)


def unmatched_orders(door: NationalDoor, actor: Actor, asked: calls.Span) -> list[str]:
    """Accession numbers of orders without images."""
    facility = door.listings.facility_of_medula(actor, asked.MedulaInstitutionId)
    found = orders_without_images(door, actor, facility.code, period(door, asked), asked.Modality)
    return [one.order.key.accession_number for one in found]


def unmatched_studies(door: NationalDoor, actor: Actor, asked: calls.Span) -> list[str]:
    """Accession numbers of images without an order."""
    facility = door.listings.facility_of_medula(actor, asked.MedulaInstitutionId)
    found = studies_without_order(door, actor, facility.code, period(door, asked), asked.Modality)
    return [one.accession_number for one in found if one.accession_number]


def failed_notifications(door: NationalDoor, actor: Actor, asked: calls.Span) -> list[calls.FailedNotification]:
    """What the payer did not accept."""
    facility = door.listings.facility_of_medula(actor, asked.MedulaInstitutionId)
    found = door.listings.failed_notifications(actor, facility.code, period(door, asked), asked.Modality)
    return [
        calls.FailedNotification(
            AccessionNuber=one.key.accession_number,
            LastMedulaSendDate=sent_at(one, door.zone) or UNSET,
            NumberOfAttempt=one.attempts,
            LastMedulaResponseCode=one.response_code,
            LastMedulaResponseMessage=one.response_message,
        )
        for one in found
    ]


def period(door: NationalDoor, asked: calls.Span) -> Period:
    """From one time to another; a date alone is all of that day."""
    begin, end = _time(door, asked.StartDateTime), _time(door, asked.EndDateTime, end=True)
    if end < begin:
        raise BadRequest("EndDateTime is before StartDateTime")
    return Period(begin, end)


def _time(door: NationalDoor, text: str, *, end: bool = False) -> str:
    try:
        return local_time(text, end=end, zone=door.zone)
    except ValueError as error:
        raise BadRequest(str(error)) from error


def daily_orders(door: NationalDoor, actor: Actor, asked: calls.Day) -> list[calls.DailyOrder]:
    """Orders that are to be performed on a day."""
    day = Period.day(_time(door, asked.QueryDate)[:8])
    return _of_day(door, actor, asked, OrderQuery(scheduled=day))


def daily_created_orders(door: NationalDoor, actor: Actor, asked: calls.Day) -> list[calls.DailyOrder]:
    """Orders that were made on a day."""
    day = Period.day(_time(door, asked.QueryDate)[:8])
    return _of_day(door, actor, asked, OrderQuery(requested=day))


_MOST_PAGES = 10


def _of_day(door: NationalDoor, actor: Actor, asked: calls.Day, query: OrderQuery) -> list[calls.DailyOrder]:
    facility = door.listings.facility_of_medula(actor, asked.MedulaInstitutionId)
    query = OrderQuery(
        facility=facility.code, modality=asked.Modality, scheduled=query.scheduled, requested=query.requested
    )
    found: list[KnownOrder] = []
    after = None
    for _ in range(_MOST_PAGES):
        page = door.listings.orders(actor, query, after=after, limit=MOST)
        found += page.orders
        after = page.after
        if after is None:
            break
    return [
        calls.DailyOrder(
            AccessionNumber=one.order.key.accession_number,
            Modality=one.order.modality,
            ScheduleDate=iso(one.order.scheduled_at),
            SutCode=one.order.sut.code,
            CitizenId=one.order.patient.national_number,
        )
        for one in found
        if one.order.state is not OrderState.CANCELLED
    ]


def daily_studies(door: NationalDoor, actor: Actor, asked: calls.StudyDay) -> list[calls.DailyStudy]:
    """Images that were made on a day."""
    facility = door.listings.facility_of_medula(actor, asked.MedulaInstitutionId)
    day = _time(door, asked.QueryDate)[:8]
    return [
        calls.DailyStudy(
            AccessionNumber=one.accession_number,
            Modality=",".join([name for name in one.modalities if name not in _BESIDE] or one.modalities),
            StudyInstanceUID=one.study_instance_uid,
            StudyDate=iso(one.study_date),
        )
        for one in door.listings.studies_of_day(actor, facility.code, day, asked.Modality)
    ]


_BESIDE = frozenset({"DOC", "KO", "PR", "SR"})
"""Modalities of what comes beside images."""


def previous(door: NationalDoor, actor: Actor, asked: calls.PreviousOfOne) -> list[calls.PreviousStudy]:
    """Earlier examinations of a patient with one code."""
    several = calls.PreviousOfSome(
        MedulaInstitutionId=asked.MedulaInstitutionId,
        PatientCitizenId=asked.PatientCitizenId,
        SutCodeList=[asked.SutCode],
        DoctorCitizenId=asked.DoctorCitizenId,
    )
    return previous_of_some(door, actor, several)


def previous_of_some(door: NationalDoor, actor: Actor, asked: calls.PreviousOfSome) -> list[calls.PreviousStudy]:
    """Earlier examinations of a patient with several codes."""
    door.listings.facility_of_medula(actor, asked.MedulaInstitutionId)
    found = earlier(door, actor, asked.PatientCitizenId, asked.SutCodeList, asked.DoctorCitizenId)
    facilities = {one.order.key.facility: _facility(door, actor, one) for one in found}
    return [
        _previous(one, facilities[one.order.key.facility], door.order_ids.given(actor, one.order.key)) for one in found
    ]


def earlier(door: NationalDoor, actor: Actor, number: str, codes: Sequence[str], doctor: str) -> Sequence[KnownOrder]:
    """Examinations with these codes within their periods; that they were asked for is noted."""
    now, found = door.now(), list[KnownOrder]()
    for code in dict.fromkeys(codes):
        found += door.duplicates.query(actor, number, code, now, doctor=doctor).earlier
    return found


def search_details(door: NationalDoor, actor: Actor, asked: calls.PreviousOfSome) -> list[calls.SearchDetail]:
    """Whether the doctor who is named, else somebody of the facility, opened an earlier examination up to the end of
    today, for each code."""
    facility = door.listings.facility_of_medula(actor, asked.MedulaInstitutionId)
    doctor = asked.DoctorCitizenId
    found = door.looks.looked_before(
        actor,
        asked.PatientCitizenId,
        asked.SutCodeList,
        at=door.now()[:8],
        doctor=doctor,
        facility="" if doctor else facility.code,
    )
    return [
        calls.SearchDetail(SutCode=code, Result=found.get(code, False)) for code in dict.fromkeys(asked.SutCodeList)
    ]


def _facility(door: NationalDoor, actor: Actor, one: KnownOrder) -> Facility:
    return door.listings.facility(actor, one.order.key.facility)


def _previous(one: KnownOrder, facility: Facility, order_id: str) -> calls.PreviousStudy:
    order, standing = one.order, one.standing
    return calls.PreviousStudy(
        OrderId=order_id,
        InstitutionName=facility.name,
        SKRS=facility.code,
        AccessionNumber=order.key.accession_number,
        ScheduleDate=iso(order.scheduled_at or order.requested_at) or UNSET,
        PerformedDate=iso(standing.performed_at) or UNSET,
        RequestedProcedureDescription=order.sut.text,
        IsStudyExist=standing.has_images,
        IsReportExist=standing.has_report,
    )


def report(door: NationalDoor, actor: Actor, asked: calls.OneReport) -> calls.ReportText:
    """The approved report of an order and its addenda, as text. That it was opened is noted: ordering the same again
    may depend on it."""
    key = door.order_ids.read(actor, asked.OrderID)
    text = _told(door.reports.of_earlier(actor, key))
    if text is not None:
        with suppress(NotFound):
            door.looks.opened_order(actor, key, asked.DoctorCitizenId)
    return calls.ReportText(Report=text)


def _told(versions: Iterable[Report]) -> str | None:
    return "\n\n".join(plain_text(one) for one in versions) or None


def send_control(door: NationalDoor, actor: Actor, asked: calls.SendControl) -> list[calls.SendControlRow]:
    """What is known of numbers that the tracking module searches."""
    facility = _stm_facility(door, actor, asked.InstitutionId)
    known = door.known(actor, facility, asked.AccessionNumber) if asked.AccessionNumber else []
    rows = [_control(door, actor, one) for one in known]
    for number in asked.CitizenId:
        query = OrderQuery(facility=facility, national_number=number)
        found = door.listings.orders(actor, query).orders
        rows += [_control(door, actor, one) for one in door.about(actor, found)]
    return rows


def _stm_facility(door: NationalDoor, actor: Actor, said: str) -> str:
    """The institution by the tracking module's number, the Medula or the SKRS code; without one the actor's own."""
    if not said:
        if not actor.facility:
            raise BadRequest("InstitutionId is missing")
        return actor.facility
    for find in (door.listings.facility_of_stm, door.listings.facility_of_medula):
        with suppress(NotFound):
            return find(actor, said).code
    return door.listings.facility(actor, said).code


def _control(door: NationalDoor, actor: Actor, known: Known) -> calls.SendControlRow:
    order = known.order
    studies = [*known.studies, *(one.study_instance_uid for one in known.unordered)]
    return calls.SendControlRow(
        SearchAccessionNumber=known.accession_number,
        OrderId=door.order_ids.given(actor, order.key) if order is not None else None,
        HL7PatientName=order.patient.name if order is not None else None,
        HL7Modality=order.modality if order is not None else None,
        CitizenId=order.patient.national_number if order is not None else None,
        SutCode=order.sut.code if order is not None else None,
        ScheduleDate=iso(order.scheduled_at) if order is not None else None,
        StudyInstanceUID=studies[0] if studies else None,
        TeletipStatusId=known.teletip.number,
        Error=known.error,
    )


def medula_status(door: NationalDoor, actor: Actor, asked: calls.OneOrderId) -> calls.MedulaStatus:
    """What the payer said of an order; all is None where no order is known by the number."""
    text = asked.orderId
    try:
        known = door.about(actor, [door.listings.order(actor, door.order_ids.read(actor, text))])[0]
    except NotFound:
        return calls.MedulaStatus(
            OrderId=text,
            Error=None,
            CitizenId=None,
            SutCode=None,
            MedulaResponseCode=None,
            MedulaResponseMessage=None,
            LastMedulaSendDate=None,
        )
    status = _status(door, known, "")
    return calls.MedulaStatus(
        OrderId=text,
        Error=status.Error,
        CitizenId=status.CitizenId,
        SutCode=status.SutCode,
        MedulaResponseCode=status.MedulaResponseCode,
        MedulaResponseMessage=status.MedulaResponseMessage,
        LastMedulaSendDate=status.LastMedulaSendDate,
    )


def reprocessed(door: NationalDoor, actor: Actor, asked: calls.OneOrder) -> list[str]:
    """Match an order again, and say in words how it stands."""
    facility = door.listings.facility_of_medula(actor, asked.MedulaInstitutionId)
    key = OrderKey(facility.code, asked.AccessionNumber)
    door.reprocessing.again(actor, key)
    known = door.about(actor, [door.listings.order(actor, key)])[0]
    error = known.error
    return [f"{key.accession_number}: {known.teletip.word}" + (f" - {error}" if error else "")]


def removed_kos(door: NationalDoor, actor: Actor, asked: calls.RemovedKos) -> list[calls.RemovedStudy]:
    """Take images away from an order for good, which takes the right to match; the images themselves stay."""
    facility = door.listings.facility_of_medula(actor, asked.MedulaInstitutionId)
    key = OrderKey(facility.code, asked.AccessionNumber)
    door.matching.release(actor, key, asked.StudyInstanceUID, "RemoveKos")
    return [
        calls.RemovedStudy(
            AccessionNumber=asked.AccessionNumber,
            StudyInstanceUID=asked.StudyInstanceUID,
            Result=True,
            Message="Tetkik istemden ayrıldı",
        )
    ]

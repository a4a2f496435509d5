"""What the plain addresses answer. Each is a function of the door, who asks, and what was asked."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from vna.model.access import Actor
from vna.model.errors import BadRequest
from vna.model.national import is_national_number
from vna.model.notifications import Notification
from vna.model.order_queries import ListedStudy, OrderQuery, Period, Place
from vna.model.orders import Coded, Order, OrderKey
from vna.teleradiology.listings import MOST_DAYS
from vna.teleradiology.reasons import REASONS, Status
from vna.web.national import plain_calls as calls
from vna.web.national import unmatched
from vna.web.national.answers import earlier
from vna.web.national.door import NationalDoor
from vna.web.national.fields import iso, local_time
from vna.web.national.statuses import MATCHED, NOT_FOUND, Known, sent_at

_STATUSES = tuple(one.value for one in Status)
UNKNOWN_STATUS = f"status is one of {', '.join(_STATUSES)}"


def orders(door: NationalDoor, actor: Actor, asked: calls.ListedOrders) -> calls.Orders:
    """A page of orders."""
    query = order_query(door, asked)
    page = door.listings.orders(actor, query, after=read_cursor(asked.after), limit=asked.limit)
    shown = [order_of(door, one) for one in door.about(actor, page.orders)]
    return calls.Orders(orders=shown, next=cursor(page.after))


def order_query(door: NationalDoor, asked: calls.ListedOrders) -> OrderQuery:
    """What is asked, in the words of the model. A list by date of which one end is said is as long as one may be."""
    if asked.status and asked.status not in _STATUSES:
        raise BadRequest(UNKNOWN_STATUS)
    is_number = is_national_number(asked.patient)
    period = period_of(door, asked.begin, asked.end) if asked.begin or asked.end else None
    if period is not None and not (asked.patient or asked.accession):
        period = period.closed(MOST_DAYS)
    return OrderQuery(
        facility=asked.facility,
        national_number=asked.patient if is_number else "",
        patient_id="" if is_number else asked.patient,
        accession_numbers=tuple(asked.accession or ()),
        modality=asked.modality,
        status=asked.status,
        requested=period if asked.by == "requested" else None,
        scheduled=period if asked.by == "scheduled" else None,
    )


def period_of(door: NationalDoor, begin: str, end: str) -> Period:
    """From one time to another; a date alone is all of that day."""
    try:
        period = Period(
            local_time(begin, zone=door.zone) if begin else Period().begin,
            local_time(end, end=True, zone=door.zone) if end else Period().end,
        )
    except ValueError as error:
        raise BadRequest(str(error)) from error
    if period.end < period.begin:
        raise BadRequest("the period ends before it begins")
    return period


def cursor(place: Place | None) -> str | None:
    """A place in a list as callers hand it back."""
    return None if place is None else urlsafe_b64encode(f"{place.at}.{place.number}".encode()).decode().rstrip("=")


def read_cursor(text: str) -> Place | None:
    """The place that `cursor` wrote; BadRequest."""
    if not text:
        return None
    try:
        at, _, number = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(".")
        return Place(at, int(number))
    except ValueError as error:
        raise BadRequest("after is what an answer gave as next") from error


def order_of(door: NationalDoor, known: Known) -> calls.Order:
    """An order with how it stands."""
    assert known.order is not None
    order, standing = known.order, known.standing
    return calls.Order(
        facility=order.key.facility,
        accession_number=order.key.accession_number,
        performing_facility=order.performing_facility,
        state=order.state.value,
        status=standing.status,
        reasons=[reason_of(code) for code in standing.reasons],
        matched=standing.matched,
        has_images=standing.has_images,
        has_report=standing.has_report,
        patient=calls.Patient(**_plain(order.patient)),
        sut=_coded(order.sut),
        loinc=_coded(order.loinc),
        modality=order.modality,
        requested_at=iso(order.requested_at),
        scheduled_at=iso(order.scheduled_at),
        performed_at=iso(standing.performed_at),
        ordering_doctor=calls.Person(**_plain(order.ordering_doctor)),
        payer=order.payer,
        studies=list(known.studies),
        notification=_notified(door, known.notification),
    )


def reason_of(code: str) -> calls.Reason:
    """A reason in both languages."""
    said = REASONS.get(code)
    return calls.Reason(code=code, tr=said.turkish if said else code, en=said.english if said else code)


def _plain(value: Any) -> dict[str, str]:
    return {name: getattr(value, name) for name in value.__slots__}


def _coded(coded: Coded) -> calls.Coded:
    return calls.Coded(code=coded.code, text=coded.text)


def _notified(door: NationalDoor, told: Notification | None) -> calls.Notified | None:
    if told is None:
        return None
    return calls.Notified(
        state=told.state.value,
        attempts=told.attempts,
        last_sent_at=sent_at(told, door.zone),
        response_code=told.response_code,
        response_message=told.response_message,
    )


def one_order(door: NationalDoor, actor: Actor, asked: calls.NamedOrder) -> calls.Order:
    """One order."""
    known = door.listings.order(actor, OrderKey(asked.facility, asked.accession))
    return order_of(door, door.about(actor, [known])[0])


def reprocessed(door: NationalDoor, actor: Actor, asked: calls.NamedOrder) -> calls.Order:
    """Match an order again, and say how it stands."""
    door.reprocessing.again(actor, OrderKey(asked.facility, asked.accession))
    return one_order(door, actor, asked)


def statuses(door: NationalDoor, actor: Actor, asked: calls.AskedStatuses) -> calls.Statuses:
    """What is known of accession numbers."""
    known = door.known(actor, asked.facility, asked.accession_numbers)
    return calls.Statuses(statuses=[_status(door, one) for one in known])


def _status(door: NationalDoor, known: Known) -> calls.Status:
    return calls.Status(
        accession_number=known.accession_number,
        found="matched"
        if known.teletip is MATCHED
        else "nothing"
        if known.teletip is NOT_FOUND
        else "images without order"
        if known.order is None
        else "order without images",
        order=order_of(door, known) if known.order is not None else None,
        studies=[_study(one) for one in known.unordered],
    )


def _study(one: ListedStudy) -> calls.Study:
    return calls.Study(
        study_instance_uid=one.study_instance_uid,
        facility=one.facility,
        accession_number=one.accession_number,
        study_date=one.study_date,
        modalities=list(one.modalities),
    )


def unmatched_orders(door: NationalDoor, actor: Actor, asked: calls.Unmatched) -> calls.UnmatchedOrders:
    """A page of orders without images."""
    period = period_of(door, asked.begin, asked.end)
    found = unmatched.orders_without_images(
        door, actor, asked.facility, period, asked.modality, asked.after, asked.limit
    )
    last = found[-1].position if len(found) == asked.limit else None
    return calls.UnmatchedOrders(orders=[unmatched.order_of(one) for one in found], next=last)


def unmatched_studies(door: NationalDoor, actor: Actor, asked: calls.Unmatched) -> calls.UnmatchedStudies:
    """A page of images without an order."""
    period = period_of(door, asked.begin, asked.end)
    found = unmatched.studies_without_order(
        door, actor, asked.facility, period, asked.modality, asked.after, asked.limit
    )
    last = found[-1].position if len(found) == asked.limit else None
    return calls.UnmatchedStudies(studies=[unmatched.study_of(one) for one in found], next=last)


def failed_notifications(door: NationalDoor, actor: Actor, asked: calls.InPeriod) -> calls.FailedList:
    """Notifications that were not accepted."""
    period = period_of(door, asked.begin, asked.end)
    found = door.listings.failed_notifications(actor, asked.facility, period, asked.modality, limit=asked.limit)
    return calls.FailedList(
        notifications=[
            calls.Failed(
                facility=one.key.facility,
                accession_number=one.key.accession_number,
                attempts=one.attempts,
                last_sent_at=sent_at(one, door.zone),
                response_code=one.response_code,
                response_message=one.response_message,
            )
            for one in found
        ]
    )


def previous(door: NationalDoor, actor: Actor, asked: calls.Earlier) -> calls.Previous:
    """Earlier examinations of a patient."""
    found = earlier(door, actor, asked.patient, asked.sut_code, asked.doctor)
    known = door.about(actor, found[: asked.limit])
    there = {one.order.key.facility for one in found}
    names = {skrs: door.listings.facility(actor, skrs).name for skrs in there}
    return calls.Previous(examinations=[_previous(one.order, one, names) for one in known if one.order is not None])


def _previous(order: Order, known: Known, names: dict[str, str]) -> calls.Examination:
    standing = known.standing
    return calls.Examination(
        facility=order.key.facility,
        facility_name=names[order.key.facility],
        accession_number=order.key.accession_number,
        sut=_coded(order.sut),
        requested_at=iso(order.requested_at),
        performed_at=iso(standing.performed_at),
        has_images=standing.has_images,
        has_report=standing.has_report,
        studies=list(known.studies),
    )

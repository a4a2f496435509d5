"""What the tracking page is asked, and the table that answers it."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vna.model.access import Actor
from vna.model.errors import BadRequest
from vna.model.unmatched import QUARANTINED, UnmatchedStudy
from vna.teleradiology.listings import MOST
from vna.teleradiology.reasons import NO_ORDER, NOTHING, Reason, Status
from vna.web.national import plain_answers as answers
from vna.web.national import plain_calls as calls
from vna.web.national import unmatched
from vna.web.national.door import NationalDoor
from vna.web.national.fields import Asked, Text, plain
from vna.web.national.statuses import SENT, Known
from vna.web.national.tables import Row, Table
from vna.web.national.words import Words
from vna.web.page import readable_name

View = Literal["orders", "unmatched-orders", "unmatched-studies", "failed"]
VIEWS: tuple[View, ...] = ("orders", "unmatched-orders", "unmatched-studies", "failed")
_GOOD = frozenset({Status.COMPLETE, Status.NOTIFIED})
_PAGE = 100


def _numbers_only(pasted: str) -> str:
    for one in pasted.split():
        plain(one)
    return pasted


class TrackingForm(Asked):
    """The fields of the page's form. `numbers` is as it was pasted."""

    view: View = "orders"
    numbers: Annotated[str, AfterValidator(_numbers_only)] = Field(default="", max_length=20_000)
    patient: Text = ""
    facility: Text = ""
    begin: Text = ""
    end: Text = ""
    by: Literal["requested", "scheduled"] = "requested"
    modality: Text = ""
    status: Text = ""
    after: Text = ""
    lang: Text = ""
    accession: Text = ""
    of: Text = ""

    @property
    def accession_numbers(self) -> list[str]:
        """Those that were pasted, each once."""
        return list(dict.fromkeys(one for one in re.split(r"[\s,;]+", self.numbers) if one))

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked yet."""
        return not (self.numbers.strip() or self.patient or self.begin or self.end)


def table(door: NationalDoor, actor: Actor, form: TrackingForm, words: Words, *, most: int = _PAGE) -> Table:
    """The rows of the list that was chosen."""
    match form.view:
        case "orders":
            return (
                _numbers(door, actor, form, words)
                if form.accession_numbers
                else _orders(door, actor, form, words, most)
            )
        case "unmatched-orders":
            return _unmatched_orders(door, actor, form, words)
        case "unmatched-studies":
            return _unmatched_studies(door, actor, form, words)
        case "failed":
            return _failed(door, actor, form)


_ORDERS = (
    "accession",
    "where",
    "who",
    "national_number",
    "modality",
    "when",
    "sut",
    "status",
    "reasons",
    "images",
    "report",
    "payer",
)


def _numbers(door: NationalDoor, actor: Actor, form: TrackingForm, words: Words) -> Table:
    numbers = form.accession_numbers
    if len(numbers) > MOST:
        raise BadRequest(f"at most {MOST} accession numbers can be asked for at once")
    if not (form.facility or actor.facility):
        query = calls.ListedOrders(accession=numbers, limit=MOST)
        found = door.listings.orders(actor, answers.order_query(door, query), limit=MOST).orders
        rows = door.about(actor, found)
        missing = [Known(number) for number in numbers if number not in {one.accession_number for one in rows}]
        return Table(_ORDERS, tuple(_row(one, words) for one in (*rows, *missing)))
    return Table(_ORDERS, tuple(_row(one, words) for one in door.known(actor, form.facility, numbers)))


def _orders(door: NationalDoor, actor: Actor, form: TrackingForm, words: Words, most: int) -> Table:
    asked = calls.ListedOrders.model_validate(
        {
            "facility": form.facility,
            "patient": form.patient,
            "modality": form.modality,
            "status": form.status,
            "from": form.begin,
            "to": form.end,
            "by": form.by,
        }
    )
    query = answers.order_query(door, asked)
    page = door.listings.orders(actor, query, after=answers.read_cursor(form.after), limit=most)
    rows = tuple(_row(one, words) for one in door.about(actor, page.orders))
    return Table(_ORDERS, rows, after=answers.cursor(page.after) or "")


def _row(known: Known, words: Words) -> Row:
    order, standing = known.order, known.standing
    if order is None:
        return _without_order(known, words)
    yes_or_no = {True: words["yes"], False: words["no"]}
    cells = (
        order.key.accession_number,
        order.key.facility,
        readable_name(order.patient.name),
        order.patient.national_number or order.patient.patient_id,
        order.modality,
        readable_time(order.scheduled_at or order.requested_at),
        f"{order.sut.code} {order.sut.text}".strip(),
        words[standing.status],
        "; ".join(reason_in(code, words) for code in standing.reasons),
        yes_or_no[standing.has_images],
        yes_or_no[standing.has_report],
        words["told"] if known.medula is SENT else words["not_told"],
    )
    return Row(cells, order.key, standing.status in _GOOD)


def _without_order(known: Known, words: Words) -> Row:
    found = known.unordered[0] if known.unordered else None
    why = NO_ORDER if found is not None else NOTHING
    cells = (
        known.accession_number,
        found.facility if found is not None else "",
        "",
        "",
        ", ".join(found.modalities) if found is not None else "",
        readable_time(found.study_date) if found is not None else "",
        "",
        words["images alone"] if found is not None else words["unknown"],
        _said(why, words),
        words["yes"] if found is not None else words["no"],
        words["no"],
        words["not_told"],
    )
    return Row(cells, None, is_good=False)


def reason_in(code: str, words: Words) -> str:
    """The words of a reason."""
    said = answers.reason_of(code)
    return said.en if words.language == "en" else said.tr


def _said(reason: Reason, words: Words) -> str:
    return reason.english if words.language == "en" else reason.turkish


def _unmatched_orders(door: NationalDoor, actor: Actor, form: TrackingForm, words: Words) -> Table:
    period = answers.period_of(door, form.begin, form.end)
    found = unmatched.orders_without_images(door, actor, form.facility, period, form.modality)
    rows = tuple(
        Row(
            (
                one.order.key.accession_number,
                one.order.key.facility,
                one.order.modality,
                one.sut_code,
                readable_time(one.requested_at),
                readable_time(one.order.scheduled_at),
                _unmatched_reason(one.reason, words),
            ),
            one.order.key,
        )
        for one in found
    )
    columns = ("accession", "where", "modality", "sut", "ordered", "when", "reason")
    return Table(columns, rows, is_cut=len(found) >= unmatched.MOST)


def _unmatched_reason(code: str, words: Words) -> str:
    said = unmatched.reason_of(code)
    return said.en if words.language == "en" else said.tr


def _why_alone(study: UnmatchedStudy, words: Words) -> str:
    reason = _unmatched_reason(study.reason, words)
    if not study.is_quarantined:
        return reason
    return f"{reason}. {QUARANTINED.english if words.language == 'en' else QUARANTINED.turkish}"


def _unmatched_studies(door: NationalDoor, actor: Actor, form: TrackingForm, words: Words) -> Table:
    period = answers.period_of(door, form.begin, form.end)
    found = unmatched.studies_without_order(door, actor, form.facility, period, form.modality)
    rows = tuple(
        Row(
            (
                one.accession_number,
                one.facility,
                ", ".join(one.modalities),
                readable_time(one.study_date),
                one.study_instance_uid,
                _why_alone(one, words),
            )
        )
        for one in found
    )
    columns = ("accession", "where", "modality", "study_date", "study", "reason")
    return Table(columns, rows, is_cut=len(found) >= unmatched.MOST)


def _failed(door: NationalDoor, actor: Actor, form: TrackingForm) -> Table:
    asked = calls.InPeriod.model_validate(
        {
            "facility": form.facility,
            "modality": form.modality,
            "from": form.begin or "19000101",
            "to": form.end or "99981231",
            "limit": MOST,
        }
    )
    found = answers.failed_notifications(door, actor, asked).notifications
    rows = tuple(
        Row(
            (
                one.accession_number,
                one.facility,
                (one.last_sent_at or "").replace("T", " "),
                str(one.attempts),
                one.response_code,
                one.response_message,
            )
        )
        for one in found
    )
    columns = ("accession", "where", "sent", "attempts", "code", "message")
    return Table(columns, rows, is_cut=len(found) >= MOST)


def readable_time(text: str) -> str:
    """`20260131100000` as `2026-01-31 10:00`; a date alone without the time."""
    if len(text) < 8:
        return text
    day = f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    return f"{day} {text[8:10]}:{text[10:12]}" if len(text) >= 12 else day

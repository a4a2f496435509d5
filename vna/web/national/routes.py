"""Every address of the national side over HTTP: one table of operations, the tracking page, and logins."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from vna.model.errors import VnaError
from vna.web import reports
from vna.web.errors import HEADERS, refusal, unexpected
from vna.web.national import answers, plain_answers, token, tracking_page
from vna.web.national import national_calls as national
from vna.web.national import plain_calls as plain
from vna.web.national.door import NationalDoor
from vna.web.national.fields import Asked, Text
from vna.web.national.openapi import described
from vna.web.national.operations import (
    Answer,
    Described,
    Manner,
    Operation,
    Reading,
    national_refusal,
    national_trouble,
)
from vna.web.page import headers_of, template
from vna.web.report_models import Approval, Filing, ReportModel, ReportsModel

log = logging.getLogger(__name__)

API = "/api/teleradiology"
BASES = ("/Common.WebApi/api", API)
"""What comes before the national call names: as existing clients write it, and ours."""
DESCRIPTION = API + "/openapi.json"
DOCUMENTS = API + "/docs"

_QUERY, _BODY = Reading.QUERY, Reading.BODY
_NATIONAL = Manner.NATIONAL
_PARAMETER, _NON_MATCHING = Reading.PARAMETER, Reading.NON_MATCHING


def _plain(method: str, path: str, answer: Answer, asked: type[Asked], gives: Any, summary: str) -> Operation:
    reading = _BODY if method == "POST" else _QUERY
    name = f"plain_{answer.__name__}"
    return Operation(
        name, method, (API + path,), asked=asked, reading=reading, gives=gives, answer=answer, summary=summary
    )


def _call(
    name: str, answer: Answer, asked: type[Asked], gives: Any, summary: str, reading: Reading = _PARAMETER
) -> Operation:
    method = "POST" if reading is _BODY else "GET"
    addresses = tuple(f"{base}/Integration/{name}" for base in BASES)
    return Operation(
        name,
        method,
        addresses,
        asked=asked,
        reading=reading,
        gives=gives,
        answer=answer,
        summary=summary,
        manner=_NATIONAL,
    )


def _stm(name: str, answer: Answer, asked: type[Asked], gives: Any, summary: str, reading: Reading) -> Operation:
    addresses = ("/Common.WebApi/api/STM/" + name, "/api/STM/" + name, f"{API}/STM/{name}")
    return Operation(
        name,
        "GET",
        addresses,
        asked=asked,
        reading=reading,
        gives=gives,
        answer=answer,
        summary=summary,
        manner=_NATIONAL,
    )


_ORDER = "/orders/{facility}/{accession}"
OPERATIONS: tuple[Operation, ...] = (
    _plain("GET", "/orders", plain_answers.orders, plain.ListedOrders, plain.Orders, "Orders, the newest first"),
    _plain(
        "POST",
        _ORDER + "/reprocess",
        plain_answers.reprocessed,
        plain.NamedOrder,
        plain.Order,
        "Match an order again and find out how it stands",
    ),
    _plain("GET", _ORDER, plain_answers.one_order, plain.NamedOrder, plain.Order, "One order and how it stands"),
    _plain(
        "POST",
        "/status",
        plain_answers.statuses,
        plain.AskedStatuses,
        plain.Statuses,
        "What is known of accession numbers",
    ),
    _plain(
        "GET",
        "/unmatched/orders",
        plain_answers.unmatched_orders,
        plain.Unmatched,
        plain.UnmatchedOrders,
        "Orders without images",
    ),
    _plain(
        "GET",
        "/unmatched/studies",
        plain_answers.unmatched_studies,
        plain.Unmatched,
        plain.UnmatchedStudies,
        "Images without an order",
    ),
    _plain(
        "GET",
        "/notifications/failed",
        plain_answers.failed_notifications,
        plain.InPeriod,
        plain.FailedList,
        "Notifications that the payer refused or did not answer",
    ),
    _plain(
        "GET", "/previous", plain_answers.previous, plain.Earlier, plain.Previous, "Earlier examinations of a patient"
    ),
    _call(
        "GetPatientOrderList",
        answers.patient_orders,
        national.PatientOrders,
        list[national.PatientOrder],
        "Orders of a patient",
    ),
    _call(
        "GetOrderStatusForAccessionNumberList",
        answers.statuses,
        national.OrderStatuses,
        list[national.OrderStatus],
        "How orders stand",
    ),
    _call(
        "GetNonMatchingOrderList",
        answers.unmatched_orders,
        national.Span,
        list[str],
        "Accession numbers of orders without images",
        _NON_MATCHING,
    ),
    _call(
        "GetNonMatchingStudyList",
        answers.unmatched_studies,
        national.Span,
        list[str],
        "Accession numbers of images without an order",
        _NON_MATCHING,
    ),
    _call(
        "GetMedulaRegistrationFailedOrderList",
        answers.failed_notifications,
        national.Span,
        list[national.FailedNotification],
        "Notifications that the payer refused or did not answer",
        _NON_MATCHING,
    ),
    _call("GetDailyOrderList", answers.daily_orders, national.Day, list[national.DailyOrder], "Orders of a day"),
    _call("GetDailyStudyList", answers.daily_studies, national.StudyDay, list[national.DailyStudy], "Images of a day"),
    _call(
        "GetDailyCreatedOrderList",
        answers.daily_created_orders,
        national.Day,
        list[national.DailyOrder],
        "Orders that were made on a day",
    ),
    _call(
        "GetPreviousStudies",
        answers.previous,
        national.PreviousOfOne,
        list[national.PreviousStudy],
        "Earlier examinations of a patient by one code",
    ),
    _call(
        "GetPreviousStudiesForSutCodeList",
        answers.previous_of_some,
        national.PreviousOfSome,
        list[national.PreviousStudy],
        "Earlier examinations of a patient by several codes",
    ),
    _call(
        "GetPreviousStudiesSearchDetail",
        answers.search_details,
        national.PreviousOfSome,
        list[national.SearchDetail],
        "Whether earlier examinations were opened",
    ),
    _call("GetReport", answers.report, national.OneReport, national.ReportText, "The report of an order"),
    _call(
        "RemoveKos",
        answers.removed_kos,
        national.RemovedKos,
        list[national.RemovedStudy],
        "Take images away from an order",
        _BODY,
    ),
    _call(
        "ReProcessStudy",
        answers.reprocessed,
        national.OneOrder,
        list[str],
        "Match an order again and find out how it stands",
        _BODY,
    ),
    _stm(
        "GetInstitutionSendDataControlList",
        answers.send_control,
        national.SendControl,
        list[national.SendControlRow],
        "What is known of accession numbers or patients",
        Reading.ADVANCED,
    ),
    _stm(
        "GetMedulaStatus",
        answers.medula_status,
        national.OneOrderId,
        national.MedulaStatus,
        "What the payer said of an order",
        _QUERY,
    ),
)
"""Every operation; of two that fit an address the first is taken."""


class Opening(Asked):
    """`doctor` is who opens it, by national number: the look is noted."""

    doctor: Text = ""


def _report(name: str, method: str, path: str, asked: type[BaseModel], gives: Any, summary: str) -> Described:
    reading = _QUERY if asked is Opening else _BODY
    addresses, conflicts = (path.replace(":int", ""),), reading is _BODY
    return Described(f"report_{name}", method, addresses, asked, reading, gives, summary, conflicts=conflicts)


_VERSION = reports.PATH + "/{number:int}"
REPORTS: tuple[Described, ...] = (
    _report("listed", "GET", reports.PATH, Opening, ReportsModel, "Every version of an order's report"),
    _report("filed", "POST", reports.PATH, Filing, ReportModel, "Keep a draft, or a report that was approved"),
    _report("given", "GET", _VERSION, Opening, ReportModel, "One version"),
    _report("replaced", "PUT", _VERSION, Filing, ReportModel, "Put this in the place of a draft"),
    _report("approved", "POST", _VERSION + "/approve", Approval, ReportModel, "Approve a draft"),
    _report("added", "POST", _VERSION + "/addendum", Filing, ReportModel, "Add to an approved version"),
)
"""Operations that `vna.web.reports` answers, described here with the others."""


@cache
def description() -> bytes:
    """The OpenAPI document."""
    refusals = {Manner.PLAIN: plain.Refusal, Manner.NATIONAL: national.Trouble}
    return orjson.dumps(described((*OPERATIONS, *REPORTS), refusals, token.PATH), option=orjson.OPT_INDENT_2)


async def given(_request: Request, _door: NationalDoor) -> Response:
    """The description for programs."""
    return Response(description(), 200, HEADERS, "application/json")


async def documents(_request: Request, _door: NationalDoor) -> Response:
    """The description for people."""
    text = template("api.html").render(said=orjson.loads(description()), source=DESCRIPTION)
    return HTMLResponse(text, headers=headers_of(text))


OPEN_PATHS = frozenset({DESCRIPTION, DOCUMENTS})
"""What answers without a login: it says nothing of anybody."""
LOGIN_PATHS = frozenset({token.PATH})

Page = Callable[[Request, NationalDoor], Awaitable[Response]]
PAGES: tuple[tuple[Sequence[str], str, Page], ...] = (
    (("GET",), DESCRIPTION, given),
    (("GET",), DOCUMENTS, documents),
    (("GET", "POST"), tracking_page.PATH, tracking_page.shown),
    (("POST",), tracking_page.EXPORT, tracking_page.exported),
    (("POST",), tracking_page.REPROCESS, tracking_page.reprocessed),
)


def routes(door: NationalDoor) -> list[Route]:
    """The addresses, bound to one archive."""
    asked = [
        _route((one.method,), address.replace("{accession}", "{accession:path}"), one.respond, door, one.manner)
        for one in OPERATIONS
        for address in one.addresses
    ]
    pages = [_route(methods, path, page, door, Manner.PLAIN) for methods, path, page in PAGES]
    endpoint = token.TokenEndpoint(door.accounts)

    async def granted(request: Request, _door: NationalDoor) -> Response:
        return await endpoint(request)

    return [*asked, *pages, _route(("POST",), token.PATH, granted, door, Manner.PLAIN)]


def _route(methods: Sequence[str], path: str, page: Page, door: NationalDoor, manner: Manner) -> Route:
    """With what is raised told in words; the unexpected is logged once, by the route and never by what was asked."""
    is_national = manner is Manner.NATIONAL

    async def endpoint(request: Request) -> Response:
        try:
            return await page(request, door)
        except VnaError as error:
            return national_refusal(error) if is_national else refusal(error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            log.exception("request failed", extra={"method": request.method, "route": path})
            return national_trouble() if is_national else unexpected()

    return Route(path, endpoint, methods=list(methods))

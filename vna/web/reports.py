"""Reports over HTTP: filed, approved, added to and read, for programs in which radiologists write."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeVar

import orjson
from anyio.to_thread import run_sync
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from vna.model.access import Actor
from vna.model.errors import BadRequest, NotFound, TooLarge
from vna.model.national import is_national_number
from vna.model.orders import OrderKey
from vna.model.reports import Report, ReportState
from vna.security.requests import actor_of
from vna.web.errors import HEADERS, Answer, told
from vna.web.report_models import Approval, Filing, ReportModel, ReportsModel, persons, shown
from vna.web.site import Site

PATH = "/api/teleradiology/reports/{facility}/{accession}"
_VERSION = PATH + "/{number:int}"
_MOST_BYTES = 8 << 20

_Model = TypeVar("_Model", bound=BaseModel)


async def listed(request: Request, site: Site) -> Response:
    """Every version with its parts; 404 where neither order nor report is known, or it is another facility's."""
    actor, key, doctor = actor_of(request), _key(request), _doctor(request)

    def found() -> ReportsModel:
        known, versions = site.reports.is_known(actor, key), site.reports.of(actor, key)
        if not known and not versions:
            raise NotFound("no such order is known at this facility")
        _note(site, actor, key, versions, doctor)
        return ReportsModel(
            facility=key.facility,
            accession_number=key.accession_number,
            order_known=known,
            reports=tuple(map(shown, versions)),
        )

    return _json(await run_sync(found))


async def given(request: Request, site: Site) -> Response:
    """One version."""
    actor, key, number, doctor = actor_of(request), _key(request), _number(request), _doctor(request)

    def found() -> ReportModel:
        for one in site.reports.of(actor, key):
            if one.number == number:
                _note(site, actor, key, (one,), doctor)
                return shown(one)
        raise NotFound(f"the order has no version {number} of its report")

    return _json(await run_sync(found))


async def filed(request: Request, site: Site) -> Response:
    """Keep a draft, or a report that was approved."""
    actor = actor_of(request)
    said = await _said(request, Filing)
    return await _kept(site, actor, said.report(_key(request), _source(actor)))


async def replaced(request: Request, site: Site) -> Response:
    """Put this in the place of a draft."""
    actor = actor_of(request)
    said = (await _said(request, Filing)).model_copy(update={"number": _number(request)})
    return await _kept(site, actor, said.report(_key(request), _source(actor)))


async def added(request: Request, site: Site) -> Response:
    """Keep an addendum to an approved version."""
    actor = actor_of(request)
    said = (await _said(request, Filing)).model_copy(update={"addendum_to": _number(request)})
    return await _kept(site, actor, said.report(_key(request), _source(actor)))


async def approved(request: Request, site: Site) -> Response:
    """Approve a draft."""
    actor, key, number = actor_of(request), _key(request), _number(request)
    said = await _said(request, Approval)

    def approve() -> Report:
        return site.reports.approve(actor, key, number, persons(said.radiologists), said.approved_at)

    return _json(shown(await run_sync(approve)))


ADDRESSES: tuple[tuple[str, str, Answer], ...] = tuple(
    (method, path, told(answer))
    for method, path, answer in (
        ("GET", PATH, listed),
        ("POST", PATH, filed),
        ("GET", _VERSION, given),
        ("PUT", _VERSION, replaced),
        ("POST", _VERSION + "/approve", approved),
        ("POST", _VERSION + "/addendum", added),
    )
)
"""Method, path, and what answers."""


async def _kept(site: Site, actor: Actor, report: Report) -> Response:
    return _json(shown(await run_sync(site.reports.file, actor, report)))


def _note(site: Site, actor: Actor, key: OrderKey, versions: Iterable[Report], doctor: str) -> None:
    """That a doctor opened an approved report: ordering the same again may depend on it."""
    if doctor and any(one.state is ReportState.APPROVED for one in versions):
        with suppress(NotFound):
            site.looks.opened_order(actor, key, doctor)


def _doctor(request: Request) -> str:
    doctor = request.query_params.get("doctor", "")
    if doctor and not is_national_number(doctor):
        raise BadRequest("doctor is the national number of who opens the report")
    return doctor


def _source(actor: Actor) -> str:
    return actor.name or actor.kind.value


def _key(request: Request) -> OrderKey:
    return OrderKey(request.path_params["facility"], request.path_params["accession"])


def _number(request: Request) -> int:
    number: int = request.path_params["number"]
    return number


async def _said(request: Request, model: type[_Model]) -> _Model:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            raise TooLarge(f"what is said of a report is longer than {_MOST_BYTES} bytes")
    try:
        return model.model_validate(orjson.loads(body or b"{}"))
    except orjson.JSONDecodeError as exc:
        raise BadRequest("the body is no JSON") from exc
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        raise BadRequest(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from exc


def _json(model: BaseModel) -> Response:
    said: Any = model.model_dump(mode="json")
    return Response(orjson.dumps(said), 200, HEADERS, "application/json")

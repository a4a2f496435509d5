"""The tracking page at `/tracking`: orders with one status and its reasons, what was not matched, notifications that
failed. It works without scripts."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import parse_qsl

from anyio.to_thread import run_sync
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from vna.model.access import Actor
from vna.model.errors import BadRequest, NotAuthorized, VnaError
from vna.security.requests import actor_of
from vna.teleradiology.listings import MOST
from vna.teleradiology.reasons import Status
from vna.web.errors import HEADERS, HTTP_STATUS, refusal
from vna.web.national.door import NationalDoor
from vna.web.national.operations import FORM, read_body
from vna.web.national.tables import Table, as_csv, as_xlsx
from vna.web.national.tracking_form import VIEWS, TrackingForm, table
from vna.web.national.words import Words, language_of
from vna.web.page import headers_of, template

PATH = "/tracking"
EXPORT = PATH + "/export"
REPROCESS = PATH + "/reprocess"
_USUAL_DAYS = 7
_STATE = ("view", "numbers", "patient", "facility", "begin", "end", "by", "modality", "status", "lang")
"""Fields of the form that the page's other buttons send along."""
_FILES: Mapping[str, tuple[Callable[..., bytes], str]] = {
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "xlsx": (as_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}


async def shown(request: Request, door: NationalDoor) -> Response:
    """The form, and what it found: patients stand in a body rather than in an address, but an address is read too."""
    said = await _said(request)
    actor, words = actor_of(request), _words(request, said)
    try:
        form = _form(said, words)
    except BadRequest as error:
        return _page(door, actor, TrackingForm(lang=words.language), words, None, str(error), "", status=400)
    if form.is_empty and request.method != "POST":
        return await run_sync(_page, door, actor, form, words, None, "", "")
    return await run_sync(_searched, door, actor, _usual(form, door), words, "")


async def reprocessed(request: Request, door: NationalDoor) -> Response:
    """Process an order again, and show the same list."""
    said = await _said(request)
    actor, words = actor_of(request), _words(request, said)
    form = _usual(_form(said, words), door)

    def again() -> Response:
        try:
            key = door.order_ids.read(actor, str(said.get("order", "")))
            door.reprocessing.again(actor, key)
        except VnaError as error:
            return _refused(door, actor, form, words, error)
        return _searched(door, actor, form, words, f"{words['reprocessed']} {key.accession_number}")

    return await run_sync(again)


async def exported(request: Request, door: NationalDoor) -> Response:
    """The list as a file, `format` csv or xlsx: of orders the first five hundred."""
    said = await _said(request)
    actor, words = actor_of(request), _words(request, said)
    form = _usual(_form(said, words), door)
    kind = str(said.get("format", "csv"))
    if kind not in _FILES:
        return refusal(BadRequest("a list is given as csv or xlsx"))

    def written() -> Response:
        found = table(door, actor, form, words, most=MOST)
        write, media_type = _FILES[kind]
        content = write([words[column] for column in found.columns], found.rows)
        name = f'attachment; filename="{form.view}.{kind}"'
        return Response(content, headers={**HEADERS, "Content-Disposition": name}, media_type=media_type)

    try:
        return await run_sync(written)
    except VnaError as error:
        return refusal(error)


async def _said(request: Request) -> dict[str, str]:
    """The fields of the form, else of the address; one that comes twice counts as it came last."""
    said = dict(request.query_params)
    if request.method == "POST":
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            raise BadRequest(f"the body is {FORM}")
        try:
            said |= parse_qsl((await read_body(request)).decode("utf-8"), max_num_fields=50)
        except ValueError as error:
            raise BadRequest("the form cannot be read") from error
    return said


def _words(request: Request, said: Mapping[str, str]) -> Words:
    return Words(language_of(said.get("lang", ""), request.headers.get("accept-language", "")))


def _form(said: Mapping[str, str], words: Words) -> TrackingForm:
    try:
        return TrackingForm.model_validate({**said, "lang": words.language})
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise BadRequest(f"{words[where]}: {words['malformed']}") from error


def _usual(form: TrackingForm, door: NationalDoor) -> TrackingForm:
    """Lists by date without a date begin a week ago and end today."""
    by_date = form.view != "orders" or not (form.numbers.strip() or form.patient)
    if form.begin or form.end or not by_date:
        return form
    today = datetime.now(door.zone).date()
    week_ago = today - timedelta(days=_USUAL_DAYS)
    return form.model_copy(update={"begin": week_ago.isoformat(), "end": today.isoformat()})


def _searched(door: NationalDoor, actor: Actor, form: TrackingForm, words: Words, done: str) -> Response:
    if form.view == "orders" and not (form.accession_numbers or form.patient or form.facility or actor.facility):
        return _page(door, actor, form, words, None, words["hint"], "", status=400)
    try:
        found = table(door, actor, form, words)
    except VnaError as error:
        return _refused(door, actor, form, words, error)
    return _page(door, actor, form, words, found, "", done)


def _refused(door: NationalDoor, actor: Actor, form: TrackingForm, words: Words, error: VnaError) -> Response:
    if isinstance(error, NotAuthorized) and not error.authenticated:
        return refusal(error)
    status = next((HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in HTTP_STATUS), 500)
    sentence = words["login"] if isinstance(error, NotAuthorized) else words["not_done"]
    return _page(door, actor, form, words, None, f"{sentence} ({words.sentence(str(error))})", "", status=status)


def _page(
    door: NationalDoor,
    actor: Actor,
    form: TrackingForm,
    words: Words,
    found: Table | None,
    trouble: str,
    done: str,
    *,
    status: int = 200,
) -> Response:
    text = template("tracking.html").render(
        words=words,
        form=form,
        facility=form.facility or actor.facility,
        views=VIEWS,
        statuses=[one.value for one in Status],
        state={name: getattr(form, name) for name in _STATE},
        table=found,
        trouble=trouble,
        done=done,
        order_id=partial(door.order_ids.given, actor),
        path=PATH,
        export=EXPORT,
        reprocess=REPROCESS,
    )
    return HTMLResponse(text, status, headers_of(text, "'self'") | _PAGE_FIELDS | {"Content-Language": words.language})


_PAGE_FIELDS = {"Referrer-Policy": "same-origin", "Vary": "Accept-Language"}
"""Without a referrer browsers send a form with `Origin: null` (Fetch 4.1, "serialize a request origin"), which is
refused as another origin."""

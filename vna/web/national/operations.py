"""What an operation of the API is: where it is, what it takes and gives; the one table is `routes.OPERATIONS`."""

# ruff: noqa: RUF001 (Turkish letters)

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl

import orjson
from anyio.to_thread import run_sync
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from vna.model.access import Actor
from vna.model.errors import BadRequest, NotAuthorized, NotFound, TooLarge, VnaError
from vna.security.requests import actor_of
from vna.web.errors import HEADERS, HTTP_STATUS
from vna.web.national.door import NationalDoor
from vna.web.national.fields import Asked

MOST_BYTES = 64 << 10


class Reading(Enum):
    """Where an operation finds what is asked: the value is the name of a query parameter that holds JSON."""

    QUERY = ""
    BODY = "body"
    PARAMETER = "parameter"
    NON_MATCHING = "nonMatchingParameter"
    ADVANCED = "advancedSearch"


class Manner(Enum):
    """How refusals are told."""

    PLAIN = "plain"
    NATIONAL = "national"


Answer = Callable[[NationalDoor, Actor, Any], Any]


@dataclass(frozen=True, slots=True)
class Described:
    """An operation as the description has it; `gives` is the type of its answer, `addresses` all paths at which it
    is. `conflicts` says that what is sent may be refused for what is kept already, or by a rule."""

    name: str
    method: str
    addresses: tuple[str, ...]
    asked: type[BaseModel]
    reading: Reading
    gives: Any
    summary: str
    manner: Manner = Manner.PLAIN
    conflicts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Described):
    """One operation with what answers it."""

    asked: type[Asked]
    answer: Answer

    async def respond(self, request: Request, door: NationalDoor) -> Response:
        """Read, answer in a thread, write."""
        actor = actor_of(request)
        if self.manner is Manner.PLAIN and self.reading is Reading.QUERY:
            _only_known(request, self.asked)
        asked = _validated(self.asked, await _said(request, self.reading))
        found = await run_sync(self.answer, door, actor, asked)
        return Response(TypeAdapter(self.gives).dump_json(found), 200, HEADERS, "application/json")


async def _said(request: Request, reading: Reading) -> Mapping[str, Any]:
    if reading is Reading.BODY:
        return {**await _body(request), **request.path_params}
    if reading is Reading.QUERY:
        said: dict[str, Any] = {}
        for name, value in request.query_params.multi_items():
            said.setdefault(name, []).append(value)
        plain = {name: values[0] if len(values) == 1 else values for name, values in said.items()}
        return {**plain, **request.path_params}
    return _object(_parameter(request, reading.value), reading.value)


def _only_known(request: Request, model: type[Asked]) -> None:
    """What is not known would narrow a list only in the mind of who asks."""
    known = model.names()
    for name in request.query_params:
        if name.lower() not in {one.lower() for one in known}:
            raise BadRequest(f"{name[:_NAMED]!r} is no query parameter here: known are {', '.join(known)}")


_NAMED = 40


def _parameter(request: Request, name: str) -> bytes:
    """The query parameter, whatever its case; one client is known to write its name twice, with a `?` between."""
    for known, value in request.query_params.multi_items():
        if known.lower().rpartition("?")[2] == name.lower():
            return value.encode()
    raise BadRequest(f"the query parameter {name} is missing: it holds one JSON object")


def _object(text: bytes, where: str) -> Mapping[str, Any]:
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"what is in {where} is no JSON") from error
    if not isinstance(said, dict):
        raise BadRequest(f"what is in {where} is one JSON object")
    return said


async def _body(request: Request) -> Mapping[str, Any]:
    """One JSON object; clients of the national calls also send form fields."""
    text = await read_body(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
        return _fields(text)
    return _object(text, "the body") if text else {}


def _fields(text: bytes) -> Mapping[str, str]:
    try:
        return dict(parse_qsl(text.decode("utf-8"), max_num_fields=100))
    except ValueError as error:
        raise BadRequest("the form fields in the body cannot be read") from error


FORM = "application/x-www-form-urlencoded"


async def read_body(request: Request) -> bytes:
    """The body, which is bounded."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise TooLarge(f"the body is longer than {MOST_BYTES} bytes")
    return bytes(body)


def _validated(model: type[Asked], said: Mapping[str, Any]) -> Asked:
    try:
        return model.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{where}: {first['msg']}" if where else first["msg"]) from error
    except ValueError as error:
        raise BadRequest(str(error)) from error


_TURKISH: dict[type[VnaError], str] = {
    NotAuthorized: "Bu işlem için yetkiniz yok",
    NotFound: "Kayıt bulunamadı",
    BadRequest: "İstek hatalı",
    VnaError: "İşlem yapılamadı",
}


def national_refusal(error: VnaError) -> Response:
    """What the calls' clients show: `Message`, in Turkish with the reason in English behind it."""
    status = next((HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in HTTP_STATUS), 500)
    if isinstance(error, NotAuthorized) and not error.authenticated:
        status = 401
    words = next(_TURKISH[kind] for kind in type(error).__mro__ if kind in _TURKISH)
    return Response(orjson.dumps({"Message": f"{words} ({error})"}), status, HEADERS, "application/json")


def national_trouble() -> Response:
    """The answer to what could not be answered."""
    return Response(orjson.dumps({"Message": "Beklenmeyen bir hata oluştu"}), 500, HEADERS, "application/json")

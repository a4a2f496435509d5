"""The description of the API says what is: every route, and answers as they come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from tests.web.national.conftest import Site
from tests.web.national.questions import ASKED, sent
from tests.web.national.seeds import HOSPITAL, study_of
from vna.model.access import SYSTEM
from vna.model.orders import OrderKey
from vna.web.national.operations import Operation
from vna.web.national.routes import BASES, DESCRIPTION, DOCUMENTS, OPERATIONS


def _name(value: Any) -> str:
    return value.name if isinstance(value, Operation) else str(value)


@pytest.fixture(scope="module")
def said(local: Site) -> Any:
    return local.web.get(DESCRIPTION).json()


def test_the_description_is_valid_and_open_to_everybody(enforced: Site, said: Any) -> None:
    assert list(OpenAPIV31SpecValidator(said).iter_errors()) == []
    assert enforced.web.get(DESCRIPTION).json() == said
    page = enforced.web.get(DOCUMENTS)
    assert page.status_code == 200
    assert all(f"<code>{path}</code>" in page.text for path in said["paths"])
    assert re.findall(r"<(?:script|link rel=.stylesheet|img)", page.text) == []


def test_every_route_of_the_api_is_described_and_nothing_else(local: Site, said: Any) -> None:
    known = {DESCRIPTION, DOCUMENTS}
    there = {
        (method, re.sub(r":\w+", "", route.path))
        for route in _routes(local)
        for method in (route.methods or set()) - {"HEAD"}
        if route.path.startswith((*BASES, "/api/STM/")) and route.path not in known
    }
    described = {(method.upper(), path) for path, methods in said["paths"].items() for method in methods}
    assert described == there
    assert {one.name for one in OPERATIONS} == ASKED.keys()


def _routes(site: Site) -> Iterator[Route]:
    app: Any = site.app
    while not hasattr(app, "routes"):
        app = app._app
    yield from (route for route in app.routes if isinstance(route, Route))


@pytest.mark.parametrize(
    ("operation", "address"), [(one, address) for one in OPERATIONS for address in one.addresses], ids=_name
)
def test_questions_and_answers_are_as_described(local: Site, said: Any, operation: Operation, address: str) -> None:
    described = said["paths"][address][operation.method.lower()]
    if "requestBody" in described:
        _check(ASKED[operation.name], described["requestBody"], said)
    for parameter in described.get("parameters", ()):
        if "content" in parameter:
            _check(ASKED[operation.name], parameter, said)
    order_id = local.application.national.order_ids.given(SYSTEM, OrderKey(HOSPITAL, "A1"))
    path, params, body = sent(operation, address, order_id)
    if operation.name == "RemoveKos":
        key = OrderKey(HOSPITAL, "A3")
        local.application.national.matching.match(SYSTEM, key, study_of("A3"), "so that it can be taken away")
    answer = local.web.request(operation.method, path, params=params, content=body)
    assert answer.status_code == 200, answer.text
    _check(answer.json(), described["responses"]["200"], said)
    assert any(answer.json().values() if isinstance(answer.json(), dict) else answer.json()), "it shows nothing"


def _check(value: Any, described: Any, said: Any) -> None:
    schema = {**described["content"]["application/json"]["schema"], "components": said["components"]}
    Draft202012Validator(schema).validate(value)


def test_reports_are_as_described_as_well(local: Site, said: Any) -> None:
    for path in ("/api/teleradiology/reports/500059/A1", "/api/teleradiology/reports/500059/A1/1"):
        answer = local.web.get(path)
        assert answer.status_code == 200
        template = path.replace("500059/A1", "{facility}/{accession}").replace("}/1", "}/{number}")
        _check(answer.json(), said["paths"][template]["get"]["responses"]["200"], said)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/teleradiology/orders", 400),
        ("/api/teleradiology/orders/500059/NONE", 404),
        ("/Common.WebApi/api/Integration/GetReport", 400),
    ],
)
def test_refusals_are_as_described(local: Site, said: Any, path: str, status: int) -> None:
    answer = local.web.get(path)
    assert answer.status_code == status
    template = path.replace("500059/NONE", "{facility}/{accession}")
    _check(answer.json(), said["paths"][template]["get"]["responses"][str(status)], said)


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/reports/500059/A1", b'{"state": "approved"}', 409),
        ("/reports/500059/A1", b" " * (9 << 20), 413),
        ("/status", b" " * (65 << 10), 413),
    ],
)
def test_refusals_of_what_is_sent_are_as_described(
    local: Site, said: Any, path: str, content: bytes, status: int
) -> None:
    answer = local.web.post("/api/teleradiology" + path, content=content)
    assert answer.status_code == status
    template = "/api/teleradiology" + path.replace("500059/A1", "{facility}/{accession}")
    _check(answer.json(), said["paths"][template]["post"]["responses"][str(status)], said)

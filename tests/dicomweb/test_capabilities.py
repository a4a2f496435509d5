"""Retrieve Capabilities, and pages of other origins."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from dicomweb.routes import ADDRESSES
from tests.dicomweb.client import Web
from vna.app import build, prepare
from vna.app.doors import Addresses, http_application
from vna.metrics import Metrics
from vna.settings import Settings
from vna.settings.sections import HttpSettings

WADL = "{http://wadl.dev.java.net/2009/02}"
VIEWER = "https://viewer.example.org"


@pytest.mark.claim("PS3.18-8.9", "PS3.18-H")
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_the_service_says_every_address_that_it_has(web: Web, method: str) -> None:
    answer = web.request(method, "")
    assert answer.headers["content-type"] == "application/vnd.sun.wadl+xml"
    root = etree.fromstring(answer.content)
    found = {
        (m.get("name"), "/" + r.get("path", "")) for r in root.iter(f"{WADL}resource") for m in r.iter(f"{WADL}method")
    }
    assert found == {(one.method, one.path) for one in ADDRESSES if one.path != "/wado"}
    listed = web.request(method, "", headers={"Accept": "application/json"}).json()
    assert {(one["method"], one["path"]) for one in listed["resources"]} == found


@pytest.fixture
def shared(tmp_path: Path) -> Web:
    settings = Settings(data_dir=tmp_path / "shared", http=HttpSettings(origins=(VIEWER,)))
    prepare(settings)
    app = http_application(build(settings), Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())
    return Web(app, "http://127.0.0.1:8080/dicom-web/")


def test_pages_of_a_configured_origin_may_ask_and_read(shared: Web) -> None:
    asked = {
        "Origin": VIEWER,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    before = shared.request("OPTIONS", "studies", headers=asked)
    answer = shared.get("studies", headers={"Origin": VIEWER})
    assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, VIEWER)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, VIEWER)


def test_pages_of_a_configured_origin_read_every_field_that_answers_have(shared: Web) -> None:
    told = shared.get("studies", headers={"Origin": VIEWER}).headers["access-control-expose-headers"].lower()
    for field in ("Link", "Content-Location", "Content-Range", "ETag", "X-Total-Count", "Warning", "Allow", "Location"):
        assert field.lower() in told.split(", ")
    asked = {
        "Origin": VIEWER,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "range,if-range",
    }
    assert shared.request("OPTIONS", "studies", headers=asked).status_code == 200


def test_pages_of_other_origins_may_not(shared: Web, web: Web) -> None:
    for door in (shared, web):
        answer = door.get("studies", headers={"Origin": "https://elsewhere.example.org"})
        assert "access-control-allow-origin" not in answer.headers
        preflight = {"Origin": "https://elsewhere.example.org", "Access-Control-Request-Method": "GET"}
        assert not door.request("OPTIONS", "studies", headers=preflight).is_success

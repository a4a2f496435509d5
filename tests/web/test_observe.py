"""Every request is logged by its route: never its query, never its path."""

from __future__ import annotations

import logging

import pytest

from tests.web.conftest import PASSWORD, Open
from vna.model.access import SYSTEM, Action

LOGGER = "vna.web.observe"


def _lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [vars(record) for record in caplog.records if record.name == LOGGER]


def test_a_request_is_one_line_with_route_status_size_and_actor(
    archive: Open, caplog: pytest.LogCaptureFixture
) -> None:
    made = archive(security={"mode": "enforced"})
    made.application.accounts.add_user(SYSTEM, "ayse", PASSWORD, frozenset({Action.QUERY}))
    with caplog.at_level(logging.INFO, LOGGER):
        made.web.get("/dicom-web/studies?PatientName=Gizli*", auth=("ayse", PASSWORD))
    (line,) = _lines(caplog)
    assert (line["method"], line["route"], line["status"], line["actor"]) == ("GET", "/dicom-web/studies", 204, "ayse")
    assert "Gizli" not in str(line)


def test_a_request_that_is_refused_before_its_route_is_logged_too(
    archive: Open, caplog: pytest.LogCaptureFixture
) -> None:
    made = archive(security={"mode": "enforced"})
    with caplog.at_level(logging.INFO, LOGGER):
        made.web.get("/dicom-web/studies")
    (line,) = _lines(caplog)
    assert (line["route"], line["status"], line["actor"]) == ("refused", 401, "")


def test_the_route_is_known_behind_a_proxy(archive: Open, caplog: pytest.LogCaptureFixture) -> None:
    made = archive(http={"trusted_proxies": ("127.0.0.0/8",)})
    with caplog.at_level(logging.INFO, LOGGER):
        made.web.get("/dicom-web/studies", headers={"X-Forwarded-For": "10.0.0.9", "X-Forwarded-Proto": "https"})
    assert _lines(caplog)[0]["route"] == "/dicom-web/studies"


def test_probes_are_logged_only_when_they_fail(archive: Open, caplog: pytest.LogCaptureFixture) -> None:
    made = archive(storage={"min_free": 1 << 60})
    with caplog.at_level(logging.INFO, LOGGER):
        made.web.get("/healthz")
        made.web.get("/readyz")
    assert [(line["route"], line["status"]) for line in _lines(caplog)] == [("/readyz", 503)]


def test_a_method_that_does_not_exist_is_counted_as_other(archive: Open, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        archive().web.request("BREW", "/")
    assert [(line["method"], line["status"]) for line in _lines(caplog)] == [("other", 405)]

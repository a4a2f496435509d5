"""SAML assertions through the whole HTTP application: who may ask, and in which words others are refused."""

from __future__ import annotations

from pathlib import Path

import httpx
from lxml import etree

from tests.archives import Backend, ready
from tests.dicomweb.client import Web
from tests.security.assertions import AUDIENCE, ISSUER, Sts, message
from tests.xds.builders import query
from vna.app import build
from vna.app.doors import Addresses, http_application
from vna.metrics import Metrics
from vna.model.access import SYSTEM, Action
from xds import iti18, registry

UUID = "urn:uuid:00000000-0000-4000-8000-000000000001"
BODY = query("urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", XDSDocumentEntryEntryUUID=f"('{UUID}')")
PASSWORD = "a long secret"


def test_a_message_says_who_asks_and_is_judged_as_that_person(tmp_path: Path) -> None:
    sts = Sts()
    settings = Backend("sqlite+folder", tmp_path).settings(
        security={"mode": "enforced"},
        xua={"issuers": {ISSUER: str(sts.write(tmp_path))}, "audience": AUDIENCE},
    )
    ready(settings)
    archive = build(settings)
    try:
        app = http_application(archive, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())
        web = Web(app, "http://127.0.0.1:8080")
        archive.accounts.add_user(SYSTEM, "his", PASSWORD, frozenset({Action.STORE}))

        def asked(*parts: etree._Element, **more: object) -> httpx.Response:
            content = message(iti18.ACTION, registry.PATH, etree.fromstring(etree.tostring(BODY)), *parts)
            return web.post(registry.PATH, content=content, headers={"Content-Type": "application/soap+xml"}, **more)

        answer = asked(sts.signed(role="national-operator"))
        assert answer.status_code == 200, answer.text
        assert "ResponseStatusType:Success" in answer.text
        for parts in ((), (sts.unsigned(),), (sts.signed(audience="x"),), (Sts().signed(),)):
            answer = asked(*parts)
            assert answer.status_code == 400
            assert "FailedAuthentication" in answer.text
        answer = asked(sts.signed(role="payer-clerk"))
        assert answer.status_code == 400
        assert "no right to read-documents" in answer.text
        assert asked(sts.signed(role="national-operator"), auth=("his", PASSWORD)).status_code == 400
        assert asked(sts.signed(role="national-operator"), auth=("his", "wrong")).status_code == 401
        long = web.post(registry.PATH, content=b"<" * (5 << 20), headers={"Content-Type": "application/soap+xml"})
        assert long.status_code == 413
    finally:
        archive.close()

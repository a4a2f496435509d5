"""What no address takes is refused in one shape, and no answer leads to where the Host field says."""

from __future__ import annotations

import pytest

from dicomweb.routes import ADDRESSES
from tests.archives import put
from tests.objects import ct, part10
from tests.web.conftest import PASSWORD, Open
from vna.model.access import SYSTEM, Action
from vna.web import page


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/nothing", 404, ""),
        ("GET", "/dicom-web/nothing", 404, ""),
        ("POST", "/dicom-web/studies/1.2/nothing", 404, ""),
        ("GET", "//evil.example/", 404, ""),
        ("GET", "/dicom-web/studies/1.2/series/1.3/..%2f", 404, ""),
        ("GET", "/dicom-web/studies/1.2/metadata%2F", 404, ""),
        ("PUT", "/dicom-web/studies", 405, "GET, HEAD, POST"),
        ("PUT", "/dicom-web/studies/1.2", 405, "DELETE, GET, HEAD, POST"),
        ("POST", "/dicom-web/series", 405, "GET, HEAD"),
        ("OPTIONS", "/dicom-web/studies/1.2/metadata", 405, "GET, HEAD"),
        ("POST", "/healthz", 405, "GET, HEAD"),
        ("DELETE", "/", 405, "GET, HEAD"),
    ],
)
def test_what_no_address_takes_is_refused_in_the_shape_of_every_refusal(
    archive: Open, method: str, path: str, status: int, allowed: str
) -> None:
    web = archive().web
    response = web.request(method, f"http://127.0.0.1:8080{path}")
    assert response.status_code == status
    assert response.headers.get("allow", "") == allowed
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"status", "message"}
    assert response.json()["status"] == status
    assert allowed in response.json()["message"]
    plain = web.request(method, f"http://127.0.0.1:8080{path}", headers={"Accept": "text/plain"})
    assert plain.text == response.json()["message"] + "\n"


def test_an_unexpected_failure_has_that_shape_too(archive: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(page, "_contents", broken)
    response = archive().web.get("/")
    assert response.json() == {"status": 500, "message": "the request failed; the archive's log says why"}


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("/dicom-web/studies/?PatientName=%C5%9E&limit=1", "/dicom-web/studies?PatientName=%C5%9E&limit=1"),
        ("/dicom-web", "/dicom-web/"),
    ],
)
def test_an_address_with_or_without_its_last_slash_leads_to_the_one_that_is(
    archive: Open, asked: str, meant: str
) -> None:
    response = archive().web.get(asked)
    assert response.status_code == 307
    assert response.headers["location"] == meant


def test_no_answer_leads_to_a_host_that_nobody_checked(archive: Open) -> None:
    made = archive(security={"mode": "enforced"}, http={"public_url": "https://vna.example.org"})
    rights = frozenset({Action.STORE, Action.QUERY, Action.RETRIEVE})
    made.application.accounts.add_user(SYSTEM, "user", PASSWORD, rights)
    ds = ct()
    put(made.application, part10(ds))
    told = 0
    for address in ADDRESSES:
        path = address.path.replace("{study}", ds.StudyInstanceUID).replace("{series}", ds.SeriesInstanceUID)
        path = path.replace("{instance}", ds.SOPInstanceUID).replace("{frames}", "1")
        path = path.replace("{path:path}", "7FE00010")
        for end in ("", "/"):
            response = made.web.request(
                address.method,
                f"/dicom-web{path}{end}",
                auth=("user", PASSWORD),
                headers={"Host": "evil.example", "Content-Type": "application/dicom"},
                content=part10(ct()) if address.method == "POST" else None,
            )
            assert response.status_code < 500
            assert b"evil.example" not in response.content
            assert "evil.example" not in str(response.headers)
            told += b"https://vna.example.org" in response.content
    assert told > 5
    assert "evil.example" not in made.web.get("/", headers={"Host": "evil.example"}).text


def test_without_a_public_address_a_forged_host_is_refused_in_enforced_mode(archive: Open) -> None:
    made = archive(security={"mode": "enforced"})
    for path in ("/", "/dicom-web/studies"):
        response = made.web.get(path, headers={"Host": "evil.example"})
        assert response.status_code == 403
        assert "VNA_HTTP__PUBLIC_URL" in response.json()["message"]
    for path in ("/healthz", "/readyz", "/metrics"):
        assert made.web.get(path, headers={"Host": "vna:8080"}).status_code == 200


def test_addresses_in_answers_are_those_of_the_host_that_a_configured_proxy_was_called_by(archive: Open) -> None:
    made = archive(security={"mode": "enforced"}, http={"trusted_proxies": ("127.0.0.0/8",)})
    made.application.accounts.add_user(
        SYSTEM, "user", PASSWORD, frozenset({Action.STORE, Action.QUERY, Action.RETRIEVE})
    )
    ds = ct()
    proxied = {"Host": "vna:8080", "X-Forwarded-Host": "vna.example.org", "X-Forwarded-Proto": "https"}
    stored = made.web.post(
        "/dicom-web/studies",
        auth=("user", PASSWORD),
        headers={**proxied, "Content-Type": "application/dicom"},
        content=part10(ds),
    )
    base = f"https://vna.example.org/dicom-web/studies/{ds.StudyInstanceUID}"
    assert stored.json()["00081190"]["Value"] == [base]
    (study,) = made.web.get("/dicom-web/studies", auth=("user", PASSWORD), headers=proxied).json()
    assert study["00081190"]["Value"] == [base]
    path = f"/dicom-web/studies/{ds.StudyInstanceUID}/metadata"
    (metadata,) = made.web.get(path, auth=("user", PASSWORD), headers=proxied).json()
    assert metadata["7FE00010"]["BulkDataURI"].startswith(f"{base}/series/")

"""`/l/{token}`: opening an access link, and what the doors then answer to whoever came by it."""

from __future__ import annotations

import re
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest

from tests.archives import put
from tests.objects import ct, part10
from tests.web.conftest import PASSWORD, Archive, Open
from vna.model.access import SYSTEM, Action

MODES = ("local", "enforced")


def _made(archive: Open, mode: str, uses: int = 1) -> tuple[Archive, str, str, str]:
    """An archive with two studies of one patient, the UIDs of both, and the path of a link to the first."""
    made = archive(security={"mode": mode})
    one, other = ct(PatientID="SAME"), ct(PatientID="SAME")
    for study in (one, other):
        put(made.application, part10(study))
    secret = made.application.links.add(SYSTEM, one.StudyInstanceUID, uses=uses, lifetime=timedelta(days=7))
    return made, one.StudyInstanceUID, other.StudyInstanceUID, f"/l/{secret}"


def _cookie(made: Archive, path: str) -> dict[str, str]:
    answer = made.web.get(path)
    (value,) = set(re.findall(r"vna-visit=([^;]+)", ",".join(answer.headers.get_list("set-cookie"))))
    return {"Cookie": f"vna-visit={value}"}


@pytest.mark.parametrize("mode", MODES)
def test_a_link_leads_to_the_study_in_the_viewer_with_a_narrow_cookie(archive: Open, mode: str) -> None:
    made, one, _, path = _made(archive, mode)
    answer = made.web.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/viewer/viewer?StudyInstanceUIDs={one}"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    cookies = [SimpleCookie(text)["vna-visit"] for text in answer.headers.get_list("set-cookie")]
    assert [cookie["path"] for cookie in cookies] == ["/dicom-web", "/wado"]
    for cookie in cookies:
        assert cookie["httponly"]
        assert cookie["samesite"] == "strict"
        assert cookie.value not in path


def test_the_cookie_goes_over_https_only_where_the_archive_is_reached_so(archive: Open) -> None:
    made, _, _, path = _made(archive, "local", uses=2)
    assert "Secure" not in made.web.get(path).headers["set-cookie"]
    assert "Secure" in made.web.get(f"https://127.0.0.1{path}").headers["set-cookie"]


def test_a_spent_link_is_gone_and_an_unknown_one_not_found(archive: Open) -> None:
    made, _, _, path = _made(archive, "enforced")
    assert made.web.get(path).status_code == 303
    spent = made.web.get(path)
    assert spent.status_code == 410
    assert "used as often as it may be" in spent.text
    assert "set-cookie" not in spent.headers
    assert made.web.get("/l/nothing").status_code == 404


def test_looking_at_a_link_spends_nothing(archive: Open) -> None:
    made, one, _, path = _made(archive, "local")
    for _ in range(3):
        looked = made.web.request("HEAD", path)
        assert (looked.status_code, looked.content) == (303, b"")
        assert looked.headers["location"] == f"/viewer/viewer?StudyInstanceUIDs={one}"
        assert "set-cookie" not in looked.headers
    refused = made.web.request("POST", path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert made.web.get(path).status_code == 303
    assert made.web.request("HEAD", path).status_code == 410
    assert made.web.request("HEAD", "/l/nothing").status_code == 404


def test_a_link_to_a_study_that_was_deleted_says_so_and_keeps_its_use(archive: Open) -> None:
    made, one, _, path = _made(archive, "local")
    made.application.deletion.delete(SYSTEM, one, reason="by mistake")
    for method in ("GET", "HEAD"):
        gone = made.web.request(method, path)
        assert gone.status_code == 410
        assert "set-cookie" not in gone.headers
    assert "no longer held" in made.web.get(path).text


@pytest.mark.parametrize("mode", MODES)
def test_every_search_of_a_visitor_answers_the_one_study(archive: Open, mode: str) -> None:
    made, one, other, path = _made(archive, mode)
    cookie = _cookie(made, path)
    assert made.web.get("/dicom-web/studies/count", headers=cookie).json() == {"count": 1}
    for search in ("/studies", "/studies?PatientID=SAME", "/studies?00100020=SAME&limit=101", "/series", "/instances"):
        answer = made.web.get(f"/dicom-web{search}", headers=cookie)
        assert answer.status_code == 200
        assert {study["0020000D"]["Value"][0] for study in answer.json()} == {one}
    for search in (f"/studies?StudyInstanceUID={other}", f"/studies/{other}/series", f"/studies/{other}/instances"):
        assert made.web.get(f"/dicom-web{search}", headers=cookie).status_code == 204


@pytest.mark.parametrize("mode", MODES)
def test_a_visitor_reads_the_one_study_and_no_other(archive: Open, mode: str) -> None:
    made, one, other, path = _made(archive, mode)
    cookie = _cookie(made, path)
    for resource in ("", "/metadata", "/rendered", "/thumbnail", "/pixeldata"):
        assert made.web.get(f"/dicom-web/studies/{one}{resource}", headers=cookie).status_code == 200
        assert made.web.get(f"/dicom-web/studies/{other}{resource}", headers=cookie).status_code == 403
    (series,) = made.web.get(f"/dicom-web/studies/{one}/series", headers=cookie).json()
    (instance,) = made.web.get(f"/dicom-web/studies/{one}/instances", headers=cookie).json()
    within = f"series/{series['0020000E']['Value'][0]}/instances/{instance['00080018']['Value'][0]}/frames/1"
    assert made.web.get(f"/dicom-web/studies/{one}/{within}", headers=cookie).status_code == 200
    assert made.web.get(f"/dicom-web/studies/{other}/{within}", headers=cookie).status_code == 403
    (theirs,) = made.web.get(f"/dicom-web/studies/{other}/instances").json() if mode == "local" else [instance]
    wado = f"/wado?requestType=WADO&studyUID={other}&seriesUID={theirs['0020000E']['Value'][0]}"
    assert made.web.get(f"{wado}&objectUID={theirs['00080018']['Value'][0]}", headers=cookie).status_code == 403


@pytest.mark.parametrize("mode", MODES)
def test_a_visitor_stores_nothing(archive: Open, mode: str) -> None:
    made, one, _, path = _made(archive, mode)
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part10(ct(StudyInstanceUID=one)) + b"\r\n--b--\r\n"
    headers = {**_cookie(made, path), "Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    for target in ("/dicom-web/studies", f"/dicom-web/studies/{one}"):
        assert made.web.post(target, content=body, headers=headers).status_code == 403
    assert made.web.request("DELETE", f"/dicom-web/studies/{one}", headers=headers).status_code in (403, 405)


def test_a_login_beside_the_cookie_widens_nothing(archive: Open) -> None:
    made, one, other, path = _made(archive, "enforced")
    made.application.accounts.add_user(SYSTEM, "reader", PASSWORD, frozenset(Action))
    cookie = _cookie(made, path)
    seen = made.web.get("/dicom-web/studies", headers=cookie, auth=("reader", PASSWORD)).json()
    assert [study["0020000D"]["Value"][0] for study in seen] == [one]
    assert made.web.get(f"/dicom-web/studies/{other}", headers=cookie, auth=("reader", PASSWORD)).status_code == 403


@pytest.mark.parametrize("mode", MODES)
def test_a_visit_that_is_over_is_refused_and_not_taken_for_none(archive: Open, mode: str) -> None:
    made, _, _, path = _made(archive, mode)
    cookie = _cookie(made, path)
    (link,) = made.application.links.all(SYSTEM)
    made.application.links.remove(SYSTEM, link.link_id)
    for headers in (cookie, {"Cookie": "vna-visit=forged"}, {"Cookie": "vna-visit="}):
        answer = made.web.get("/dicom-web/studies", headers=headers)
        assert answer.status_code == 403
        assert "expired" in answer.text


def test_the_page_shows_a_visitor_nothing_else(archive: Open) -> None:
    made, _, other, path = _made(archive, "local")
    text = made.web.get("/", headers=_cookie(made, path)).text
    assert other not in text
    assert "<h2>Contents</h2>" not in text


def test_no_secret_of_a_link_is_logged(archive: Open, caplog: pytest.LogCaptureFixture) -> None:
    made, _, _, path = _made(archive, "local")
    with caplog.at_level("DEBUG"):
        made.web.get(f"http://evil.example{path}")
        cookie = _cookie(made, path)
        made.web.get("/dicom-web/studies", headers=cookie)
        made.web.get(path)
    logged = str([record.__dict__ for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))])
    assert path.removeprefix("/l/") not in logged
    assert cookie["Cookie"].partition("=")[2] not in logged

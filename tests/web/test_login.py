"""`/login`, `/login/password`, `/logout`: sessions of browsers, and forms that no other page can have sent."""

from __future__ import annotations

import re

import pytest

from storage.index import accounts as rows
from tests.archives import put
from tests.objects import ct, part10
from tests.web.browser_session import TOKEN, Browser
from tests.web.conftest import PASSWORD, Archive, Open
from vna.model.access import SYSTEM, Action

NAME = "Gizli^Hasta"
SESSION = "vna-session"


def opened(archive: Open, **sections: dict[str, object]) -> Archive:
    made = archive(security={"mode": "enforced"}, **sections)
    put(made.application, part10(ct(PatientName=NAME)))
    made.application.accounts.add_user(SYSTEM, "reader", PASSWORD, frozenset({Action.QUERY, Action.ADMIN}))
    return made


def test_a_person_logs_in_sees_what_it_may_and_logs_out(archive: Open) -> None:
    browser = Browser(opened(archive).web)
    assert NAME.split("^", maxsplit=1)[0] not in browser.get("/").text
    answer = browser.fill_in("/login?next=/dicom-web/studies", name="reader", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Gizli" in browser.get("/").text
    assert browser.ask("GET", "/dicom-web/studies").status_code == 200
    assert "Logged in as reader" in browser.get("/logout").text
    secret = browser.cookies[SESSION]
    assert browser.fill_in("/logout").headers["location"] == "/"
    assert SESSION not in browser.cookies
    browser.cookies[SESSION] = secret
    assert browser.ask("GET", "/dicom-web/studies").status_code == 401


def test_the_cookie_is_for_this_origin_and_no_script(archive: Open) -> None:
    made = opened(archive)
    browser = Browser(made.web)
    begun = browser.get("/login")
    (field,) = begun.headers.get_list("set-cookie")
    assert re.fullmatch(r"vna-login=[\w-]{43}; HttpOnly; Max-Age=600; Path=/; SameSite=lax", field)
    answer = browser.fill_in("/login", name="reader", password=PASSWORD)
    fields = answer.headers.get_list("set-cookie")
    assert any(
        re.fullmatch(r"vna-session=[\w-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=lax", one) for one in fields
    )
    assert "no-store" in answer.headers["cache-control"]
    policy = begun.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_over_tls_the_cookie_has_a_name_that_only_this_host_can_set(archive: Open) -> None:
    browser = Browser(opened(archive, http={"public_url": "https://vna.example.org"}).web, "https://vna.example.org")
    browser.fill_in("/login", name="reader", password=PASSWORD)
    assert set(browser.cookies) == {"__Host-vna-session"}
    assert browser.ask("GET", "/dicom-web/studies").status_code == 200
    browser.cookies = {SESSION: browser.cookies["__Host-vna-session"]}
    assert browser.ask("GET", "/dicom-web/studies").status_code == 401


def test_each_login_has_a_session_of_its_own_and_ends_the_one_before(archive: Open) -> None:
    browser = Browser(opened(archive).web)
    browser.cookies[SESSION] = "planted-by-somebody"
    browser.fill_in("/login", name="reader", password=PASSWORD)
    first = browser.cookies[SESSION]
    assert first != "planted-by-somebody"
    browser.fill_in("/login", name="reader", password=PASSWORD)
    other = Browser(browser.web)
    other.cookies[SESSION] = first
    assert other.ask("GET", "/dicom-web/studies").status_code == 401


@pytest.mark.parametrize("fields", [{"name": "reader", "password": "wrong"}, {"name": "x", "password": PASSWORD}, {}])
def test_a_wrong_login_is_told_so_in_the_same_words_and_can_be_tried_again(
    archive: Open, fields: dict[str, str]
) -> None:
    browser = Browser(opened(archive).web)
    answer = browser.fill_in("/login", **fields)
    assert answer.status_code == 401
    assert "wrong name or password" in answer.text
    assert "www-authenticate" not in answer.headers
    assert SESSION not in browser.cookies
    found = TOKEN.search(answer.text)
    assert found is not None
    again = browser.send("/login", {"token": found[1], "name": "reader", "password": PASSWORD})
    assert again.status_code == 303


@pytest.mark.parametrize("token", ["", "0" * 64])
@pytest.mark.parametrize("path", ["/login", "/login/password", "/logout"])
def test_a_form_that_another_page_had_sent_does_nothing(archive: Open, path: str, token: str) -> None:
    browser = Browser(opened(archive).web)
    browser.fill_in("/login", name="reader", password=PASSWORD)
    fields = {"name": "reader", "password": PASSWORD, "new": "another long secret", "again": "another long secret"}
    assert browser.send(path, {"token": token, **fields}).status_code == 403
    assert browser.ask("GET", "/dicom-web/studies").status_code == 200
    assert browser.send(path, {"token": token}, Origin="https://evil.example").status_code == 403


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Origin": "http://127.0.0.1:8080"}, 400),
        ({"Sec-Fetch-Site": "same-origin"}, 400),
        ({}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example"}, 403),
    ],
)
def test_what_changes_something_has_to_come_from_a_page_of_the_archive(
    archive: Open, headers: dict[str, str], expected: int
) -> None:
    browser = Browser(opened(archive).web)
    browser.fill_in("/login", name="reader", password=PASSWORD)
    assert browser.ask("PUT", "/api/sources/X", headers, content=b"{").status_code == expected


@pytest.mark.parametrize(
    ("wanted", "led"),
    [
        ("/viewer/viewer?StudyInstanceUIDs=1.2", "/viewer/viewer?StudyInstanceUIDs=1.2"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("", "/"),
    ],
)
def test_a_login_leads_to_where_somebody_wanted_to_go_and_never_elsewhere(archive: Open, wanted: str, led: str) -> None:
    browser = Browser(opened(archive).web)
    answer = browser.fill_in("/login", name="reader", password=PASSWORD, next=wanted)
    assert answer.headers["location"] == led


def test_who_follows_a_link_is_led_to_the_login_and_a_program_is_told_that_it_needs_one(archive: Open) -> None:
    browser = Browser(opened(archive).web)
    answer = browser.get("/dicom-web/studies?limit=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/dicom-web/studies%3Flimit%3D1")
    assert 'name="next" value="/dicom-web/studies?limit=1"' in browser.get(answer.headers["location"]).text
    assert browser.ask("GET", "/dicom-web/studies").status_code == 401
    wrong = browser.ask("GET", "/dicom-web/studies", {"Sec-Fetch-Mode": "navigate", "Authorization": "Bearer x"})
    assert wrong.status_code == 401


def test_an_expired_password_leads_to_a_new_one_and_no_further(archive: Open) -> None:
    made = opened(archive)
    made.application.accounts.add_user(SYSTEM, "new", PASSWORD, temporary=True)
    browser = Browser(made.web)
    answer = browser.fill_in("/login", name="new", password=PASSWORD)
    assert "Your password has expired" in answer.text
    assert SESSION not in browser.cookies
    found = TOKEN.search(answer.text)
    assert found is not None
    form = {"token": found[1], "name": "new", "password": PASSWORD, "new": "another long secret"}
    assert "not the same twice" in browser.send("/login/password", form).text
    assert "at least 12 characters" in browser.send("/login/password", {**form, "new": "short", "again": "short"}).text
    assert browser.send("/login/password", {**form, "again": form["new"]}).status_code == 303
    assert browser.ask("GET", "/dicom-web/studies").status_code == 200


def test_an_account_that_is_locked_is_so_for_forms_basic_and_tokens_for_a_password(archive: Open) -> None:
    made = opened(archive, login={"account_failures": 2})
    browser = Browser(made.web)
    for _ in range(2):
        assert browser.fill_in("/login", name="reader", password="wrong").status_code == 401
    assert browser.fill_in("/login", name="reader", password=PASSWORD).status_code == 401
    assert made.web.get("/dicom-web/studies", auth=("reader", PASSWORD)).status_code == 401
    form = {"grant_type": "password", "username": "reader", "password": PASSWORD}
    assert made.web.post("/connect/token", data=form, auth=("reader", PASSWORD)).status_code == 401


def test_a_form_that_is_none_or_too_long_is_refused(archive: Open) -> None:
    browser = Browser(opened(archive).web)
    assert browser.ask("POST", "/login", {"Content-Type": "text/plain"}, content=b"x").status_code == 400
    assert browser.send("/login", {"name": "x" * 20_000}).status_code == 413
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.ask("POST", "/login", urlencoded, content=b"a=\xff").status_code == 400
    assert browser.ask("POST", "/login", urlencoded, content=b"&".join([b"a=1"] * 50)).status_code == 400


def test_what_is_typed_comes_back_as_text(archive: Open) -> None:
    browser = Browser(opened(archive).web)
    answer = browser.fill_in("/login/password", name='"><script>', password="x", new="x", again="x")
    assert "<script>" not in answer.text


def test_in_local_mode_nobody_has_to_log_in(archive: Open) -> None:
    answer = archive().web.get("/login?next=/viewer/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/viewer/")


def test_a_login_does_not_say_so_when_the_index_does_not_answer(archive: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from vna.model.errors import Unavailable

    def down(*_: object) -> None:
        raise Unavailable("the index does not answer")

    browser = Browser(opened(archive).web)
    browser.get("/login")
    monkeypatch.setattr(rows, "user", down)
    assert browser.fill_in("/login", name="reader", password=PASSWORD).status_code == 503

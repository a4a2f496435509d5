"""Sources over HTTP: the same as `vna source` keeps, for whoever may administer, and no secret ever shown."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from tests.peers.processes import free_port
from tests.routing.servers import answer, says, serving
from tests.web.conftest import PASSWORD, Archive, Open
from vna.model.access import SYSTEM, Action
from vna.model.sources import RemoteArchive, Source

SECRET = "tulip-and-stork"
CITY: dict[str, Any] = {
    "facility": "34001",
    "dicom": "PACS@10.0.0.9:104",
    "wado_rs": "https://10.0.0.9/rs",
    "qido_rs": "https://10.0.0.9/rs",
    "user": "reader",
    "priority": 7,
}


def put(archive: Archive, name: str = "CITY", **said: Any) -> Any:
    return archive.web.request("PUT", f"/api/sources/{name}", content=orjson.dumps({**CITY, **said}))


def login(archive: Archive, name: str = "CITY") -> tuple[str, str, str]:
    """What is really kept."""
    known = archive.application.sources.get(SYSTEM, name).archive
    return known.user_name, known.password, known.token


def test_a_source_is_added_shown_replaced_and_removed(archive: Open) -> None:
    opened = archive()
    made = put(opened, password=SECRET)
    assert made.status_code == 201
    shown = opened.web.get("/api/sources/CITY")
    assert (shown.status_code, shown.json()) == (200, made.json())
    assert {key: value for key, value in shown.json().items() if value not in ("", False, 0)} == {
        **CITY,
        "name": "CITY",
        "application": "CITY",
        "has_password": True,
        "connections": 4,
        "hl7_profile": "hospital",
    }
    assert [one["name"] for one in opened.web.get("/api/sources").json()] == ["CITY"]
    replaced = put(opened, dicom="", priority=9)
    assert (replaced.status_code, replaced.json()["dicom"], replaced.json()["priority"]) == (200, "", 9)
    assert opened.web.request("DELETE", "/api/sources/CITY").status_code == 204
    assert opened.web.get("/api/sources").json() == []
    gone = opened.web.get("/api/sources/CITY")
    assert (gone.status_code, gone.json()) == (404, {"status": 404, "message": "no source CITY is known"})


def test_what_is_shown_can_be_put_again_and_is_what_the_command_lists(archive: Open) -> None:
    opened = archive()
    put(opened, password=SECRET, tls=True, tls_ca="/etc/ca.pem", addresses="10.0.0.9,10.1.0.0/16")
    shown = opened.web.get("/api/sources/CITY").json()
    again = opened.web.request("PUT", "/api/sources/CITY", content=orjson.dumps(shown))
    assert (again.status_code, again.json()) == (200, shown)
    assert login(opened) == ("reader", SECRET, "")
    known = opened.application.sources.get(SYSTEM, "CITY")
    assert known == Source(
        "CITY",
        "CITY",
        "",
        ("10.0.0.9", "10.1.0.0/16"),
        "34001",
        RemoteArchive(
            ae_title="PACS",
            host="10.0.0.9",
            port=104,
            tls=True,
            tls_ca="/etc/ca.pem",
            wado_rs="https://10.0.0.9/rs",
            qido_rs="https://10.0.0.9/rs",
            user_name="reader",
            password=SECRET,
            priority=7,
        ),
    )


@pytest.mark.parametrize("name", ["password", "token"])
def test_no_secret_is_shown_anywhere(archive: Open, name: str) -> None:
    opened = archive()
    said: dict[str, Any] = {name: SECRET} if name == "password" else {name: SECRET, "user": ""}
    answers = [put(opened, **said), opened.web.get("/api/sources"), opened.web.get("/api/sources/CITY")]
    wrong = put(opened, **{**said, "connections": 0})
    assert wrong.status_code == 400
    for one in (*answers, wrong):
        assert SECRET not in one.text
    assert answers[2].json()[f"has_{name}"] is True


def test_a_login_stays_until_another_is_given_or_it_is_taken_away(archive: Open) -> None:
    opened = archive()
    put(opened, password=SECRET)
    put(opened)
    assert login(opened) == ("reader", SECRET, "")
    put(opened, password="other")
    assert login(opened) == ("reader", "other", "")
    put(opened, user="", token="abc")
    assert login(opened) == ("", "", "abc")
    put(opened, user="", token="")
    assert login(opened) == ("", "", "")


def test_a_login_that_is_known_goes_to_no_address_that_it_was_not_given_for(archive: Open) -> None:
    opened = archive()
    put(opened, password=SECRET)
    for url in ("https://10.0.0.66/rs", "http://10.0.0.9/rs", "https://10.0.0.9:8443/rs"):
        refused = put(opened, qido_rs=url)
        assert refused.status_code == 400
        assert "has to be given again" in refused.json()["message"]
    assert opened.web.get("/api/sources/CITY").json()["qido_rs"] == "https://10.0.0.9/rs"
    assert put(opened, qido_rs="https://10.0.0.9/other").status_code == 200
    assert put(opened, qido_rs="https://10.0.0.66/rs", password="new").status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[]", "one JSON object"),
        (b'{"qido": "http://10.0.0.9"}', "'qido' is nothing that is known of a source"),
        (b'{"qido_rs": 5}', "qido_rs is a text"),
        (b'{"tls": 1}', "tls is true or false"),
        (b'{"connections": true}', "connections is a whole number"),
        (b'{"dicom": "PACS"}', "write AET@HOST:PORT"),
        (b'{"name": "TOWN", "addresses": "10.0.0.1"}', "the name of a source is that in its address"),
        (b"{}", "needs an address or a network"),
        (b'{"addresses": "nowhere"}', "nowhere is no address or network"),
        (b'{"qido_rs": "ftp://10.0.0.9"}', "looks like https://pacs.example.org"),
        (b'{"dicom": "A@h:1", "tls_ca": "../secret"}', "by its whole path"),
        (b'{"dicom": "A@h:1", "priority": 1000}', "from 0 to 100"),
        (b'{"dicom": "A@h:1", "bandwidth": 99999999999999999999999}', "a"),
    ],
)
def test_what_makes_no_source_is_refused_in_words_and_changes_nothing(archive: Open, body: bytes, words: str) -> None:
    opened = archive()
    refused = opened.web.request("PUT", "/api/sources/CITY", content=body)
    assert refused.status_code == 400
    assert words in refused.json()["message"]
    assert opened.web.get("/api/sources").json() == []


def test_a_body_that_is_too_long_is_not_read_to_its_end(archive: Open) -> None:
    opened = archive()
    assert opened.web.request("PUT", "/api/sources/CITY", content=b" " * 70_000).status_code == 413


def test_each_door_is_tried_and_who_stalls_is_not_waited_for(archive: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vna.web.sources._TRIAL_SECONDS", 1.0)
    opened = archive()
    found = answer("200 OK", b"[]", Content_Type="application/dicom+json")
    with serving(says(found)) as server, serving(lambda sock, _: time.sleep(3)) as stalling:
        put(opened, qido_rs=server.url, wado_rs=stalling.url, dicom=f"X@127.0.0.1:{free_port()}", user="")
        begun = time.monotonic()
        tried = opened.web.post("/api/sources/CITY/test")
        assert time.monotonic() - begun < 2.5
        again = opened.web.post("/api/sources/CITY/test")
    assert tried.status_code == 200
    doors = {one["door"]: (one["works"], one["reason"]) for one in tried.json()}
    assert set(doors) == {"C-ECHO", "QIDO-RS", "WADO-RS", "C-FIND", "C-GET", "C-MOVE"}
    assert doors["QIDO-RS"] == (True, "")
    assert doors["WADO-RS"] == (False, "CITY does not answer within 1 seconds")
    assert not doors["C-ECHO"][0]
    assert (again.status_code, again.json()["message"]) == (409, "CITY is being tried already")


def test_what_has_no_archive_cannot_be_tried(archive: Open) -> None:
    opened = archive()
    opened.web.request("PUT", "/api/sources/HIS", content=b'{"addresses": "10.0.0.7"}')
    assert opened.web.post("/api/sources/HIS/test").status_code == 400
    assert opened.web.post("/api/sources/NOBODY/test").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/sources"),
        ("GET", "/api/sources/CITY"),
        ("PUT", "/api/sources/CITY"),
        ("DELETE", "/api/sources/CITY"),
        ("POST", "/api/sources/CITY/test"),
    ],
)
def test_only_who_may_administer_sees_or_changes_them(archive: Open, method: str, path: str) -> None:
    opened = archive(security={"mode": "enforced"})
    opened.application.sources.add(SYSTEM, Source("CITY", "CITY", addresses=("10.0.0.7",)))
    opened.application.accounts.add_user(SYSTEM, "reader", PASSWORD, frozenset(Action) - {Action.ADMIN})
    opened.application.accounts.add_user(SYSTEM, "chief", PASSWORD, frozenset({Action.ADMIN}))
    body = orjson.dumps({"addresses": "10.0.0.7"})
    codes = [
        opened.web.request(method, path, content=body, auth=auth).status_code
        for auth in (None, ("reader", PASSWORD), ("chief", PASSWORD))
    ]
    assert codes[:2] == [401, 403]
    assert codes[2] in (200, 204) or path.endswith("/test")


def test_a_page_of_another_origin_cannot_change_them(archive: Open) -> None:
    opened = archive()
    headers = {"Origin": "https://evil.example"}
    refused = opened.web.request("PUT", "/api/sources/CITY", content=orjson.dumps(CITY), headers=headers)
    assert refused.status_code == 403

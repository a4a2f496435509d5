"""Tokens for passwords, as RFC 6749 says, and as clients of the national service ask for them."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from tests.web.national.conftest import Site
from tests.web.national.seeds import HOSPITAL, PASSWORD
from vna.model.access import SYSTEM, Action
from vna.security.accounts import GRANTED

FORM = {"grant_type": "password", "username": "hbys", "password": PASSWORD}
CLIENT = ("hbys", PASSWORD)
ORDERS = "/api/teleradiology/orders?patient=10000000146"


def ask(site: Site, *, auth: Any = CLIENT, **changes: Any) -> Any:
    form = {name: value for name, value in {**FORM, **changes}.items() if value is not None}
    return site.web.post("/connect/token", data=form, **({"auth": auth} if auth else {}))


def test_a_token_for_a_password_opens_the_addresses_for_an_hour(enforced: Site) -> None:
    scope = "openid profile custom.profile AuthorizationWebApi Common.WebApi GYM.Authentication.WebApiCore"
    answer = ask(enforced, scope=scope)
    assert answer.status_code == 200
    given = answer.json()
    assert (given["token_type"], given["expires_in"], given["scope"]) == ("Bearer", 3600, scope)
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    bearer = {"Authorization": f"Bearer {given['access_token']}"}
    assert enforced.web.get(ORDERS, headers=bearer).status_code == 200
    assert enforced.web.get(ORDERS).status_code == 401
    assert enforced.web.get(ORDERS, headers={"Authorization": "Bearer vna_x"}).status_code == 401


def test_the_client_may_say_who_it_is_in_the_body_or_with_escapes_and_fields_in_capitals(enforced: Site) -> None:
    assert ask(enforced, auth=None, client_id="hbys", client_secret=PASSWORD).status_code == 200
    assert ask(enforced, auth=("hbys", PASSWORD.replace(" ", "+"))).status_code == 200
    capitals = {"username": None, "password": None, "USERNAME": "hbys", "PASSWORD": PASSWORD}
    assert ask(enforced, **capitals).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"password": "wrong"}, 400, "invalid_grant"),
        ({"username": "nobody"}, 400, "invalid_grant"),
        ({"auth": ("hbys", "wrong")}, 401, "invalid_client"),
        ({"auth": ("nobody", PASSWORD)}, 401, "invalid_client"),
        ({"auth": None}, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({"grant_type": None}, 400, "invalid_request"),
        ({"username": None}, 400, "invalid_request"),
        ({"password": ""}, 400, "invalid_request"),
        ({"scope": "everything"}, 400, "invalid_scope"),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_by_the_code_of_the_standard(
    enforced: Site, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = ask(enforced, **changes)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_a_body_that_is_no_form_or_says_a_field_twice_is_an_invalid_request(enforced: Site) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for content, headers in (
        (b"{}", {"Content-Type": "application/json"}),
        (b"grant_type=password&grant_type=password", form),
        (b"username=\xff", form),
        (b"username=" + b"x" * 70_000, form),
    ):
        answer = enforced.web.post("/connect/token", content=content, headers=headers, auth=CLIENT)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), content[:40]


def test_a_page_of_another_origin_gets_no_token(enforced: Site) -> None:
    answer = enforced.web.post("/connect/token", data=FORM, auth=CLIENT, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_tokens_expire_and_no_user_collects_them_without_end(enforced: Site) -> None:
    accounts = enforced.application.accounts
    over = accounts.grant("other", PASSWORD, "", timedelta(seconds=-1))
    bearer = {"Authorization": f"Bearer {over}"}
    assert enforced.web.get(ORDERS, headers=bearer).status_code == 401
    first = accounts.grant("other", PASSWORD, "", timedelta(hours=1))
    last = [accounts.grant("other", PASSWORD, "", timedelta(hours=1)) for _ in range(100)][-1]
    held = [one for one in accounts.tokens(SYSTEM) if one.user_name == "other" and one.description == GRANTED]
    assert len(held) == 100
    assert enforced.web.get(ORDERS, headers={"Authorization": f"Bearer {first}"}).status_code == 401
    assert enforced.web.get(ORDERS, headers={"Authorization": f"Bearer {last}"}).status_code == 200


def test_another_password_ends_what_was_granted_for_the_one_before(enforced: Site) -> None:
    accounts = enforced.application.accounts
    accounts.add_user(SYSTEM, "moved", PASSWORD, frozenset({Action.LOOK_UP}), HOSPITAL)
    made = accounts.add_token(SYSTEM, "moved")
    granted = accounts.grant("moved", PASSWORD, "", timedelta(hours=1))

    def status(secret: str) -> int:
        return enforced.web.get(ORDERS, headers={"Authorization": f"Bearer {secret}"}).status_code

    assert (status(made), status(granted)) == (200, 200)
    accounts.add_user(SYSTEM, "moved", "another long secret")
    assert (status(made), status(granted)) == (200, 401)


def test_nothing_secret_is_logged(enforced: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        token = ask(enforced).json()["access_token"]
        ask(enforced, password="a wrong secret")
        ask(enforced, auth=("hbys", "a wrong secret"))
    text = "\n".join(str(vars(record)) for record in caplog.records if record.name.startswith("vna"))
    assert "token refused" in text
    for secret in (PASSWORD, "a wrong secret", token):
        assert secret not in text

"""People who are logged in with a browser: how long, and what ends it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from argon2 import PasswordHasher

from storage.index.engine import Database
from storage.index.events import time_text
from storage.index.login_schema import login_sessions
from tests.security.trails import Kept
from vna.model.access import SYSTEM, Action, Actor, ActorKind, Role
from vna.model.errors import NotAuthorized
from vna.security.accounts import Accounts
from vna.security.login_trail import LoginTrail
from vna.security.passwords import Passwords
from vna.security.policy import EnforcedPolicy
from vna.security.sessions import SessionRules, Sessions, form_token, require_form_token
from vna.security.users import Details

PASSWORD = "correct horse battery"
ELSEWHERE = Actor(
    ActorKind.USER, "oidc/4711", frozenset({Action.QUERY}), "H1", "10.0.0.1", role=Role.CLINICIAN, person="10000000146"
)


@pytest.fixture
def accounts(database: Database) -> Accounts:
    quick = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    made = Accounts(database, EnforcedPolicy(), passwords=quick)
    made.add_user(SYSTEM, "ayse", PASSWORD, frozenset({Action.QUERY}))
    return made


def over(sessions: Sessions, secret: str, address: str = "10.0.0.1") -> None:
    with pytest.raises(NotAuthorized, match="the session is over"):
        sessions.actor(secret, address)


def aged(database: Database, name: str, span: timedelta) -> None:
    """As if something had been so much earlier."""
    with database.transaction() as connection:
        for at, digest in connection.exec_driver_sql(f"SELECT {name}, digest FROM login_sessions").all():
            text = time_text(datetime.fromisoformat(at) - span)
            connection.execute(login_sessions.update().where(login_sessions.c.digest == digest).values({name: text}))


def test_a_session_is_who_logged_in_as_the_account_is_now(database: Database, accounts: Accounts) -> None:
    kept = Kept()
    sessions = Sessions(database, trail=LoginTrail(kept))
    session = sessions.begin(accounts.log_in("ayse", PASSWORD, "10.0.0.1"), "form")
    assert sessions.actor(session.secret, "10.0.0.2").rights == {Action.QUERY}
    accounts.change_user(
        SYSTEM, "ayse", Details(rights=frozenset({Action.RETRIEVE}), role=Role.CLINICIAN.value, facility="H1")
    )
    actor = sessions.actor(session.secret, "10.0.0.2")
    assert (actor.kind, actor.name, actor.address) == (ActorKind.USER, "ayse", "10.0.0.2")
    assert (actor.rights, actor.role) == (frozenset({Action.RETRIEVE}), Role.CLINICIAN)
    assert sessions.end(session.secret, actor)
    assert not sessions.end(session.secret, actor)
    over(sessions, session.secret)
    assert [(one.what, one.actor.name) for one in kept.records] == [("login", "ayse"), ("logout", "ayse")]


def test_somebody_who_was_logged_in_elsewhere_stays_who_was_said(database: Database) -> None:
    sessions = Sessions(database)
    session = sessions.begin_elsewhere(ELSEWHERE, "OpenID Connect")
    assert sessions.actor(session.secret, "10.0.0.1") == ELSEWHERE


def test_a_session_ends_when_nothing_is_asked_for_a_while_and_each_request_puts_that_off(database: Database) -> None:
    sessions = Sessions(database, SessionRules(idle=timedelta(minutes=30)))
    session = sessions.begin_elsewhere(ELSEWHERE, "OpenID Connect")
    for _ in range(3):
        aged(database, "seen_at", timedelta(minutes=29))
        sessions.actor(session.secret, "10.0.0.1")
    aged(database, "seen_at", timedelta(minutes=31))
    over(sessions, session.secret)


def test_a_session_ends_in_its_time_whatever_is_asked(database: Database) -> None:
    sessions = Sessions(database, SessionRules(lifetime=timedelta(hours=12)))
    session = sessions.begin_elsewhere(ELSEWHERE, "OpenID Connect")
    aged(database, "expires_at", timedelta(hours=11))
    sessions.actor(session.secret, "10.0.0.1")
    aged(database, "expires_at", timedelta(hours=1))
    over(sessions, session.secret)


@pytest.mark.parametrize("change", ["password", "own password", "removed", "addresses", "logout"])
def test_what_changes_of_an_account_ends_its_sessions(database: Database, accounts: Accounts, change: str) -> None:
    sessions = Sessions(database)
    session = sessions.begin(accounts.log_in("ayse", PASSWORD, "10.0.0.1"), "form")
    other = sessions.begin_elsewhere(ELSEWHERE, "OpenID Connect")
    match change:
        case "password":
            accounts.add_user(SYSTEM, "ayse", "another long secret")
        case "own password":
            accounts.change_password("ayse", PASSWORD, "another long secret", "10.0.0.1")
        case "removed":
            accounts.remove_user(SYSTEM, "ayse")
        case "addresses":
            accounts.change_user(SYSTEM, "ayse", Details(addresses=("10.9.0.0/16",)))
        case "logout":
            assert accounts.end_sessions(SYSTEM, "ayse") == 1
    over(sessions, session.secret)
    sessions.actor(other.secret, "10.0.0.1")


def test_a_user_has_so_many_browsers_and_no_more(database: Database) -> None:
    sessions = Sessions(database)
    secrets = [sessions.begin_elsewhere(ELSEWHERE, "OpenID Connect").secret for _ in range(21)]
    over(sessions, secrets[0])
    for secret in secrets[1:]:
        sessions.actor(secret, "10.0.0.1")


def test_secrets_are_not_kept(database: Database) -> None:
    secret = Sessions(database).begin_elsewhere(ELSEWHERE, "OpenID Connect").secret
    with database.read() as connection:
        assert secret not in str(connection.exec_driver_sql("SELECT * FROM login_sessions").all())
    over(Sessions(database), secret + "x")
    over(Sessions(database), "")


def test_a_form_has_to_carry_what_is_made_of_the_cookie() -> None:
    require_form_token("secret", form_token("secret"))
    for secret, given in (("secret", form_token("other")), ("secret", ""), ("", form_token("")), ("secret", "ı")):  # noqa: RUF001
        with pytest.raises(NotAuthorized, match="the form was not sent"):
            require_form_token(secret, given)

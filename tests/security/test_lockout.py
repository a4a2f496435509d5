"""Logins with passwords: length and age, lock-out, and addresses that an account may be used from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from storage.index import accounts as rows
from storage.index import logins as login_rows
from storage.index.engine import Database
from storage.index.events import time_text
from tests.archives import open_index
from tests.security.trails import Kept
from vna.model.access import SYSTEM, Actor, Role
from vna.model.errors import BadRequest, NotAuthorized, PasswordExpired
from vna.security.accounts import Accounts
from vna.security.addresses import may_come_from, parse_addresses
from vna.security.lockout import LockoutRules
from vna.security.login_trail import LoginTrail
from vna.security.passwords import PasswordRules, Passwords
from vna.security.policy import EnforcedPolicy
from vna.security.users import Details

PASSWORD = "correct horse battery"
WRONG = "wrong name or password"


BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
QUICK = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    request.param = getattr(request, "param", "sqlite")
    opened = open_index(request, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def accounts(database: Database, kept: Kept) -> Accounts:
    rules = LockoutRules(per_account=3, per_address=5, time=timedelta(minutes=15))
    aged = PasswordRules(12, timedelta(days=90))
    made = Accounts(database, EnforcedPolicy(), aged, rules, LoginTrail(kept), QUICK)
    made.add_user(SYSTEM, "ayse", PASSWORD)
    return made


def refused(accounts: Accounts, name: str, password: str, address: str = "10.0.0.1") -> None:
    with pytest.raises(NotAuthorized, match=WRONG):
        accounts.authenticate_basic(name, password, address)


@BOTH
def test_an_account_is_locked_after_so_many_failures_and_a_right_password_gets_the_same_words(
    accounts: Accounts, database: Database, kept: Kept
) -> None:
    for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
        refused(accounts, "ayse", "not the password", address)
    refused(accounts, "ayse", PASSWORD, "10.0.0.4")
    assert [record.reason for record in kept.records] == ["wrong password"] * 3 + ["locked"]
    later(database, timedelta(minutes=16))
    assert accounts.authenticate_basic("ayse", PASSWORD, "10.0.0.4").name == "ayse"


@BOTH
def test_two_processes_count_the_same_failures(accounts: Accounts, database: Database) -> None:
    other = Accounts(database, EnforcedPolicy(), lockout_rules=LockoutRules(per_account=3), passwords=QUICK)
    refused(accounts, "ayse", "not the password")
    refused(other, "ayse", "not the password")
    refused(accounts, "ayse", "not the password")
    refused(other, "ayse", PASSWORD)


def test_a_name_that_no_account_has_is_locked_as_others_are(accounts: Accounts, database: Database) -> None:
    for _ in range(3):
        refused(accounts, "nobody", PASSWORD)
    with database.read() as connection:
        (row,) = [row for row in held(connection) if row.subject.startswith("account:")]
    assert row.locked_until
    assert "nobody" not in row.subject


def test_an_address_is_locked_for_every_account_and_no_other_address_is(accounts: Accounts) -> None:
    for number in range(5):
        refused(accounts, f"user{number}", "not the password", "2001:db8::1")
    refused(accounts, "ayse", PASSWORD, "2001:db8::ffff")
    assert accounts.authenticate_basic("ayse", PASSWORD, "2001:db8:0:1::1").name == "ayse"


@BOTH
def test_failures_count_anew_when_none_came_for_a_while(accounts: Accounts, database: Database) -> None:
    refused(accounts, "ayse", "not the password")
    refused(accounts, "ayse", "not the password")
    later(database, timedelta(minutes=16))
    refused(accounts, "ayse", "not the password")
    assert accounts.authenticate_basic("ayse", PASSWORD, "").name == "ayse"


def test_a_program_that_logs_in_all_the_time_does_not_shield_who_guesses_and_a_person_who_logs_in_starts_anew(
    accounts: Accounts,
) -> None:
    for _ in range(2):
        refused(accounts, "ayse", "not the password")
        accounts.authenticate_basic("ayse", PASSWORD, "10.0.0.9")
    accounts.log_in("ayse", PASSWORD, "10.0.0.9")
    for _ in range(2):
        refused(accounts, "ayse", "not the password")
        accounts.authenticate_basic("ayse", PASSWORD, "10.0.0.9")
    refused(accounts, "ayse", "not the password")
    refused(accounts, "ayse", PASSWORD, "10.0.0.9")


def test_an_administrator_unlocks_an_account(accounts: Accounts) -> None:
    for _ in range(3):
        refused(accounts, "ayse", "not the password")
    assert accounts.unlock(SYSTEM, "ayse")
    assert not accounts.unlock(SYSTEM, "ayse")
    assert accounts.authenticate_basic("ayse", PASSWORD, "10.0.0.1").name == "ayse"


def test_a_token_works_while_the_account_is_locked(accounts: Accounts) -> None:
    secret = accounts.add_token(SYSTEM, "ayse")
    for _ in range(3):
        refused(accounts, "ayse", "not the password")
    assert accounts.authenticate_token(secret, "10.0.0.1").name.startswith("ayse/")


def test_a_right_password_from_elsewhere_is_refused_with_the_same_words_and_counts(
    accounts: Accounts, kept: Kept
) -> None:
    accounts.change_user(SYSTEM, "ayse", Details(addresses=parse_addresses("10.1.0.0/16, 2001:db8::/32")))
    assert accounts.authenticate_basic("ayse", PASSWORD, "10.1.2.3").name == "ayse"
    assert accounts.authenticate_basic("ayse", PASSWORD, "::ffff:10.1.2.3").name == "ayse"
    for _ in range(3):
        refused(accounts, "ayse", PASSWORD, "10.2.0.1")
    assert kept.records[-1].reason == "right password from elsewhere"
    refused(accounts, "ayse", PASSWORD, "10.1.2.3")


def test_a_token_is_of_no_use_where_its_user_may_not_come_from(accounts: Accounts) -> None:
    secret = accounts.add_token(SYSTEM, "ayse")
    accounts.change_user(SYSTEM, "ayse", Details(addresses=("10.1.0.0/16",)))
    assert accounts.authenticate_token(secret, "10.1.0.1").address == "10.1.0.1"
    with pytest.raises(NotAuthorized, match="the token is not known"):
        accounts.authenticate_token(secret, "10.2.0.1")


@pytest.mark.parametrize("text", ["10.0.0", "host.example", "10.0.0.0/33", "1.2.3.4.5", "*"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="is no address and no network"):
        parse_addresses(text)


def test_networks_are_kept_in_their_usual_form_and_an_unknown_address_is_in_none() -> None:
    assert parse_addresses(" 10.0.0.7 ,192.168.1.9/24,") == ("10.0.0.7", "192.168.1.0/24")
    assert not may_come_from("10.0.0.7", "")
    assert not may_come_from("10.0.0.7", "fe80::1%eth0")
    assert may_come_from("", "")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "at least 12 characters"),
        ("x" * 1025, "at most 1024 characters"),
        ("a" * 12, "more than three different characters"),
        ("AYSE-ayse-ayse", "is not the user's name"),
    ],
)
def test_a_password_that_is_too_weak_is_refused(accounts: Accounts, password: str, words: str) -> None:
    name = "ayse-ayse-ayse" if "name" in words else "ali"
    with pytest.raises(BadRequest, match=words):
        accounts.add_user(SYSTEM, name, password)


def test_a_password_that_is_too_old_has_to_be_changed_and_only_its_owner_learns_that(
    accounts: Accounts, database: Database
) -> None:
    with database.transaction() as connection:
        user = rows.user(connection, "ayse")
        assert user is not None
        rows.put_user(connection, replace(user, password_at=time_text(datetime.now(UTC) - timedelta(days=91))))
    refused(accounts, "ayse", "not the password")
    with pytest.raises(PasswordExpired):
        accounts.authenticate_basic("ayse", PASSWORD, "")
    with pytest.raises(BadRequest, match="is the old one"):
        accounts.change_password("ayse", PASSWORD, PASSWORD, "")
    accounts.change_password("ayse", PASSWORD, "another long secret", "")
    assert accounts.authenticate_basic("ayse", "another long secret", "").name == "ayse"
    refused(accounts, "ayse", PASSWORD)


def test_a_temporary_password_has_to_be_changed_at_the_first_login(accounts: Accounts) -> None:
    accounts.add_user(SYSTEM, "new", PASSWORD, temporary=True)
    with pytest.raises(PasswordExpired):
        accounts.log_in("new", PASSWORD, "")
    assert accounts.change_password("new", PASSWORD, "another long secret", "").name == "new"
    assert accounts.log_in("new", "another long secret", "").name == "new"


def test_who_logs_in_is_an_actor_with_role_and_person_that_no_event_and_no_list_shows(
    accounts: Accounts, database: Database
) -> None:
    accounts.change_user(SYSTEM, "ayse", Details(role=Role.CITIZEN.value, person="10000000146", facility="H1"))
    actor = accounts.authenticate_basic("ayse", PASSWORD, "10.0.0.1")
    assert (actor.role, actor.person, actor.facility) == (Role.CITIZEN, "10000000146", "H1")
    token = accounts.authenticate_token(accounts.add_token(SYSTEM, "ayse"), "10.0.0.1")
    assert (token.role, token.person) == (Role.CITIZEN, "10000000146")
    (user,) = accounts.users(SYSTEM)
    assert user.has_person
    assert "10000000146" not in repr(user)
    with database.read() as connection:
        told = connection.exec_driver_sql("SELECT detail FROM events").scalars().all()
    assert told
    assert not any("10000000146" in str(one) for one in told)


def test_a_login_that_cannot_be_audited_is_none(database: Database) -> None:
    accounts = Accounts(database, EnforcedPolicy(), trail=LoginTrail(Kept(broken=True)), passwords=QUICK)
    accounts.add_user(SYSTEM, "ayse", PASSWORD)
    with pytest.raises(OSError, match="no trail"):
        accounts.authenticate_basic("ayse", PASSWORD, "")
    with pytest.raises(OSError, match="no trail"):
        accounts.authenticate_basic("ayse", PASSWORD, "")


def test_nobody_without_the_right_changes_accounts(accounts: Accounts) -> None:
    nobody = Actor(kind=SYSTEM.kind.USER, name="x")
    for attempt in (
        lambda: accounts.change_user(nobody, "ayse", Details(facility="H2")),
        lambda: accounts.unlock(nobody, "ayse"),
        lambda: accounts.end_sessions(nobody, "ayse"),
    ):
        with pytest.raises(NotAuthorized):
            attempt()


def held(connection: object) -> list[login_rows.FailureRow]:
    found = connection.exec_driver_sql("SELECT * FROM login_failures")  # type: ignore[attr-defined]
    return [login_rows.FailureRow(*row) for row in found]


def later(database: Database, span: timedelta) -> None:
    """As if so much time had gone by since what failed."""
    with database.transaction() as connection:
        for row in held(connection):
            back = {
                name: time_text(datetime.fromisoformat(text) - span) if (text := getattr(row, name)) else ""
                for name in ("last_at", "locked_until")
            }
            connection.exec_driver_sql(
                f"UPDATE login_failures SET last_at = '{back['last_at']}', locked_until = '{back['locked_until']}' "
                f"WHERE subject = '{row.subject}'"
            )

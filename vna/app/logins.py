"""Who logs in, and how: from settings to use cases."""

from dataclasses import dataclass
from datetime import timedelta

from storage.index.engine import Database
from vna.model.audit import Trail
from vna.security.accounts import Accounts
from vna.security.lockout import LockoutRules
from vna.security.login_trail import LoginTrail
from vna.security.passwords import PasswordRules
from vna.security.policy import Policy
from vna.security.sessions import SessionRules, Sessions
from vna.settings import Settings


@dataclass(frozen=True, slots=True)
class Logins:
    """Every way in that is not an AE title, a source or a link, in one process."""

    accounts: Accounts
    sessions: Sessions


def build(settings: Settings, database: Database, policy: Policy, trail: Trail | None = None) -> Logins:
    """Wire it."""
    login, told = settings.login, LoginTrail(trail)
    passwords = PasswordRules(
        login.password_length, timedelta(days=login.password_days) if login.password_days else None
    )
    lockout = LockoutRules(login.account_failures, login.address_failures, timedelta(seconds=login.lock_time))
    times = SessionRules(timedelta(seconds=login.idle_time), timedelta(seconds=login.session_time))
    return Logins(
        accounts=Accounts(database, policy, passwords, lockout, told),
        sessions=Sessions(database, times, told),
    )

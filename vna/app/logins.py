"""Who logs in, and how: from settings to use cases."""

import ssl
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from storage.index.engine import Database
from vna.model.access import Role
from vna.model.audit import NO_TRAIL, Trail
from vna.model.errors import Unavailable
from vna.security.accounts import Accounts
from vna.security.bearer import Bearer, TokenRules
from vna.security.claims import ClaimRules
from vna.security.lockout import LockoutRules
from vna.security.login_trail import LoginTrail
from vna.security.oidc_login import ClientRules, OidcLogin
from vna.security.passwords import PasswordRules
from vna.security.policy import Policy
from vna.security.provider import Provider, ProviderRules
from vna.security.saml import Verifier
from vna.security.sessions import SessionRules, Sessions
from vna.security.xua import Assertions, XuaRules
from vna.settings import Settings

_AGAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Logins:
    """Every way in that is not an AE title, a source or a link, in one process."""

    accounts: Accounts
    sessions: Sessions
    bearer: Bearer
    elsewhere: OidcLogin | None = None
    assertions: Assertions | None = None


def build(settings: Settings, database: Database, policy: Policy, trail: Trail = NO_TRAIL) -> Logins:
    """Wire it."""
    login, told = settings.login, LoginTrail(trail)
    max_age = timedelta(days=login.password_days) if login.password_days else None
    lockout = LockoutRules(login.account_failures, login.address_failures, timedelta(seconds=login.lock_time))
    times = SessionRules(timedelta(seconds=login.idle_time), timedelta(seconds=login.session_time))
    accounts = Accounts(database, policy, PasswordRules(login.password_length, max_age), lockout, told)
    tokens, elsewhere = _provider(settings, told)
    sessions, bearer = Sessions(database, times, told), Bearer(accounts, tokens, told)
    return Logins(accounts, sessions, bearer, elsewhere, _assertions(settings, told))


def _assertions(settings: Settings, told: LoginTrail) -> Assertions | None:
    xua = settings.xua
    if not xua.issuers:
        return None
    verifier = Verifier({issuer: _certificates(file) for issuer, file in xua.issuers.items()}, xua.audience)
    roles = xua.roles or {role.value: role for role in Role}
    rules = XuaRules(roles, xua.facility_attribute, xua.person_attribute, needed=xua.needed)
    return Assertions(verifier, rules, told)


def _certificates(file: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        raise Unavailable(f"VNA_XUA__ISSUERS names {file}, which holds no certificate") from error


def _provider(settings: Settings, told: LoginTrail) -> tuple[TokenRules | None, OidcLogin | None]:
    oidc = settings.oidc
    if not oidc.issuer:
        return None, None
    provider = Provider(
        ProviderRules(oidc.issuer, oidc.keys_time, min(_AGAIN_SECONDS, oidc.keys_time)), _trust(oidc.ca)
    )
    claims = ClaimRules(
        oidc.name_claim,
        oidc.role_claim,
        oidc.facility_claim,
        oidc.person_claim,
        oidc.roles or {role.value: role for role in Role},
    )
    tokens = TokenRules(provider, oidc.audience, oidc.algorithms, claims) if oidc.audience else None
    if not oidc.client_id:
        return tokens, None
    secret = oidc.client_secret.get_secret_value()
    client = ClientRules(oidc.client_id, secret, oidc.scopes, oidc.algorithms, oidc.name)
    return tokens, OidcLogin(provider, client, claims, told)


def _trust(file: str) -> ssl.SSLContext | None:
    if not file:
        return None
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise Unavailable(f"VNA_OIDC__CA names {file}, which cannot be used") from error

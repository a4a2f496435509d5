"""People who are logged in with a browser: a secret in a cookie, until they log out, do nothing for a while, or time is
over."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.index import accounts as account_rows
from storage.index import logins as rows
from storage.index.engine import Connection, Database
from storage.index.events import read_time, time_text
from storage.index.logins import SessionRow
from vna.model.access import Actor, ActorKind
from vna.model.errors import NotAuthorized
from vna.security.addresses import may_come_from
from vna.security.login_trail import LoginTrail
from vna.security.people import as_role
from vna.security.rights import parse_rights, rights_text
from vna.security.users import user_actor

_KEPT = 20
"""Browsers of one user at a time; one more ends the oldest."""
_NOTED = timedelta(seconds=60)
"""How exactly it is known when a session was used last, so that not every request writes."""


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How long a browser may do nothing, and how long a session lasts whatever it does."""

    idle: timedelta = timedelta(minutes=30)
    lifetime: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has just begun: its secret, which is kept nowhere, and how long it lasts."""

    secret: str
    lifetime: timedelta


class Sessions:
    """Sessions of accounts, and of people who were logged in elsewhere (OpenID Connect).

    Of an account only its name is kept, and looked up each time: what it may do changes at once, and another password
    ends its sessions. Of the others what was said of them, until the session is over.
    """

    def __init__(self, database: Database, rules: SessionRules | None = None, trail: LoginTrail | None = None) -> None:
        self._database = database
        self._rules = rules or SessionRules()
        self._trail = trail or LoginTrail()

    def begin(self, actor: Actor, how: str) -> Session:
        """A session for an account that has just proved itself, in this way."""
        with self._database.read() as connection:
            user = account_rows.user(connection, actor.name)
        if user is None:
            raise NotAuthorized("the account was removed", authenticated=False)
        return self._begun(actor, how, _mark(user.password_hash))

    def begin_elsewhere(self, actor: Actor, how: str) -> Session:
        """A session for whom a provider has just named."""
        return self._begun(actor, how, b"")

    def _begun(self, actor: Actor, how: str, mark: bytes) -> Session:
        secret, now = secrets.token_urlsafe(32), datetime.now(UTC)
        with self._database.transaction() as connection:
            row = SessionRow(
                digest=_digest(secret),
                session_id=secrets.token_hex(4),
                user_name=actor.name,
                mark=mark,
                rights=rights_text(actor.rights),
                facility=actor.facility,
                role=actor.role.value if actor.role is not None else "",
                person=actor.person,
                address=actor.address,
                created_at=time_text(now),
                seen_at=time_text(now),
                expires_at=time_text(now + self._rules.lifetime),
            )
            rows.put_session(connection, row, now=time_text(now), keep=_KEPT)
        self._trail.came(actor, how)
        return Session(secret, self._rules.lifetime)

    def actor(self, secret: str, address: str) -> Actor:
        """Who is logged in; NotAuthorized once the session is over, for whatever reason."""
        now = datetime.now(UTC)
        with self._database.read() as connection:
            row = rows.session(connection, _digest(secret))
            actor = self._found(connection, row, address, now) if row is not None else None
        if row is None or actor is None:
            raise NotAuthorized("the session is over: log in again", authenticated=False)
        if read_time(row.seen_at) + min(_NOTED, self._rules.idle / 10) <= now:
            with self._database.transaction() as connection:
                rows.seen(connection, row.digest, time_text(now))
        return actor

    def end(self, secret: str, actor: Actor) -> bool:
        """Log out; False when there was no such session."""
        with self._database.transaction() as connection:
            ended = rows.end_session(connection, _digest(secret))
        if ended:
            self._trail.left(actor)
        return ended

    def _found(self, connection: Connection, row: SessionRow, address: str, now: datetime) -> Actor | None:
        idle = read_time(row.seen_at) + self._rules.idle <= now
        if idle or read_time(row.expires_at) <= now:
            return None
        if not row.mark:
            return _actor_elsewhere(row, address)
        user = account_rows.user(connection, row.user_name)
        if user is None or not hmac.compare_digest(_mark(user.password_hash), row.mark):
            return None
        return user_actor(user, address) if may_come_from(user.addresses, address) else None


def form_token(secret: str) -> str:
    """What a form of ours carries, so that no page elsewhere can have it sent: made of the secret, and not it."""
    return hmac.digest(secret.encode(), b"vna form", "sha256").hex()


def require_form_token(secret: str, given: str) -> None:
    """NotAuthorized when a form does not carry it."""
    if not secret or not hmac.compare_digest(form_token(secret).encode(), given.encode()):
        raise NotAuthorized("the form was not sent from a page of the archive, or is too old: load it again")


def _actor_elsewhere(row: SessionRow, address: str) -> Actor:
    actor = Actor(ActorKind.USER, row.user_name, parse_rights(row.rights), row.facility, address)
    return as_role(actor, row.role, row.person)


def _mark(password_hash: str) -> bytes:
    return hashlib.sha256(password_hash.encode()).digest()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()

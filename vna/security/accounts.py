"""Users with passwords, and bearer tokens."""

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from storage.index import accounts as rows
from storage.index import events
from storage.index.accounts import TokenRow, UserRow
from storage.index.engine import Connection, Database
from storage.index.events import read_time, time_text
from vna.model.access import Action, Actor, ActorKind, Role
from vna.model.audit import NO_TRAIL, Trail
from vna.model.errors import BadRequest, NotAuthorized, NotFound
from vna.model.events import EventKind
from vna.model.priority import Priority, priority_of
from vna.security.people import as_role, require_complete
from vna.security.policy import Policy
from vna.security.rights import GIVEN_RIGHTS, parse_rights, rights_text
from vna.security.roles import ROLES, role_of

_REMEMBER_SECONDS = 60.0
_REMEMBERED = 10_000
_MIN_PASSWORD = 8
_MOST_GRANTED = 100
"""Tokens that a user can hold by asking with a password."""

GRANTED = "granted for a password"
"""The description of such tokens."""


@dataclass(frozen=True, slots=True)
class User:
    """A person or service that logs in."""

    name: str
    rights: frozenset[Action]
    facility: str
    created_at: datetime
    priority: Priority = Priority.INTERACTIVE
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token of a user, without its secret."""

    token_id: str
    user_name: str
    description: str
    rights: frozenset[Action]
    expires_at: datetime | None
    priority: Priority = Priority.INTERACTIVE


class Accounts:
    """Logs in by password or token.

    Argon2 is slow on purpose; a login that succeeded is remembered for a minute, by a keyed digest that only this
    process
    can compute, together with the hash it was checked against.
    """

    def __init__(self, database: Database, policy: Policy, trail: Trail = NO_TRAIL) -> None:
        self._database = database
        self._policy = policy
        self._trail = trail
        self._hasher = PasswordHasher()
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._remembered: dict[bytes, float] = {}

    def authenticate_basic(self, name: str, password: str, address: str) -> Actor:
        """The user with this password, or NotAuthorized (the same for an unknown name and a wrong password)."""
        with self._database.read() as connection:
            user = rows.user(connection, name)
        known_hash = user.password_hash if user is not None else self._no_such_user
        if not self._matches(known_hash, password) or user is None:
            self._trail.kept_out(Actor(ActorKind.USER, name, address=address), "password", "wrong name or password")
            raise NotAuthorized("wrong name or password", authenticated=False)
        rights, priority = parse_rights(user.rights), priority_of(user.priority)
        actor = Actor(ActorKind.USER, user.name, rights, user.facility, address, priority=priority)
        self._trail.entered(actor, "password")
        return as_role(actor, user.role, user.person)

    def authenticate_token(self, secret: str, address: str) -> Actor:
        """The user of this token, with the token's rights and priority as far as the user has them, or
        NotAuthorized."""
        with self._database.read() as connection:
            token = rows.token_by_digest(connection, _digest(secret))
            user = rows.user(connection, token.user_name) if token is not None else None
        why = ""
        if token is None or user is None:
            why = "the token is not known"
        elif token.expires_at and read_time(token.expires_at) <= datetime.now(UTC):
            why = "the token has expired"
        if token is None or user is None or why:
            name = token.user_name if token is not None else ""
            self._trail.kept_out(Actor(ActorKind.TOKEN, name, address=address), "token", why)
            raise NotAuthorized(why, authenticated=False)
        rights = parse_rights(token.rights) & parse_rights(user.rights)
        priority = min(priority_of(token.priority), priority_of(user.priority))
        name = f"{user.name}/{token.token_id}"
        actor = Actor(ActorKind.TOKEN, name, rights, user.facility, address, priority=priority)
        self._trail.entered(actor, "token")
        return as_role(actor, user.role, user.person)

    def add_user(
        self,
        actor: Actor,
        name: str,
        password: str,
        rights: frozenset[Action] | None = None,
        facility: str | None = None,
        priority: Priority | None = None,
        *,
        role: str | None = None,
        person: str | None = None,
    ) -> None:
        """Add a user, who may store, query and retrieve, or what the role may, unless `rights` says otherwise; or
        change the password of one, and of everything else what is given. Tokens that were granted for the password
        before end."""
        self._policy.check(actor, Action.ADMIN, name)
        if not name or ":" in name or len(name) > 128 or not name.isprintable():
            raise BadRequest("a user name is 1 to 128 printable characters without a colon")
        if len(password) < _MIN_PASSWORD:
            raise BadRequest(f"a password has at least {_MIN_PASSWORD} characters")
        password_hash = self._hasher.hash(password)
        with self._database.transaction() as connection:
            held = rows.user(connection, name)
            row = UserRow(
                name=name,
                password_hash=password_hash,
                rights=_rights(rights, role, held),
                facility=facility if facility is not None else held.facility if held else "",
                created_at=held.created_at if held else time_text(datetime.now(UTC)),
                priority=priority.word if priority is not None else held.priority if held else "",
                role=role if role is not None else held.role if held else "",
                person=person if person is not None else held.person if held else "",
            )
            require_complete(role_of(row.role), row.facility, row.person)
            rows.put_user(connection, row)
            rows.remove_granted(connection, name, GRANTED, expired_at=time_text(datetime.now(UTC)), keep=0)
            self._tell(connection, actor, {"user": name, "rights": row.rights, "role": row.role})

    def remove_user(self, actor: Actor, name: str) -> None:
        """Remove a user and all tokens of it; NotFound when there is none."""
        self._policy.check(actor, Action.ADMIN, name)
        with self._database.transaction() as connection:
            if not rows.remove_user(connection, name):
                raise NotFound(f"no user {name}")
            self._tell(connection, actor, {"user": name, "removed": True})

    def users(self, actor: Actor) -> tuple[User, ...]:
        """Every user, by name."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return tuple(
                User(
                    row.name,
                    parse_rights(row.rights),
                    row.facility,
                    read_time(row.created_at),
                    priority_of(row.priority),
                    role_of(row.role),
                )
                for row in rows.all_users(connection)
            )

    def add_token(
        self,
        actor: Actor,
        user_name: str,
        *,
        rights: frozenset[Action] | None = None,
        lifetime: timedelta | None = None,
        description: str = "",
        priority: Priority = Priority.INTERACTIVE,
    ) -> str:
        """Make a token and return its secret, which is kept nowhere. Without `rights` it has those of its user.

        BadRequest for rights that the user does not have: a token never gives more.
        """
        self._policy.check(actor, Action.ADMIN, user_name)
        secret = f"vna_{secrets.token_urlsafe(32)}"
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            user = rows.user(connection, user_name)
            if user is None:
                raise NotFound(f"no user {user_name}")
            missing = (rights or frozenset()) - parse_rights(user.rights)
            if missing:
                raise BadRequest(f"{user_name} has no right {rights_text(missing)}, so that no token of it can have it")
            row = TokenRow(
                token_id=secrets.token_hex(4),
                digest=_digest(secret),
                user_name=user_name,
                description=description,
                rights=user.rights if rights is None else rights_text(rights),
                created_at=time_text(now),
                expires_at=time_text(now + lifetime) if lifetime is not None else "",
                priority=priority.word,
            )
            rows.put_token(connection, row)
            self._tell(connection, actor, {"token": row.token_id, "user": user_name, "rights": row.rights})
        return secret

    def grant(self, name: str, password: str, address: str, lifetime: timedelta) -> str:
        """A token that expires, for the user with this password (RFC 6749 4.3); NotAuthorized as for any login.

        Those of before that have expired go, and where a user holds too many the oldest ones.
        """
        user = self.authenticate_basic(name, password, address)
        secret = f"vna_{secrets.token_urlsafe(32)}"
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            rows.remove_granted(connection, user.name, GRANTED, expired_at=time_text(now), keep=_MOST_GRANTED - 1)
            row = TokenRow(
                token_id=secrets.token_hex(4),
                digest=_digest(secret),
                user_name=user.name,
                description=GRANTED,
                rights=rights_text(user.rights),
                created_at=time_text(now),
                expires_at=time_text(now + lifetime),
                priority=user.priority.word,
            )
            rows.put_token(connection, row)
            self._tell(connection, user, {"token": row.token_id, "user": user.name, "granted": True})
        return secret

    def remove_token(self, actor: Actor, token_id: str) -> None:
        """Remove a token; NotFound when there is none."""
        self._policy.check(actor, Action.ADMIN, token_id)
        with self._database.transaction() as connection:
            if not rows.remove_token(connection, token_id):
                raise NotFound(f"no token {token_id}")
            self._tell(connection, actor, {"token": token_id, "removed": True})

    def tokens(self, actor: Actor) -> tuple[Token, ...]:
        """Every token, oldest first."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return tuple(_token(row) for row in rows.all_tokens(connection))

    @cached_property
    def _no_such_user(self) -> str:
        """What a login under an unknown name is checked against, so that it takes as long as any other."""
        return self._hasher.hash(secrets.token_hex(16))

    def _tell(self, connection: Connection, actor: Actor, detail: dict[str, object]) -> None:
        events.append(
            connection,
            EventKind.ACCOUNT_CHANGED,
            at=datetime.now(UTC),
            actor=actor.name,
            detail=detail,
        )

    def _matches(self, known_hash: str, password: str) -> bool:
        mark = hmac.digest(self._key, f"{known_hash}\0{password}".encode(), "sha256")
        now = time.monotonic()
        with self._lock:
            if self._remembered.get(mark, 0.0) > now:
                return True
        try:
            self._hasher.verify(known_hash, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
        with self._lock:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[mark] = now + _REMEMBER_SECONDS
        return True


def _rights(given: frozenset[Action] | None, role: str | None, held: UserRow | None) -> str:
    """What is given, else what the role may, else what was; a new account without either has the usual."""
    if given is not None:
        return rights_text(given)
    known = role_of(role or "")
    if known is not None:
        return rights_text(ROLES[known].actions)
    return held.rights if held is not None else rights_text(GIVEN_RIGHTS)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _token(row: TokenRow) -> Token:
    expires = read_time(row.expires_at) if row.expires_at else None
    rights, priority = parse_rights(row.rights), priority_of(row.priority)
    return Token(row.token_id, row.user_name, row.description, rights, expires, priority)

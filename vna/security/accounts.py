"""Users with passwords, and bearer tokens."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from storage.index import accounts as rows
from storage.index import events
from storage.index import logins as login_rows
from storage.index.accounts import TokenRow, UserRow
from storage.index.engine import Connection, Database
from storage.index.events import read_time, time_text
from vna.model.access import Action, Actor, ActorKind
from vna.model.errors import BadRequest, NotAuthorized, NotFound, PasswordExpired
from vna.model.events import EventKind
from vna.model.priority import Priority, priority_of
from vna.security.addresses import may_come_from
from vna.security.lockout import Lockout, LockoutRules
from vna.security.login_trail import LoginTrail
from vna.security.passwords import PasswordRules, Passwords
from vna.security.policy import Policy
from vna.security.rights import GIVEN_RIGHTS, parse_rights, rights_text
from vna.security.users import Details, User, said_of, user_actor, user_of

_WRONG = "wrong name or password"
_LOCKED = "locked"
_MOST_GRANTED = 100
"""Tokens that a user can hold by asking with a password."""

GRANTED = "granted for a password"
"""The description of such tokens."""


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
    """Logs in by password or token."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        password_rules: PasswordRules | None = None,
        lockout_rules: LockoutRules | None = None,
        trail: LoginTrail | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        self._database = database
        self._policy = policy
        self._rules = password_rules or PasswordRules()
        self._lockout = Lockout(database, lockout_rules or LockoutRules())
        self._passwords = passwords or Passwords()
        self._trail = trail or LoginTrail()

    def authenticate_basic(self, name: str, password: str, address: str) -> Actor:
        """The user with this password, or NotAuthorized: the same for an unknown name, a wrong password, a right one
        from an address that the user may not come from, and whoever failed too often. PasswordExpired when it is right
        and has to be changed."""
        user = self._proved(name, password, address)
        if self._rules.are_over(user, datetime.now(UTC)):
            raise PasswordExpired("the password has expired: it has to be changed at /login/password")
        return user_actor(user, address)

    def log_in(self, name: str, password: str, address: str) -> Actor:
        """The same, by a person at a form: what failed before counts no more. Of programs, which show their password
        again and again, it does: whoever guesses meanwhile would never be locked out."""
        actor = self.authenticate_basic(name, password, address)
        self._lockout.forget(name)
        return actor

    def change_password(self, name: str, password: str, new: str, address: str) -> Actor:
        """Put a new password in the place of one's own, expired or not; sessions and granted tokens end."""
        user = self._proved(name, password, address)
        self._rules.require(name, new)
        if new == password:
            raise BadRequest("the new password is the old one")
        at = time_text(datetime.now(UTC))
        changed = replace(user, password_hash=self._passwords.hashed(new), password_at=at, temporary=0)
        actor = user_actor(changed, address)
        with self._database.transaction() as connection:
            self._put(connection, changed)
            self._tell(connection, actor, {"user": name, "password": True})
        self._lockout.forget(name)
        return actor

    def _proved(self, name: str, password: str, address: str) -> UserRow:
        with self._database.read() as connection:
            user = rows.user(connection, name)
            is_locked = self._lockout.is_locked(connection, name, address)
        if is_locked:
            raise self._refused(user, address, _LOCKED)
        if user is None:
            self._passwords.verifies(self._passwords.of_nobody, password)
            why = "no such account"
        elif not may_come_from(user.addresses, address):
            is_right = self._passwords.verifies(user.password_hash, password)  # slowly, as any that is refused
            why = "right password from elsewhere" if is_right else "wrong password"
        elif self._passwords.matches(user.password_hash, password):
            self._trail.came(user_actor(user, address), "password")
            return user
        else:
            why = "wrong password"
        self._lockout.failed(name, address)
        raise self._refused(user, address, why)

    def _refused(self, user: UserRow | None, address: str, why: str) -> NotAuthorized:
        actor = Actor(ActorKind.USER if user else ActorKind.ANONYMOUS, user.name if user else "", address=address)
        told = self._trail.turned_away if why == _LOCKED else self._trail.failed
        told(actor, "password", why)
        return NotAuthorized(_WRONG, authenticated=False)

    def authenticate_token(self, secret: str, address: str) -> Actor:
        """The user of this token, with the token's rights and priority as far as the user has them, or
        NotAuthorized."""
        with self._database.read() as connection:
            token = rows.token_by_digest(connection, _digest(secret))
            user = rows.user(connection, token.user_name) if token is not None else None
        if token is None or user is None or not may_come_from(user.addresses, address):
            nobody = Actor(ActorKind.TOKEN, token.token_id if token else "", address=address)
            self._trail.turned_away(nobody, "token", "not known, or not from there")
            raise NotAuthorized("the token is not known", authenticated=False)
        if token.expires_at and read_time(token.expires_at) <= datetime.now(UTC):
            self._trail.turned_away(Actor(ActorKind.TOKEN, token.token_id, address=address), "token", "expired")
            raise NotAuthorized("the token has expired", authenticated=False)
        found = user_actor(user, address)
        actor = replace(
            found,
            kind=ActorKind.TOKEN,
            name=f"{user.name}/{token.token_id}",
            rights=parse_rights(token.rights) & found.rights,
            priority=min(priority_of(token.priority), found.priority),
        )
        self._trail.came(actor, "token")
        return actor

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
        details: Details | None = None,
        temporary: bool = False,
    ) -> None:
        """Add a user, who may store, query and retrieve, or what the role may, unless `rights` says otherwise; or
        change the password of one, and of everything else what is given. Sessions, and tokens that were granted for the
        password before, end.

        A temporary password has to be changed at the first login.
        """
        self._policy.check(actor, Action.ADMIN, name)
        if not name or ":" in name or "/" in name or len(name) > 128 or not name.isprintable():
            raise BadRequest("a user name is 1 to 128 printable characters without colon and slash")
        self._rules.require(name, password)
        password_hash, now = self._passwords.hashed(password), time_text(datetime.now(UTC))
        said = details or Details(rights, facility, priority, role, person)
        with self._database.transaction() as connection:
            held = rows.user(connection, name) or UserRow(name, "", rights_text(GIVEN_RIGHTS), "", now)
            row = replace(
                said.put_into(held), password_hash=password_hash, password_at=now, temporary=1 if temporary else 0
            )
            self._put(connection, row)
            self._tell(connection, actor, said_of(row, password=True))

    def change_user(self, actor: Actor, name: str, details: Details) -> None:
        """Change what is given of a user; NotFound when there is none."""
        self._policy.check(actor, Action.ADMIN, name)
        with self._database.transaction() as connection:
            held = rows.user(connection, name)
            if held is None:
                raise NotFound(f"no user {name}")
            row = details.put_into(held)
            rows.put_user(connection, row)
            self._tell(connection, actor, said_of(row))

    def unlock(self, actor: Actor, name: str) -> bool:
        """Let somebody log in again who failed too often; False when nothing had failed."""
        self._policy.check(actor, Action.ADMIN, name)
        return self._lockout.forget(name)

    def end_sessions(self, actor: Actor, name: str) -> int:
        """Log a user out of every browser; how many there were."""
        self._policy.check(actor, Action.ADMIN, name)
        with self._database.transaction() as connection:
            ended = login_rows.end_sessions(connection, name)
            self._tell(connection, actor, {"user": name, "sessions_ended": ended})
        return ended

    def _put(self, connection: Connection, row: UserRow) -> None:
        """With another password: what the one before gave is over."""
        rows.put_user(connection, row)
        rows.remove_granted(connection, row.name, GRANTED, expired_at=time_text(datetime.now(UTC)), keep=0)
        login_rows.end_sessions(connection, row.name)

    def remove_user(self, actor: Actor, name: str) -> None:
        """Remove a user and all tokens of it; NotFound when there is none."""
        self._policy.check(actor, Action.ADMIN, name)
        with self._database.transaction() as connection:
            if not rows.remove_user(connection, name):
                raise NotFound(f"no user {name}")
            login_rows.end_sessions(connection, name)
            self._tell(connection, actor, {"user": name, "removed": True})

    def users(self, actor: Actor) -> tuple[User, ...]:
        """Every user, by name."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return tuple(user_of(row) for row in rows.all_users(connection))

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

    def _tell(self, connection: Connection, actor: Actor, detail: dict[str, object]) -> None:
        events.append(
            connection,
            EventKind.ACCOUNT_CHANGED,
            at=datetime.now(UTC),
            actor=actor.name,
            detail=detail,
        )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _token(row: TokenRow) -> Token:
    expires = read_time(row.expires_at) if row.expires_at else None
    rights, priority = parse_rights(row.rights), priority_of(row.priority)
    return Token(row.token_id, row.user_name, row.description, rights, expires, priority)

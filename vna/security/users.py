"""Accounts: what is known of a user beside the password."""

from dataclasses import dataclass, replace
from datetime import datetime

from storage.index.accounts import UserRow
from storage.index.events import read_time
from vna.model.access import Action, Actor, ActorKind, Role
from vna.model.priority import Priority, priority_of
from vna.security.addresses import addresses_text
from vna.security.people import as_role, require_complete
from vna.security.rights import parse_rights, rights_text
from vna.security.roles import ROLES, role_of


@dataclass(frozen=True, slots=True)
class User:
    """A person or service that logs in, without its secrets; `has_person` says whether it has a national number."""

    name: str
    rights: frozenset[Action]
    facility: str
    created_at: datetime
    priority: Priority = Priority.INTERACTIVE
    role: Role | None = None
    has_person: bool = False
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Details:
    """What is said of an account beside its password; what is None stays as it is.

    An account that gets a role may what the role may, unless `rights` says otherwise; an empty role takes it away.
    `addresses` are networks that its logins are taken from, none of them any. `person` is a national number, which
    nothing shows.
    """

    rights: frozenset[Action] | None = None
    facility: str | None = None
    priority: Priority | None = None
    role: str | None = None
    person: str | None = None
    addresses: tuple[str, ...] | None = None

    def put_into(self, row: UserRow) -> UserRow:
        """The account as it is then; BadRequest where it lacks that by which its role reaches anything."""
        changed = replace(
            row,
            rights=self._rights(row),
            facility=row.facility if self.facility is None else self.facility,
            priority=row.priority if self.priority is None else self.priority.word,
            role=row.role if self.role is None else self.role,
            person=row.person if self.person is None else self.person,
            addresses=row.addresses if self.addresses is None else addresses_text(self.addresses),
        )
        require_complete(role_of(changed.role), changed.facility, changed.person)
        return changed

    def _rights(self, row: UserRow) -> str:
        if self.rights is not None:
            return rights_text(self.rights)
        known = role_of(self.role or "")
        return rights_text(ROLES[known].actions) if known is not None else row.rights


def user_actor(row: UserRow, address: str) -> Actor:
    """Who logs in with this account."""
    rights, priority = parse_rights(row.rights), priority_of(row.priority)
    actor = Actor(ActorKind.USER, row.name, rights, row.facility, address, priority=priority)
    return as_role(actor, row.role, row.person)


def said_of(row: UserRow, *, password: bool = False) -> dict[str, object]:
    """What an event says of an account: neither password nor national number."""
    said: dict[str, object] = {"user": row.name, "rights": row.rights, "role": row.role, "addresses": row.addresses}
    return {**said, "facility": row.facility, **({"password": True} if password else {})}


def user_of(row: UserRow) -> User:
    """The account as it is listed."""
    return User(
        row.name,
        parse_rights(row.rights),
        row.facility,
        read_time(row.created_at),
        priority_of(row.priority),
        role_of(row.role),
        bool(row.person),
        tuple(row.addresses.split(",")) if row.addresses else (),
    )

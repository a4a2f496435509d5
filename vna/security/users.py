"""Accounts: what is known of a user beside the password."""

from dataclasses import dataclass, replace
from datetime import datetime

from storage.index.accounts import UserRow
from storage.index.events import read_time
from vna.model.access import Action, Actor, ActorKind, Role
from vna.model.priority import Priority, priority_of
from vna.security.addresses import addresses_text
from vna.security.rights import parse_rights, rights_text


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

    `role` None is no change, `no_role` takes it away. `addresses` are networks that its logins are taken from, none of
    them any. `person` is a national number, which nothing shows.
    """

    rights: frozenset[Action] | None = None
    facility: str | None = None
    priority: Priority | None = None
    role: Role | None = None
    no_role: bool = False
    person: str | None = None
    addresses: tuple[str, ...] | None = None

    def put_into(self, row: UserRow) -> UserRow:
        """The account as it is then."""
        return replace(
            row,
            rights=row.rights if self.rights is None else rights_text(self.rights),
            facility=row.facility if self.facility is None else self.facility,
            priority=row.priority if self.priority is None else self.priority.word,
            role="" if self.no_role else row.role if self.role is None else self.role.value,
            person=row.person if self.person is None else self.person,
            addresses=row.addresses if self.addresses is None else addresses_text(self.addresses),
        )


def user_actor(row: UserRow, address: str) -> Actor:
    """Who logs in with this account."""
    return Actor(
        ActorKind.USER,
        row.name,
        parse_rights(row.rights),
        row.facility,
        address,
        priority=priority_of(row.priority),
        role=Role(row.role) if row.role else None,
        person=row.person,
    )


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
        Role(row.role) if row.role else None,
        bool(row.person),
        tuple(row.addresses.split(",")) if row.addresses else (),
    )

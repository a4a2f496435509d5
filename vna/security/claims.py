"""Whom the claims of a provider make somebody: role, facility and national number, by a mapping in the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vna.model.access import Action, Actor, ActorKind, Role
from vna.model.errors import BadRequest, NotAuthorized
from vna.security.people import as_role, require_complete
from vna.security.roles import ROLES

PREFIX = "oidc/"
"""What the names of people and programs begin with that a provider knows; no account of the archive has a slash."""
_SCOPE = "vna:"
_LONGEST = {"name": 100, "facility": 64, "person": 32}


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """Names of claims; `a.b` is a claim inside of one. `roles` says which role a value of the role claim is, and of
    somebody with several the first of it counts."""

    name: str = "sub"
    role: str = "roles"
    facility: str = "facility"
    person: str = "national_number"
    roles: Mapping[str, Role] = field(default_factory=lambda: {role.value: role for role in Role})

    def person_of(self, claims: Mapping[str, Any], address: str) -> Actor:
        """A person who logs in: NotAuthorized where the provider gives no role that is known here."""
        role = self._role(claims)
        if role is None:
            raise NotAuthorized("the identity provider gives you no role that is known here")
        return self._actor(claims, address, ActorKind.USER, role, ROLES[role].actions)

    def caller_of(self, claims: Mapping[str, Any], address: str) -> Actor:
        """Whoever shows an access token: with a role, or a program with scopes such as `vna:query`, which is then all
        that it may do."""
        role, scopes = self._role(claims), _scopes(claims)
        if role is None and not scopes:
            raise NotAuthorized("the token gives neither a role nor a scope that is known here")
        rights = ROLES[role].actions if role is not None else scopes
        return self._actor(claims, address, ActorKind.TOKEN, role, rights & scopes if scopes else rights)

    def _actor(
        self, claims: Mapping[str, Any], address: str, kind: ActorKind, role: Role | None, rights: frozenset[Action]
    ) -> Actor:
        name = PREFIX + _word(claims, self.name, "name")
        if name == PREFIX:
            raise NotAuthorized("the identity provider gives you no name")
        facility, person = _word(claims, self.facility, "facility"), _word(claims, self.person, "person")
        try:
            require_complete(role, facility, person)
        except BadRequest as error:
            raise NotAuthorized("the identity provider leaves out what your role needs, or it is none") from error
        return as_role(Actor(kind, name, rights, facility, address), role.value if role is not None else "", person)

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        said = _words(_found(claims, self.role))
        return next((role for value, role in self.roles.items() if value in said), None)


def has(claims: Mapping[str, Any], path: str) -> bool:
    """Whether there is such a claim."""
    return _found(claims, path) is not None


def _scopes(claims: Mapping[str, Any]) -> frozenset[Action]:
    """Actions among the scopes (RFC 9068 2.2.3), each once under its name."""
    said = _words(claims.get("scope", claims.get("scp")))
    return frozenset(action for action in Action if _SCOPE + action.value in said)


def _found(claims: Mapping[str, Any], path: str) -> Any:
    """The claim itself, as names may hold dots, or what is inside of others."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _words(value: Any) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset(value.split())
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()


def _word(claims: Mapping[str, Any], path: str, what: str) -> str:
    """One value as text; NotAuthorized where it is something else, or too long."""
    value = _found(claims, path) if path else None
    if value is None:
        return ""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or len(text) > _LONGEST[what] or not text.isprintable():
        raise NotAuthorized(f"the identity provider gives a {what} that is none")
    return text.strip()

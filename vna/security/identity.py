"""Who works at an application entity, where it says so (user identity negotiation, PS3.7 D.3.3.7)."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Protocol

from vna.model.access import Actor
from vna.model.errors import BadRequest, NotAuthorized

_PROOFS_AT_ONCE = 4
"""Argon2 takes 64 MiB for each password that it checks."""
_WAIT_SECONDS = 20.0


class IdentityType(IntEnum):
    """User-Identity-Type (PS3.7 Table D.3-14)."""

    USERNAME = 1
    USERNAME_AND_PASSCODE = 2
    KERBEROS = 3
    SAML = 4
    JWT = 5


@dataclass(frozen=True, slots=True)
class Identity:
    """What an application entity says of its user: the fields of the sub-item."""

    kind: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)


class ProvesPassword(Protocol):
    """Logs in by name and password; NotAuthorized when they are wrong."""

    def __call__(self, name: str, password: str, address: str, /) -> Actor: ...


class ProvesToken(Protocol):
    """Logs in by a bearer token, such as a JWT; NotAuthorized when it is not good."""

    def __call__(self, token: str, address: str, /) -> Actor: ...


class ProvesAssertion(Protocol):
    """Logs in by a SAML assertion as XML; NotAuthorized when it is not good."""

    def __call__(self, assertion: bytes, address: str, /) -> Actor: ...


class Identities:
    """Finds out who it is; what there is no proof of here is refused."""

    def __init__(
        self,
        password: ProvesPassword,
        token: ProvesToken | None = None,
        assertion: ProvesAssertion | None = None,
    ) -> None:
        self._password = password
        self._token = token
        self._assertion = assertion
        self._room = threading.BoundedSemaphore(_PROOFS_AT_ONCE)

    def with_user(self, entity: Actor, identity: Identity) -> Actor:
        """The application entity as far as this user may use it: rights that both have, the person and role of the
        user.

        A name alone proves nothing, and changes nothing. NotAuthorized when the user is not who they say they are, or
        is of another facility than the application entity.
        """
        if identity.kind == IdentityType.USERNAME:
            return entity
        user = self._proved(identity, entity.address)
        if user.facility and entity.facility and user.facility != entity.facility:
            raise NotAuthorized("the user is of another facility than the calling AE title")
        return replace(
            entity,
            user=user.name,
            rights=entity.rights & user.rights,
            facility=entity.facility or user.facility,
            priority=min(entity.priority, user.priority),
            role=user.role,
            person=user.person,
        )

    def _proved(self, identity: Identity, address: str) -> Actor:
        prove = self._proof(identity)
        if not self._room.acquire(timeout=_WAIT_SECONDS):
            raise NotAuthorized("too many users log in at once")
        try:
            return prove(address)
        except BadRequest as exc:
            raise NotAuthorized(str(exc)) from exc
        finally:
            self._room.release()

    def _proof(self, identity: Identity) -> Callable[[str], Actor]:
        if identity.kind == IdentityType.USERNAME_AND_PASSCODE:
            name, password = _text(identity.primary), _text(identity.secondary)
            return lambda address: self._password(name, password, address)
        if identity.kind == IdentityType.JWT and (by_token := self._token) is not None:
            token = _text(identity.primary).strip()
            return lambda address: by_token(token, address)
        if identity.kind == IdentityType.SAML and (by_assertion := self._assertion) is not None:
            return lambda address: by_assertion(identity.primary, address)
        raise NotAuthorized(f"a user identity of type {identity.kind} is not taken here")


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise NotAuthorized("the user identity is not in UTF-8") from exc

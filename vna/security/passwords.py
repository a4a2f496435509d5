"""What passwords have to be like, and whether one is right: hashed by Argon2, which is slow on purpose."""

import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from storage.index.accounts import UserRow
from storage.index.events import read_time
from vna.model.errors import BadRequest

_REMEMBER_SECONDS = 60.0
_REMEMBERED = 10_000
_LONGEST = 1024
"""Characters: more is no password, and costs time to hash."""


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """How long a password has to be, and for how long it can be used; None for ever."""

    min_length: int = 12
    max_age: timedelta | None = None

    def require(self, name: str, password: str) -> None:
        """BadRequest says what is wrong with a new password of this account."""
        if len(password) < self.min_length:
            raise BadRequest(f"a password has at least {self.min_length} characters")
        if len(password) > _LONGEST:
            raise BadRequest(f"a password has at most {_LONGEST} characters")
        if password.casefold() == name.casefold() or len(set(password)) < 4:
            raise BadRequest("a password is not the user's name, and has more than three different characters")

    def are_over(self, user: UserRow, now: datetime) -> bool:
        """Whether a password is too old, or was given to be changed."""
        if user.temporary:
            return True
        return self.max_age is not None and read_time(user.password_at or user.created_at) + self.max_age <= now


class Passwords:
    """Hashes passwords, and checks them.

    What was right is remembered for a minute, by a keyed digest that only this process can compute, together with the
    hash that it was checked against.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._remembered: dict[bytes, float] = {}

    def hashed(self, password: str) -> str:
        """What is kept of it."""
        return self._hasher.hash(password)

    @cached_property
    def of_nobody(self) -> str:
        """What a login under an unknown name is checked against, so that it takes as long as any other."""
        return self._hasher.hash(secrets.token_hex(16))

    def matches(self, known_hash: str, password: str) -> bool:
        """Whether it is the password, at once where it was right within the last minute."""
        mark = self._mark(known_hash, password)
        with self._lock:
            if self._remembered.get(mark, 0.0) > time.monotonic():
                return True
        if not self.verifies(known_hash, password):
            return False
        with self._lock:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[mark] = time.monotonic() + _REMEMBER_SECONDS
        return True

    def verifies(self, known_hash: str, password: str) -> bool:
        """Whether it is the password, which takes its time."""
        if len(password) > _LONGEST:
            return False
        try:
            return self._hasher.verify(known_hash, password)
        except (VerifyMismatchError, InvalidHashError):
            return False

    def _mark(self, known_hash: str, password: str) -> bytes:
        return hmac.digest(self._key, f"{known_hash}\0{password}".encode(), "sha256")

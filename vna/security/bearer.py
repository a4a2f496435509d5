"""Bearer tokens (RFC 6750): those of the archive, and those that an OpenID provider signed for it."""

import hashlib
import threading
import time
from dataclasses import dataclass

from vna.model.access import Actor
from vna.model.errors import NotAuthorized
from vna.security.accounts import Accounts
from vna.security.claims import ClaimRules
from vna.security.login_trail import LoginTrail
from vna.security.provider import Provider
from vna.security.signed_tokens import verified

_REMEMBER_SECONDS = 60.0
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Whose tokens are taken: those of the provider that are for this audience."""

    provider: Provider
    audience: str
    algorithms: tuple[str, ...]
    claims: ClaimRules


class Bearer:
    """Who shows a token. One with two dots is signed by a provider; those of the archive have none."""

    def __init__(self, accounts: Accounts, rules: TokenRules | None = None, trail: LoginTrail | None = None) -> None:
        self._accounts = accounts
        self._rules = rules
        self._trail = trail or LoginTrail()
        self._lock = threading.Lock()
        self._came: dict[bytes, float] = {}

    def __call__(self, token: str, address: str) -> Actor:
        """NotAuthorized says why a token is none, except of which account it is."""
        if self._rules is None or token.count(".") != 2:
            return self._accounts.authenticate_token(token, address)
        rules = self._rules
        try:
            claims = verified(token, rules.provider, audience=rules.audience, algorithms=rules.algorithms)
            actor = rules.claims.caller_of(claims, address)
        except NotAuthorized as error:
            self._trail.refused_elsewhere(address, "signed token", str(error))
            raise
        self._note(token, actor)
        return actor

    def _note(self, token: str, actor: Actor) -> None:
        """A login a minute, not with every request."""
        mark, now = hashlib.sha256(token.encode()).digest(), time.monotonic()
        with self._lock:
            if self._came.get(mark, 0.0) > now:
                return
        self._trail.came(actor, "signed token")
        with self._lock:
            if len(self._came) >= _REMEMBERED:
                self._came.clear()
            self._came[mark] = now + _REMEMBER_SECONDS

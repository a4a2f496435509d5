"""Bearer tokens (RFC 6750): those of the archive, and those that an OpenID provider signed for it."""

from dataclasses import dataclass

from vna.model.access import Actor
from vna.model.errors import NotAuthorized
from vna.security.accounts import Accounts
from vna.security.claims import ClaimRules
from vna.security.login_trail import LoginTrail
from vna.security.provider import Provider
from vna.security.signed_tokens import verified


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
        self._trail.came(actor, "signed token")
        return actor

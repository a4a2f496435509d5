"""Signed tokens of an OpenID provider (JWT, RFC 7519), checked as RFC 8725 says."""

from collections.abc import Sequence
from typing import Any

import jwt

from vna.model.errors import NotAuthorized
from vna.security.provider import Provider

LONGEST = 16 << 10
"""Characters of a token: more is refused before any of it is read."""
_LEEWAY_SECONDS = 30
_TYPES = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
"""What a token may say that it is (RFC 7519 5.1, RFC 9068 2.1): logout tokens and the like are none to log in with."""
_WORDS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not valid yet"),
    (jwt.InvalidAudienceError, "the token is for somebody else"),
    (jwt.InvalidIssuerError, "the token is of another issuer"),
    (jwt.MissingRequiredClaimError, "the token lacks a claim that has to be there"),
    (jwt.InvalidSignatureError, "the token is not signed by its issuer"),
)
_UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, RecursionError)
"""What reading JSON and Base64 of anybody can raise."""


def verified(
    token: str, provider: Provider, *, audience: str, algorithms: Sequence[str], needed: Sequence[str] = ("sub",)
) -> dict[str, Any]:
    """The claims of a token that this provider signed for this audience, and whose time it is; else NotAuthorized."""
    if len(token) > LONGEST:
        raise _refused(f"the token is longer than {LONGEST} characters")
    try:
        header = jwt.get_unverified_header(token)
    except _UNREADABLE as error:
        raise _refused("the token cannot be read") from error
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise _refused("the token is signed in a way that is not taken")
    if "crit" in header or str(header.get("typ") or "").lower() not in _TYPES:
        raise _refused("the token is none to log in with")
    key = provider.key(kid if isinstance(kid, str) else None, algorithm)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=audience,
            issuer=provider.issuer,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", *needed]},
        )
    except _UNREADABLE as error:
        words = next((words for kind, words in _WORDS if isinstance(error, kind)), "the token cannot be read")
        raise _refused(words) from error
    return claims


def _refused(words: str) -> NotAuthorized:
    return NotAuthorized(words, authenticated=False)

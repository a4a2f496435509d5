"""An OpenID provider: what it says of itself (OpenID Connect Discovery 1.0), and the keys it signs with (RFC 7517)."""

import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import orjson

from vna.model.errors import NotAuthorized, Unavailable

log = logging.getLogger(__name__)

_MOST_BYTES = 1 << 20
_MOST_KEYS = 100
_SILENT = "the identity provider does not answer"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_SUITED: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", "")),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""What key an algorithm needs (RFC 7518 3.1, RFC 8037 3.1): kty and crv. None of them is symmetric."""
ALGORITHMS = tuple(_SUITED)
_LEAST_RSA_BITS = 2048

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProviderRules:
    """`issuer` is how it names itself. Keys are asked for anew after `keys_seconds`; a token whose key is not there has
    them asked for as well, once in `again_seconds`. While it does not answer, keys count for `stale_seconds` more."""

    issuer: str
    keys_seconds: float = 600.0
    again_seconds: float = 10.0
    stale_seconds: float = 3600.0
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class Known:
    """What was fetched, and when."""

    said: Json
    at: float


class Fetched:
    """Something of the provider's that is kept for a while; one thread fetches, the others go on with what there is."""

    def __init__(self, fetch: Callable[[], Json], rules: ProviderRules) -> None:
        self._fetch = fetch
        self._rules = rules
        self._lock = threading.Lock()
        self._known: Known | None = None
        self._tried_at = -rules.again_seconds

    def get(self) -> Json:
        """As it was at most a while ago; Unavailable when it is too old and cannot be had."""
        known, now = self._known, time.monotonic()
        if known is not None and now - known.at <= self._rules.keys_seconds:
            return known.said
        return self._anew(now)

    def again(self) -> Json:
        """Anew, unless that was tried a moment ago."""
        return self._anew(time.monotonic())

    def _anew(self, now: float) -> Json:
        with self._lock:
            if now - self._tried_at >= self._rules.again_seconds:
                self._tried_at = time.monotonic()
                try:
                    self._known = Known(self._fetch(), time.monotonic())
                except Unavailable as error:
                    log.warning("identity provider silent", extra={"reason": str(error.__cause__ or error)[:200]})
        known = self._known
        if known is None or now - known.at > self._rules.keys_seconds + self._rules.stale_seconds:
            raise Unavailable(_SILENT)
        return known.said


class Provider:
    """One provider. Nothing of it is asked before it is needed."""

    def __init__(self, rules: ProviderRules, trust: ssl.SSLContext | None = None) -> None:
        self.issuer = rules.issuer
        self._client = partial(
            httpx.Client, verify=trust or True, timeout=rules.timeout, follow_redirects=False, trust_env=False
        )
        self._metadata = Fetched(self._discovered, rules)
        self._keys = Fetched(lambda: self.ask("GET", self.address("jwks_uri")), rules)

    def address(self, name: str) -> str:
        """An address that it says, such as `token_endpoint`; Unavailable where it has none."""
        found = self.optional(name)
        if not found:
            raise Unavailable(f"the identity provider has no {name}")
        return found

    def optional(self, name: str) -> str:
        """The same, "" where it has none, or none that is safe."""
        found = self._metadata.get().get(name)
        return found if isinstance(found, str) and is_safe(found) else ""

    def says(self, name: str) -> bool:
        """Whether it says that it does something."""
        return self._metadata.get().get(name) is True

    def ask(self, method: str, url: str, **said: Any) -> Json:
        """A JSON object from one of its addresses; NotAuthorized where it refuses (400, 401, 403)."""
        try:
            with self._client() as client, client.stream(method, url, **said) as answer:
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > _MOST_BYTES:
                        raise Unavailable("the identity provider says too much")
                if answer.status_code in (400, 401, 403):
                    raise NotAuthorized("the identity provider refused the login", authenticated=False)
                if answer.status_code != 200:
                    raise Unavailable(f"the identity provider answers {answer.status_code}")
                found = orjson.loads(body)
        except (httpx.HTTPError, httpx.InvalidURL, orjson.JSONDecodeError) as error:
            raise Unavailable(_SILENT) from error
        if not isinstance(found, dict):
            raise Unavailable("the identity provider says what is no JSON object")
        return found

    def key(self, kid: str | None, algorithm: str) -> jwt.PyJWK:
        """The key for a signature; NotAuthorized where the provider has none, also when asked again."""
        for keys in (self._keys.get, self._keys.again):
            found = [one for one in _entries(keys()) if _is_suited(one, kid, algorithm)]
            if found and (kid is not None or len(found) == 1):
                return _as_key(found[0], algorithm)
        raise NotAuthorized("the token is signed with a key that its issuer does not have", authenticated=False)

    def _discovered(self) -> Json:
        found = self.ask("GET", self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise Unavailable("the identity provider names itself otherwise than the settings do")
        return found


def is_safe(url: str) -> bool:
    """Whether an address is under TLS, or on this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def _entries(keys: Json) -> list[Json]:
    entries = keys.get("keys")
    return [one for one in entries[:_MOST_KEYS] if isinstance(one, dict)] if isinstance(entries, list) else []


def _is_suited(entry: Json, kid: str | None, algorithm: str) -> bool:
    """RFC 7517 4: of this name where one is said, for signatures, and for this algorithm."""
    kind, curve = _SUITED[algorithm]
    return (
        (kid is None or entry.get("kid") == kid)
        and entry.get("kty") == kind
        and (not curve or entry.get("crv") == curve)
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", algorithm) == algorithm
        and "verify" in entry.get("key_ops", ("verify",))
    )


def _as_key(entry: Json, algorithm: str) -> jwt.PyJWK:
    try:
        key = jwt.PyJWK(entry, algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise Unavailable("a key of the identity provider cannot be read") from error
    if _SUITED[algorithm][0] == "RSA" and key.key.key_size < _LEAST_RSA_BITS:
        raise NotAuthorized(f"the key of the token has less than {_LEAST_RSA_BITS} bits", authenticated=False)
    return key

"""Logins of people at an OpenID provider: the code flow with PKCE (OpenID Connect Core 1.0 3.1, RFC 7636)."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import orjson

from vna.model.access import Actor
from vna.model.errors import NotAuthorized, VnaError
from vna.security.claims import ClaimRules, has
from vna.security.login_trail import LoginTrail
from vna.security.provider import Provider
from vna.security.signed_tokens import verified

_AGAIN = "the login was not begun here, or took too long: begin again"


@dataclass(frozen=True, slots=True)
class ClientRules:
    """How the provider knows the archive; without a secret it is a public client. `called` is how people know the
    provider."""

    client_id: str
    secret: str = field(default="", repr=False)
    scopes: str = "openid profile"
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    called: str = "your organisation"


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A login that was begun: it stays in a cookie of the browser, so that nobody has to keep it, and no other browser
    ends it. `wanted` is where it leads."""

    state: str
    nonce: str
    verifier: str
    wanted: str

    def written(self) -> str:
        """As the value of a cookie."""
        return base64.urlsafe_b64encode(orjson.dumps(asdict(self))).decode().rstrip("=")

    @staticmethod
    def read(text: str) -> "UnderWay":
        """What `written` gave; NotAuthorized for anything else."""
        try:
            said = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            found = UnderWay(**said)
        except (ValueError, TypeError) as error:
            raise NotAuthorized(_AGAIN) from error
        if not all(isinstance(one, str) and one for one in asdict(found).values()):
            raise NotAuthorized(_AGAIN)
        return found


class OidcLogin:
    """Sends people to the provider, and takes them back."""

    def __init__(
        self, provider: Provider, client: ClientRules, claims: ClaimRules, trail: LoginTrail | None = None
    ) -> None:
        self.called = client.called
        self._provider = provider
        self._client = client
        self._claims = claims
        self._trail = trail or LoginTrail()

    def begin(self, callback: str, wanted: str) -> tuple[str, UnderWay]:
        """Where the browser has to go, and what it has to come back with."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": callback,
            "scope": self._client.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return _with(self._provider.address("authorization_endpoint"), asked), UnderWay(state, nonce, verifier, wanted)

    def finish(self, begun: UnderWay, said: Mapping[str, str], callback: str, address: str) -> Actor:
        """Who comes back from the provider; NotAuthorized when anything of it is not as it has to be."""
        try:
            code = self._code(begun, said)
            tokens = self._tokens(code, begun, callback)
            return self._claims.person_of(self._claimed(tokens, begun), address)
        except NotAuthorized as error:
            self._trail.refused_elsewhere(address, "OpenID Connect", str(error))
            raise

    def leave(self, back: str) -> str:
        """Where the browser logs out at the provider too (OpenID Connect RP-Initiated Logout 1.0), or ""."""
        try:
            url = self._provider.optional("end_session_endpoint")
        except VnaError:
            return ""
        asked = {"client_id": self._client.client_id, "post_logout_redirect_uri": back}
        return _with(url, asked) if url else ""

    def _code(self, begun: UnderWay, said: Mapping[str, str]) -> str:
        if not hmac.compare_digest(begun.state.encode(), said.get("state", "").encode()):
            raise NotAuthorized(_AGAIN)
        issuer = said.get("iss", "")
        is_missing = not issuer and self._provider.says("authorization_response_iss_parameter_supported")
        if is_missing or issuer not in ("", self._provider.issuer):  # RFC 9207 2.4
            raise NotAuthorized("the answer is of another identity provider than was asked")
        if "error" in said or not said.get("code"):
            raise NotAuthorized("the identity provider refused the login", authenticated=False)
        return said["code"]

    def _tokens(self, code: str, begun: UnderWay, callback: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "code_verifier": begun.verifier,
        }
        more: dict[str, Any] = {}
        if self._client.secret:  # RFC 6749 2.3.1: both are encoded before
            more["auth"] = (quote_plus(self._client.client_id), quote_plus(self._client.secret))
        else:
            form["client_id"] = self._client.client_id
        return self._provider.ask("POST", self._provider.address("token_endpoint"), data=form, **more)

    def _claimed(self, tokens: Mapping[str, Any], begun: UnderWay) -> Mapping[str, Any]:
        """Of the ID token (OpenID Connect Core 1.0 3.1.3.7), and of the UserInfo endpoint where it leaves the role
        out."""
        token = tokens.get("id_token")
        if not isinstance(token, str):
            raise NotAuthorized("the identity provider gave no ID token", authenticated=False)
        client_id, algorithms = self._client.client_id, self._client.algorithms
        needed = ("sub", "iat", "nonce")
        claims = verified(token, self._provider, audience=client_id, algorithms=algorithms, needed=needed)
        if not hmac.compare_digest(str(claims["nonce"]).encode(), begun.nonce.encode()):
            raise NotAuthorized(_AGAIN)
        is_shared = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", "" if is_shared else client_id) != client_id:
            raise NotAuthorized("the token is for somebody else", authenticated=False)
        if has(claims, self._claims.role):
            return claims
        return {**self._user_info(tokens, claims["sub"]), **claims}

    def _user_info(self, tokens: Mapping[str, Any], subject: str) -> Mapping[str, Any]:
        url, token = self._provider.optional("userinfo_endpoint"), tokens.get("access_token")
        if not url or not isinstance(token, str):
            return {}
        found = self._provider.ask("GET", url, headers={"Authorization": f"Bearer {token}"})
        if found.get("sub") != subject:  # OpenID Connect Core 1.0 5.3.2
            raise NotAuthorized("the identity provider speaks of somebody else", authenticated=False)
        return found


def _with(url: str, asked: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(asked)}"

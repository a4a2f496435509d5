"""Signed tokens: only those that the issuer signed, for us, now; and whom they make somebody."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from tests.security.issuers import AUDIENCE, EC, ED, OTHER_RSA, RSA, Issuer, issuing, part, public
from tests.security.trails import Kept
from vna.model.access import Action, ActorKind, Role
from vna.model.errors import NotAuthorized, Unavailable
from vna.security.accounts import Accounts
from vna.security.bearer import Bearer, TokenRules
from vna.security.claims import ClaimRules
from vna.security.login_trail import LoginTrail
from vna.security.provider import Provider, ProviderRules, is_safe

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture
def issuer(running: Issuer) -> Issuer:
    running.__init__(url=running.url)  # type: ignore[misc]  # as new
    return running


@pytest.fixture
def kept() -> Kept:
    return Kept()


def bearer_of(issuer: Issuer, kept: Kept | None = None, claims: ClaimRules | None = None, **rules: float) -> Bearer:
    class NoAccounts(Accounts):
        def __init__(self) -> None:
            pass

        def authenticate_token(self, secret: str, address: str) -> Any:
            raise NotAuthorized("the token is not known", authenticated=False)

    provider = Provider(ProviderRules(issuer.url, **rules))
    taken = TokenRules(provider, AUDIENCE, ALGORITHMS, claims or ClaimRules())
    return Bearer(NoAccounts(), taken, LoginTrail(kept or Kept()))


@pytest.mark.parametrize(
    ("key", "alg", "jwk"),
    [
        (RSA, "RS256", public(RSA, kid="one")),
        (RSA, "PS256", public(RSA, kid="one", alg="PS256", use="sig")),
        (EC, "ES256", public(EC, kid="one")),
        (ED, "EdDSA", public(ED, kid="one")),
    ],
)
def test_a_token_that_the_issuer_signed_is_an_actor(issuer: Issuer, key: Any, alg: str, jwk: dict[str, Any]) -> None:
    issuer.keys = [public(OTHER_RSA, kid="other"), jwk]
    token = issuer.token(key, alg)
    actor = bearer_of(issuer)(token, "10.0.0.1")
    assert (actor.kind, actor.name, actor.address) == (ActorKind.TOKEN, "oidc/4711", "10.0.0.1")
    assert (actor.role, actor.facility, actor.person) == (Role.CLINICIAN, "H1", "10000000146")
    assert Action.ADMIN not in actor.rights


def mac_of_the_public_key(issuer: Issuer) -> str:
    """HS256, with the public key that anybody can have as the secret (RFC 8725 2.1)."""
    body = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'one'})}.{part(issuer.claims(roles=['national-operator']))}"
    return f"{body}.{part(hmac.digest(PEM, body.encode(), hashlib.sha256))}"


def with_other_claims(issuer: Issuer) -> str:
    head, _, signature = issuer.token().split(".")
    return f"{head}.{part(issuer.claims(roles=['national-operator']))}.{signature}"


def embedded_key(issuer: Issuer) -> str:
    return issuer.token(OTHER_RSA, headers={"jwk": public(OTHER_RSA, kid="one")})


NOW = int(time.time())
BAD = {
    "forged": (lambda i: i.token(OTHER_RSA), "not signed by its issuer"),
    "other claims": (with_other_claims, "not signed by its issuer"),
    "a key of its own": (embedded_key, "not signed by its issuer"),
    "no signature": (lambda i: i.token().rpartition(".")[0] + ".", "not signed by its issuer"),
    "alg none": (lambda i: f"{part({'alg': 'none'})}.{part(i.claims())}.", "in a way that is not taken"),
    "alg NoNe": (lambda i: f"{part({'alg': 'NoNe'})}.{part(i.claims())}.", "in a way that is not taken"),
    "public key as a secret": (mac_of_the_public_key, "in a way that is not taken"),
    "alg not allowed": (lambda i: i.token(alg="RS512"), "in a way that is not taken"),
    "alg no text": (lambda i: f"{part({'alg': 1})}.{part(i.claims())}.x", "in a way that is not taken|cannot be read"),
    "alg of another key": (
        lambda i: f"{part({'alg': 'ES256', 'kid': 'one'})}.{part(i.claims())}.{part(b'x' * 64)}",
        "a key that its issuer does not have",
    ),
    "unknown key": (lambda i: i.token(headers={"kid": "two"}), "a key that its issuer does not have"),
    "expired": (lambda i: i.token(exp=NOW - 120), "has expired"),
    "no end": (lambda i: i.token(exp=None), "lacks a claim"),
    "end is no number": (lambda i: i.token(exp="tomorrow"), "cannot be read"),
    "not yet": (lambda i: i.token(nbf=NOW + 86400), "not valid yet"),
    "issued later": (lambda i: i.token(iat=NOW + 86400), "not valid yet"),
    "wrong audience": (lambda i: i.token(aud="https://other.example"), "for somebody else"),
    "no audience": (lambda i: i.token(aud=None), "lacks a claim"),
    "wrong issuer": (lambda i: i.token(iss="https://evil.example"), "of another issuer"),
    "issuer is a list": (lambda i: i.token(iss=["x"]), "of another issuer|cannot be read"),
    "no issuer": (lambda i: i.token(iss=None), "lacks a claim"),
    "nobody": (lambda i: i.token(sub=None), "lacks a claim"),
    "logout token": (lambda i: i.token(headers={"typ": "logout+jwt"}), "none to log in with"),
    "critical": (lambda i: i.token(headers={"crit": ["b64"], "b64": False}), "none to log in with|cannot be read"),
    "oversized": (lambda i: i.token(more="x" * 20_000), "longer than 16384"),
    "deep": (lambda i: f"{part(b'[' * 9000)}.{part({})}.x", "cannot be read"),
    "no JSON": (lambda i: f"{part(b'{')}.{part({})}.x", "cannot be read"),
    "no object": (lambda i: f"{part([])}.{part({})}.x", "cannot be read"),
    "no base64": (lambda i: "!.!.!", "cannot be read"),
    "empty": (lambda i: "..", "cannot be read"),
    "no letters": (lambda i: "\x00.\xff.ı", "cannot be read"),  # noqa: RUF001
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_token_is_refused_in_words_and_audited(issuer: Issuer, kept: Kept, bad: str) -> None:
    make, words = BAD[bad]
    token: str = make(issuer)  # type: ignore[no-untyped-call]
    with pytest.raises(NotAuthorized, match=words) as caught:
        bearer_of(issuer, kept)(token, "10.0.0.1")
    assert not caught.value.authenticated
    assert [(one.what, one.reason) for one in kept.records] == [("login", str(caught.value))]
    bearer_of(issuer)(issuer.token(), "10.0.0.1")


def test_a_key_that_is_short_for_encryption_or_for_another_algorithm_is_not_used(issuer: Issuer) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    short = rsa.generate_private_key(65537, 1024)
    for jwk in (public(short, kid="one"), public(RSA, kid="one", use="enc"), public(RSA, kid="one", alg="PS256")):
        issuer.keys = [jwk]
        key = short if jwk["n"] == public(short)["n"] else RSA
        with pytest.warns() if key is short else pytest.MonkeyPatch.context(), pytest.raises(NotAuthorized):
            bearer_of(issuer)(issuer.token(key), "")


def test_keys_are_asked_for_once_and_anew_for_one_that_is_not_known_but_not_for_each(issuer: Issuer) -> None:
    bearer = bearer_of(issuer, again_seconds=3600)
    for _ in range(3):
        bearer(issuer.token(), "")
    assert issuer.asked["/keys"] == 1
    for number in range(5):
        with pytest.raises(NotAuthorized):
            bearer(issuer.token(OTHER_RSA, headers={"kid": f"made up {number}"}), "")
    assert issuer.asked["/keys"] == 1


def test_a_new_key_is_taken_at_once_and_an_old_one_until_keys_are_asked_for_anew(issuer: Issuer) -> None:
    bearer = bearer_of(issuer, again_seconds=0, keys_seconds=3600)
    bearer(issuer.token(), "")
    issuer.keys = [public(OTHER_RSA, kid="two")]
    bearer(issuer.token(OTHER_RSA, headers={"kid": "two"}), "")
    with pytest.raises(NotAuthorized, match="does not have"):
        bearer(issuer.token(), "")


def test_while_the_issuer_does_not_answer_its_keys_count_for_a_while_and_then_nobody_is_let_in(issuer: Issuer) -> None:
    bearer = bearer_of(issuer, keys_seconds=0, again_seconds=0, stale_seconds=3600)
    bearer(issuer.token(), "")
    issuer.broken = True
    bearer(issuer.token(), "")
    strict = bearer_of(issuer, keys_seconds=0, again_seconds=0, stale_seconds=0)
    with pytest.raises(Unavailable):
        strict(issuer.token(), "")


@pytest.mark.parametrize(
    "says", [{"issuer": "https://evil.example"}, {"jwks_uri": "http://evil.example/keys"}, {"jwks_uri": 1}]
)
def test_an_issuer_that_names_itself_otherwise_or_keys_in_plain_text_is_none(
    issuer: Issuer, says: dict[str, Any]
) -> None:
    issuer.says = says
    with pytest.raises(Unavailable):
        bearer_of(issuer)(issuer.token(), "")


def test_a_key_set_that_is_none_lets_nobody_in(issuer: Issuer) -> None:
    for keys in ({"a": 1}, [1, "x", None], [{"kty": "RSA", "kid": "one", "n": "!", "e": "!"}], []):
        issuer.keys = keys  # type: ignore[assignment]
        with pytest.raises((NotAuthorized, Unavailable)):
            bearer_of(issuer)(issuer.token(), "")


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://id.example.org/x", True),
        ("http://127.0.0.1:9/x", True),
        ("http://localhost/x", True),
        ("http://id.example.org/x", False),
        ("http://127.0.0.1.evil.example/", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("", False),
    ],
)
def test_addresses_of_a_provider_are_under_tls_or_on_this_machine(url: str, safe: bool) -> None:
    assert is_safe(url) == safe


def test_roles_facility_and_person_come_from_the_claims_that_the_settings_name() -> None:
    rules = ClaimRules(
        name="preferred_username",
        role="realm_access.roles",
        facility="https://example.org/hospital",
        person="tckn",
        roles={"Radyolog": Role.RADIOLOGIST, "Hekim": Role.CLINICIAN},
    )
    claims = {
        "preferred_username": "dr-ali",
        "realm_access": {"roles": ["offline_access", "Hekim", "Radyolog"]},
        "https://example.org/hospital": 34001,
        "tckn": "10000000146",
    }
    actor = rules.person_of(claims, "10.0.0.1")
    assert (actor.kind, actor.name) == (ActorKind.USER, "oidc/dr-ali")
    assert (actor.role, actor.facility, actor.person) == (Role.RADIOLOGIST, "34001", "10000000146")


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "x"},
        {"sub": "x", "roles": []},
        {"sub": "x", "roles": ["admin"]},
        {"sub": "x", "roles": "Clinician"},
        {"sub": "x", "roles": {"clinician": True}},
        {"sub": "x", "roles": [["clinician"]]},
        {"roles": ["clinician"]},
        {"sub": "", "roles": ["clinician"]},
        {"sub": "a\nb", "roles": ["clinician"]},
        {"sub": "x" * 101, "roles": ["clinician"]},
        {"sub": ["x"], "roles": ["clinician"]},
        {"sub": "x", "roles": ["clinician"], "facility": {"code": "H1"}},
        {"sub": "x", "roles": ["clinician"], "national_number": "1" * 33},
        {"sub": "x", "roles": ["clinician"], "national_number": True},
        {"sub": "x", "roles": ["clinician"]},
        {"sub": "x", "roles": ["citizen"], "facility": "H1"},
        {"sub": "x", "roles": ["citizen"], "national_number": "12345678901"},
    ],
)
def test_claims_that_say_nobody_known_or_what_is_none_let_nobody_in(claims: dict[str, Any]) -> None:
    with pytest.raises(NotAuthorized):
        ClaimRules().person_of(claims, "")


def test_a_program_may_what_its_scopes_say_and_no_more_than_its_role() -> None:
    rules = ClaimRules()
    assert rules.caller_of({"sub": "x", "scope": "openid vna:query vna:fly"}, "").rights == {Action.QUERY}
    both = rules.caller_of({"sub": "x", "scope": "vna:query vna:admin", "roles": ["clinician"], "facility": "H1"}, "")
    assert both.rights == {Action.QUERY}
    assert rules.caller_of({"sub": "x", "scp": ["vna:store"]}, "").rights == {Action.STORE}
    for claims in ({"sub": "x"}, {"sub": "x", "scope": "openid"}, {"sub": "x", "scope": ["query"]}):
        with pytest.raises(NotAuthorized, match="neither a role nor a scope"):
            rules.caller_of(claims, "")


def test_a_token_of_the_archive_goes_to_its_accounts(issuer: Issuer) -> None:
    with pytest.raises(NotAuthorized, match="the token is not known"):
        bearer_of(issuer)("vna_xyz", "")
    assert not issuer.asked


def test_a_login_by_token_is_audited_once_a_minute_and_so_is_a_refusal(issuer: Issuer, kept: Kept) -> None:
    bearer, token = bearer_of(issuer, kept), issuer.token()
    for _ in range(3):
        bearer(token, "10.0.0.1")
        with pytest.raises(NotAuthorized):
            bearer(issuer.token(exp=1), "10.0.0.1")
    assert [(one.what, one.outcome.name) for one in kept.records] == [("login", "SUCCESS"), ("login", "MINOR_FAILURE")]


def test_what_signs_tokens_has_no_shared_key_among_its_ways() -> None:
    from vna.security.provider import ALGORITHMS as ALL

    assert not [name for name in ALL if name.startswith("HS") or name == "none"]
    assert set(ALL) <= set(jwt.algorithms.get_default_algorithms())

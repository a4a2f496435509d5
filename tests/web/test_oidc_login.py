"""People and programs of an OpenID provider, against the one of npm (oidc-provider)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.archives import put
from tests.objects import ct, part10
from tests.security.providers import ARCHIVE, OidcProvider, key, log_in, through_provider
from tests.web.browser_session import Browser
from tests.web.conftest import Archive, Open
from vna.model.access import Action, Role
from vna.security.browsers import SESSION

AUDIENCE = "https://vna.example.org"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    made = OidcProvider(tmp_path_factory.mktemp("provider"))
    made.start()
    yield made
    made.stop()


def opened(archive: Open, provider: OidcProvider, **more: object) -> Archive:
    made = archive(security={"mode": "enforced"}, oidc=provider.settings(**more))
    put(made.application, part10(ct(PatientName="Gizli^Hasta")))
    return made


def test_a_person_logs_in_at_the_provider_and_is_who_its_claims_say(archive: Open, provider: OidcProvider) -> None:
    made = opened(archive, provider)
    browser = Browser(made.web)
    assert "Log in with the hospital" in browser.get("/login").text
    answer = log_in(browser, "dr-ali", "/dicom-web/studies")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dicom-web/studies")
    assert browser.ask("GET", "/dicom-web/studies").status_code == 204, "of another facility"
    actor = made.application.logins.sessions.actor(browser.cookies[SESSION], "10.0.0.1")
    assert (actor.name, actor.role, actor.facility) == ("oidc/dr-ali", Role.CLINICIAN, "H1")
    assert actor.person == "10000000146"
    assert browser.ask("GET", "/api/sources").status_code == 403
    assert set(browser.cookies) == {SESSION}


def test_the_request_has_pkce_state_and_nonce_anew_each_time(archive: Open, provider: OidcProvider) -> None:
    browser = Browser(opened(archive, provider).web)
    asked = [parse_qs(urlsplit(browser.get("/login/provider").headers["location"]).query) for _ in range(2)]
    assert asked[0]["code_challenge_method"] == ["S256"]
    assert asked[0]["response_type"] == ["code"]
    assert asked[0]["redirect_uri"] == [f"{ARCHIVE}/login/callback"]
    for name in ("code_challenge", "state", "nonce"):
        assert re.fullmatch(r"[\w-]{43}", asked[0][name][0])
        assert asked[0][name] != asked[1][name]


def test_claims_come_from_the_user_info_where_the_id_token_lacks_them(
    archive: Open,
    tmp_path: Path,
) -> None:
    provider = OidcProvider(tmp_path, in_id_token=False)
    provider.start()
    try:
        browser = Browser(opened(archive, provider).web)
        assert log_in(browser, "dr-ali").status_code == 303
        assert browser.ask("GET", "/dicom-web/studies").status_code == 204
    finally:
        provider.stop()


def test_somebody_without_a_role_that_is_known_is_not_let_in(archive: Open, provider: OidcProvider) -> None:
    browser = Browser(opened(archive, provider).web)
    answer = log_in(browser, "guest")
    assert answer.status_code == 403
    assert "no role that is known here" in answer.text
    assert SESSION not in browser.cookies
    mapped = Browser(opened(archive, provider, roles={"gardener": "radiologist"}).web)
    assert log_in(mapped, "guest").status_code == 303


def test_who_is_refused_at_the_provider_is_not_let_in_here(archive: Open, provider: OidcProvider) -> None:
    browser = Browser(opened(archive, provider).web)
    answer = log_in(browser, "")
    assert answer.status_code == 401
    assert "the identity provider refused the login" in answer.text
    assert SESSION not in browser.cookies


def test_an_answer_that_is_not_to_the_login_of_this_browser_is_refused(archive: Open, provider: OidcProvider) -> None:
    made = opened(archive, provider)
    attacker, victim = Browser(made.web), Browser(made.web)
    url = attacker.get("/login/provider").headers["location"]
    back = through_provider(attacker, url, "dr-ali").removeprefix(ARCHIVE)
    assert victim.get(back).status_code == 403
    victim.get("/login/provider")
    assert victim.get(back).status_code == 403
    assert SESSION not in victim.cookies
    for changed in (
        re.sub(r"state=[^&]+", "state=x", back),
        re.sub(r"code=[^&]+", "code=x", back),
        re.sub(r"iss=[^&]+", "iss=https%3A%2F%2Fevil.example", back),
        re.sub(r"[&?]iss=[^&]+", "", back),
        re.sub(r"code=[^&]+&?", "", back),
        "/login/callback",
    ):
        begun = dict(attacker.cookies)
        assert attacker.get(changed).status_code in (401, 403), changed
        attacker.cookies = begun
    assert SESSION not in attacker.cookies


def test_a_code_is_of_use_once(archive: Open, provider: OidcProvider) -> None:
    browser = Browser(opened(archive, provider).web)
    url = browser.get("/login/provider").headers["location"]
    begun = dict(browser.cookies)
    back = through_provider(browser, url, "dr-ali").removeprefix(ARCHIVE)
    assert browser.get(back).status_code == 303
    browser.cookies = begun
    assert browser.get(back).status_code == 401


def test_logging_out_leads_to_the_provider_which_leads_back(archive: Open, provider: OidcProvider) -> None:
    browser = Browser(opened(archive, provider).web)
    log_in(browser, "dr-ali")
    policy = browser.get("/logout").headers["content-security-policy"]
    assert f"form-action 'self' {provider.issuer}" in policy
    left = urlsplit(browser.fill_in("/logout").headers["location"])
    assert f"{left.scheme}://{left.netloc}" == provider.issuer
    assert parse_qs(left.query) == {"client_id": ["vna"], "post_logout_redirect_uri": [f"{ARCHIVE}/"]}
    assert browser.ask("GET", "/dicom-web/studies").status_code == 401


def test_a_program_shows_a_token_of_the_provider(archive: Open, provider: OidcProvider) -> None:
    made = opened(archive, provider, audience=AUDIENCE)

    def asked(token: str, path: str = "/dicom-web/studies") -> int:
        return made.web.get(path, headers={"Authorization": f"Bearer {token}"}).status_code

    assert asked(provider.access_token("robot", AUDIENCE, "vna:query")) == 200
    assert asked(provider.access_token("robot", AUDIENCE, "vna:retrieve")) == 403
    assert asked(provider.access_token("robot", "https://other.example", "vna:query")) == 401
    assert asked(provider.access_token("robot", AUDIENCE)) == 403
    with_role = provider.access_token("worklist-robot", AUDIENCE)
    actor = made.application.logins.bearer(with_role, "10.0.0.1")
    assert (actor.role, actor.facility) == (Role.RADIOLOGIST, "H7")
    assert Action.QUERY in actor.rights


def test_tokens_are_taken_on_while_keys_change(archive: Open, tmp_path: Path) -> None:
    provider = OidcProvider(tmp_path)
    provider.start()
    try:
        made = opened(archive, provider, audience=AUDIENCE, keys_time=0.01)
        tokens = [provider.access_token("robot", AUDIENCE, "vna:query")]

        def asked(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return made.web.get("/dicom-web/studies", headers=headers).status_code

        assert asked(tokens[0]) == 200
        provider.stop()
        assert asked(tokens[0]) == 200
        provider.keys = [key("second"), *provider.keys]
        provider.start()
        tokens.append(provider.access_token("robot", AUDIENCE, "vna:query"))
        assert [asked(token) for token in tokens] == [200, 200]
    finally:
        provider.stop()


def test_without_a_provider_there_is_no_such_login(archive: Open) -> None:
    made = archive(security={"mode": "enforced"})
    assert "Log in with" not in made.web.get("/login").text
    assert made.web.get("/login/provider").status_code == 404
    assert made.web.get("/login/callback?code=x&state=x").status_code == 404
    bearer = {"Authorization": "Bearer a.b.c"}
    assert made.web.get("/dicom-web/studies", headers=bearer).status_code == 401


def test_a_provider_that_does_not_answer_leaves_the_other_logins(archive: Open, tmp_path: Path) -> None:
    browser = Browser(opened(archive, OidcProvider(tmp_path)).web)
    assert browser.get("/login").status_code == 200
    assert browser.get("/login/provider").status_code == 503

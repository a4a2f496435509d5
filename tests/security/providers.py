"""The OpenID provider of npm, with its clients, accounts and keys; and a browser that goes back and forth."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urljoin

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.peers.processes import Child, free_port, missing, start
from tests.web.browser_session import Browser

NODE = Path(__file__).parent / "node"
ARCHIVE = "http://127.0.0.1:8080"
SECRET = "a client's secret: with / and +%"
ACCOUNTS = {
    "dr-ali": {"roles": ["clinician"], "facility": "H1", "national_number": "10000000146"},
    "citizen": {"roles": ["citizen"], "national_number": "10000000146"},
    "guest": {"roles": ["gardener"], "facility": "H1"},
}


def key(kid: str) -> dict[str, Any]:
    """A private key as a JWK."""
    made = rsa.generate_private_key(65537, 2048)
    said = json.loads(RSAAlgorithm.to_jwk(made))
    del said["key_ops"]
    return {**said, "kid": kid, "use": "sig", "alg": "RS256"}


@dataclass(slots=True)
class OidcProvider:
    """It runs on a port of its own, also when it is started anew with other keys."""

    folder: Path
    port: int = field(default_factory=free_port)
    keys: list[dict[str, Any]] = field(default_factory=lambda: [key("first")])
    in_id_token: bool = True
    child: Child | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        found = shutil.which("node")
        if found is None or not (NODE / "node_modules").exists():
            missing("node with the packages of scripts/fetch-npm-peers")
        assert found is not None
        said = {
            "clients": [
                {
                    "client_id": "vna",
                    "client_secret": SECRET,
                    "redirect_uris": [f"{ARCHIVE}/login/callback"],
                    "post_logout_redirect_uris": [f"{ARCHIVE}/"],
                },
                *(
                    {
                        "client_id": name,
                        "client_secret": SECRET,
                        "grant_types": ["client_credentials"],
                        "redirect_uris": [],
                        "response_types": [],
                    }
                    for name in ("robot", "worklist-robot")
                ),
            ],
            "jwks": {"keys": self.keys},
            "accounts": ACCOUNTS,
            "inIdToken": self.in_id_token,
        }
        settings = self.folder / "provider.json"
        settings.write_text(json.dumps(said))
        self.child = start([found, NODE / "provider.mjs", str(self.port), settings], log=self.folder / "provider.log")
        child = self.child
        child.wait_until(lambda: child.output().rstrip().endswith("listening") or "listening" in child.output())
        child.wait_until_port(self.port)

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
            self.child = None

    def settings(self, **more: Any) -> dict[str, Any]:
        """Of an archive that knows it."""
        return {"issuer": self.issuer, "client_id": "vna", "client_secret": SECRET, "name": "the hospital", **more}

    def access_token(self, client: str, resource: str, scope: str = "") -> str:
        """Of a program, by its own credentials (RFC 6749 4.4)."""
        form = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
        auth = (client, quote_plus(SECRET))
        answer = httpx.post(f"{self.issuer}/token", data={n: v for n, v in form.items() if v}, auth=auth)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


def through_provider(browser: Browser, url: str, account: str) -> str:
    """Follow the provider's pages as this account, until it leads back to the archive; that address."""
    with httpx.Client(headers={"X-Account": account} if account else {}) as client:
        for _ in range(10):
            answer = client.get(url)
            assert answer.status_code in (302, 303), answer.text
            url = urljoin(url, answer.headers["location"])
            if url.startswith(browser.origin):
                return url
    raise AssertionError(url)


def log_in(browser: Browser, account: str, wanted: str = "/") -> httpx.Response:
    """From the login page to the provider and back."""
    begun = browser.get(f"/login/provider?next={wanted}")
    assert begun.status_code == 303, begun.text
    back = through_provider(browser, begun.headers["location"], account)
    return browser.get(back.removeprefix(browser.origin))

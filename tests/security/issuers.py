"""An issuer of signed tokens in this process, whose keys and words a test changes; tokens as attackers make them."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
AUDIENCE = "https://vna.example.org"


def public(key: Any, **more: str) -> dict[str, Any]:
    """A key as a JWK."""
    kinds: tuple[tuple[type, Any], ...] = (
        (rsa.RSAPrivateKey, RSAAlgorithm),
        (ec.EllipticCurvePrivateKey, ECAlgorithm),
        (ed25519.Ed25519PrivateKey, OKPAlgorithm),
    )
    kind = next(algorithm for of, algorithm in kinds if isinstance(key, of))
    return {**json.loads(kind.to_jwk(key.public_key())), **more}


@dataclass
class Issuer:
    """What it serves, and how often it was asked for it."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [public(RSA, kid="one")])
    says: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    broken: bool = False

    def answer(self, path: str) -> tuple[int, bytes]:
        self.asked[path] = self.asked.get(path, 0) + 1
        if self.broken:
            return 500, b""
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.says}).encode()
        return 200, json.dumps({"keys": self.keys}).encode()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a token that is good; None takes one away."""
        now = int(time.time())
        who = {"sub": "4711", "roles": ["clinician"], "facility": "H1", "national_number": "10000000146"}
        good = {"iss": self.url, "aud": AUDIENCE, "iat": now, "exp": now + 300, **who}
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def token(self, key: Any = RSA, alg: str = "RS256", headers: dict[str, Any] | None = None, **changes: Any) -> str:
        said = json.dumps(self.claims(**changes)).encode()
        return jwt.PyJWS().encode(said, key, alg, headers={"typ": "JWT", "kid": "one", **(headers or {})})


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer on a free port of loopback."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = issuer.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")

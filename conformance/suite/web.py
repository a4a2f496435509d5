"""The suite as an HTTP client: requests by httpx, each of them evidence."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import httpx

from conformance.suite.check import Failed
from conformance.suite.evidence import shown_fields

if TYPE_CHECKING:
    from conformance.suite.session import Session
    from conformance.suite.targets import Certificates


class Web:
    """Requests to any address; a server that does not answer is Failed. No check has the cookies of another."""

    def __init__(self, session: Session) -> None:
        self._session = session
        caller = session.caller
        headers = {"Authorization": f"Bearer {caller.token}"} if caller.token else {}
        self._client = httpx.Client(
            timeout=caller.timeout,
            auth=(caller.user, caller.password) if caller.user else None,
            headers={"User-Agent": "vna-conformance", "Accept": "*/*", **headers},
            verify=context(caller.tls),
            follow_redirects=False,
        )

    def ask(self, method: str, url: str, *, content: bytes = b"", **options: Any) -> httpx.Response:
        """One request with these `params` and `headers`, and its whole answer."""
        request = self._client.build_request(method, url, content=content or None, **options)
        keep = self._session.evidence
        keep.sent(f"{method} {request.url}", f"{shown_fields(request.headers)}\n\n{_body(request.content)}")
        try:
            response = self._client.send(request)
            self._client.cookies.clear()
        except httpx.HTTPError as exc:
            keep.came("nothing", f"{type(exc).__name__}: {exc}")
            raise Failed(f"no answer to {method} {request.url.path}: {str(exc) or type(exc).__name__}") from exc
        status = f"{response.status_code} {response.reason_phrase}"
        keep.came(status, f"{shown_fields(response.headers)}\n\n{_body(response.content)}")
        return response

    def get(self, url: str, **options: Any) -> httpx.Response:
        """A GET."""
        return self.ask("GET", url, **options)

    def post(self, url: str, content: bytes, **options: Any) -> httpx.Response:
        """A POST."""
        return self.ask("POST", url, content=content, **options)

    def close(self) -> None:
        """End its connections."""
        self._client.close()


def _body(content: bytes) -> str:
    from conformance.suite.evidence import shown

    return shown(content) if content else ""


def context(files: Certificates) -> ssl.SSLContext:
    """TLS as a client by BCP 195, with our certificate where there is one."""
    made = ssl.create_default_context(cafile=str(files.ca) if files.ca else None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate is not None:
        made.load_cert_chain(files.certificate, files.key)
    return made

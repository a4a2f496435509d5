"""A time stamp authority over HTTP (RFC 3161 3.4)."""

from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from vna.audit.authority import Stamp
from vna.audit.der import canonical
from vna.model.errors import Damaged, Unavailable

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_QUERY = "application/timestamp-query"
_REPLY = "application/timestamp-reply"
_SECONDS = 10.0
_LONGEST = 1 << 20


class HttpAuthority:
    """Asks an authority at an address; stamps are checked against certificates that we were given, and no others."""

    def __init__(self, url: str, certificates: Path | None) -> None:
        """`certificates` are those of roots and, where stamps leave them out, of the authority (PEM)."""
        self._url = url
        self._certificates = certificates

    def stamp(self, digest: bytes) -> bytes:
        """A response that was checked: one that nobody could verify later is none."""
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

        request = TimestampRequestBuilder().data(digest).hash_algorithm(HashAlgorithm.SHA256).build()
        token = self._asked(request.as_bytes())
        try:
            self.check(token, digest)
        except Damaged as exc:
            raise Unavailable(f"the time stamp authority gave no time stamp: {exc}") from exc
        return token

    def _asked(self, request: bytes) -> bytes:
        try:
            with httpx.stream(
                "POST", self._url, content=request, headers={"Content-Type": _QUERY, "Accept": _REPLY}, timeout=_SECONDS
            ) as answer:
                answer.raise_for_status()
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > _LONGEST:
                        raise Unavailable("the time stamp authority answers without end")
                return body
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise Unavailable(f"the time stamp authority does not answer: {type(exc).__name__}") from exc

    def check(self, token: bytes, digest: bytes) -> Stamp:
        """Signature, certificates as of the time of the stamp, and what it is over."""
        from cryptography.x509 import load_pem_x509_certificates
        from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

        if self._certificates is None:
            raise Damaged("no certificate of an authority is given to check it with")
        try:
            pem = self._certificates.read_bytes()
            given = load_pem_x509_certificates(pem)
        except (OSError, ValueError) as exc:
            raise Unavailable(f"{self._certificates} cannot be read as certificates (PEM)") from exc
        try:
            response = decode_timestamp_response(canonical(token))
            builder = VerifierBuilder(
                roots=[one for one in given if _is_root(one)],
                intermediates=[one for one in given if not _is_root(one)],
            )
            builder.build().verify_message(response, digest)
        except (VerificationError, ValueError) as exc:
            raise Damaged(f"the time stamp does not hold: {exc}") from exc
        info = response.tst_info
        return Stamp(info.gen_time, str(info.serial_number))


def _is_root(certificate: "Certificate") -> bool:
    return certificate.issuer == certificate.subject

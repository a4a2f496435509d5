"""Certificates: what is in a file or was shown (RFC 5280), and how people name the one that they mean."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from vna.model.certificates import Certificate, is_fingerprint
from vna.model.errors import BadRequest, Unavailable

_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Validity:
    """Whose certificate it is (RFC 4514), and until when it is good."""

    subject: str
    ends: datetime

    def days(self, now: datetime) -> float:
        """Days until then, negative afterwards."""
        return (self.ends - now).total_seconds() / 86_400


@lru_cache(maxsize=1024)
def shown(der: bytes) -> Certificate:
    """A certificate as TLS gives it. BadRequest when it cannot be read."""
    try:
        subject = x509.load_der_x509_certificate(der).subject.rfc4514_string()
    except ValueError as exc:
        raise BadRequest("the certificate cannot be read") from exc
    return Certificate(hashlib.sha256(der).hexdigest(), subject)


def in_file(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file, in its order; Unavailable names the file that has none."""
    try:
        with path.open("rb") as file:
            return tuple(x509.load_pem_x509_certificates(file.read(_MOST_BYTES)))
    except OSError as exc:
        raise Unavailable(f"{path} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise Unavailable(f"{path} holds no certificate (PEM)") from exc


def validity(certificate: x509.Certificate) -> Validity:
    """Until when it is good."""
    ends = certificate.not_valid_after_utc
    return Validity(certificate.subject.rfc4514_string(), ends.astimezone(UTC))


def expected(text: str) -> str:
    """What somebody says of a certificate in the form in which it is kept: the SHA-256 of it (as openssl prints it,
    too), its subject, or a PEM file with it. BadRequest for anything else."""
    bare = text.strip().replace(":", "").lower()
    if is_fingerprint(bare):
        return bare
    if "=" in text:
        return _subject(text.strip())
    try:
        (first, *_) = in_file(Path(text))
    except Unavailable as exc:
        raise BadRequest(
            "a certificate is named by its SHA-256 (64 hexadecimal digits), its subject (CN=...), or a PEM file: "
            f"{text} is none"
        ) from exc
    return shown(first.public_bytes(Encoding.DER)).fingerprint


def _subject(text: str) -> str:
    try:
        return x509.Name.from_rfc4514_string(text).rfc4514_string()
    except ValueError as exc:
        raise BadRequest(f"{text} is no subject (RFC 4514), which looks like CN=CT1,O=City Hospital") from exc

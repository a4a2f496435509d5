"""TLS for doors that speak it themselves, and for what they call (PS3.15 B.12: BCP 195, which is RFC 8996 and RFC
9325).

Nothing older than 1.2 (RFC 9325 3.1.1), 1.3 where both sides have it, of the suites of 1.2 those with forward secrecy
and authenticated encryption (RFC 9325 4.2).
"""

import ssl
from pathlib import Path
from typing import Final

from vna.model.errors import Unavailable

SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2, in the words of OpenSSL; those of 1.3 are all of them good."""
HANDSHAKE: Final = b"\x16"
"""How TLS begins (RFC 8446 5.1)."""


def server_context(certificate: Path, key: Path | None, ca: Path | None, *, client_certificate: bool) -> ssl.SSLContext:
    """For a listener. With `ca` a client may show a certificate, which has to be signed by one of those; with
    `client_certificate` it has to.

    Unavailable names the file that is no use.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context)
    _load(context, certificate, key)
    if ca is not None:
        _trust(context, ca)
        context.verify_mode = ssl.CERT_REQUIRED if client_certificate else ssl.CERT_OPTIONAL
    return context


def client_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """For a client: the listener's certificate is checked against `ca`, else against what the machine trusts.

    Unavailable names the file that is no use.
    """
    context = ssl.create_default_context()
    if ca is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _trust(context, ca)
    _restrict(context)
    if certificate is not None:
        _load(context, certificate, key)
    return context


def reason_of(error: OSError | TimeoutError) -> str:
    """What went wrong with a connection, without OpenSSL's places in its own code."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "the handshake failed").replace("_", " ").lower()
    return error.strerror or str(error) or type(error).__name__


def _restrict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)


def _load(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    try:
        context.load_cert_chain(certificate, key, password="")  # one with a password fails instead of asking for it
    except (OSError, ssl.SSLError) as exc:
        files = f"{certificate} and {key}" if key is not None else str(certificate)
        raise Unavailable(f"{files} cannot be used as certificate and key: {_reason(exc)}") from exc


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as exc:
        raise Unavailable(f"{ca} cannot be used as certificates to trust: {_reason(exc)}") from exc


def _reason(exc: OSError) -> str:
    return str(getattr(exc, "reason", None) or exc.strerror or exc)

"""TLS for doors that speak it themselves: nothing older than 1.2 (RFC 9325 3.1.1)."""

import ssl
from pathlib import Path

from vna.model.errors import Unavailable


def server_context(certificate: Path, key: Path | None, ca: Path | None, *, client_certificate: bool) -> ssl.SSLContext:
    """For a listener. With `client_certificate` only those get in who show one that `ca` signed.

    Unavailable names the file that is no use.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, certificate, key)
    if ca is not None:
        _trust(context, ca)
    context.verify_mode = ssl.CERT_REQUIRED if client_certificate else ssl.CERT_NONE
    return context


def client_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """For a client: the listener's certificate is checked against `ca`, else against what the machine trusts.

    Unavailable names the file that is no use.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _trust(context, ca)
    if certificate is not None:
        _load(context, certificate, key)
    return context


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

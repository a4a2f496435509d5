"""TLS as a client that the suite speaks it: by BCP 195, or as it should not be spoken."""

from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from conformance.suite.check import Failed
from conformance.suite.targets import Place

if TYPE_CHECKING:
    from conformance.suite.session import Session


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A port that is said to speak TLS; `first` is what a client that does not speak it would send there."""

    name: str
    place: Place
    first: bytes


def endpoint(session: Session, name: str) -> Endpoint | None:
    """One of `dimse`, `http` and `hl7`; None where it was not named."""
    targets = session.targets
    if name == "dimse" and targets.tls_dimse is not None:
        there = targets.tls_dimse
        return Endpoint(name, Place(there.host, there.port), b"\x01\x00\x00\x00\x00\xcd\x00\x01")
    if name == "http" and targets.tls_http:
        parts = urlsplit(targets.tls_http)
        there_too = Place(parts.hostname or "", parts.port or 443)
        return Endpoint(name, there_too, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    if name == "hl7" and targets.tls_hl7 is not None:
        return Endpoint(name, targets.tls_hl7, b"\x0bMSH|^~\\&|A|B|C|D|20260101||ADT^A04|1|P|2.3.1\r\x1c\r")
    return None


def trusting(session: Session, *, certificate: bool = True) -> ssl.SSLContext:
    """A client by BCP 195 that checks the server's certificate; without our own where `certificate` is False."""
    files = session.caller.tls
    made = ssl.create_default_context(cafile=str(files.ca) if files.ca else None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate and files.certificate is not None:
        made.load_cert_chain(files.certificate, files.key)
    return made


def only(session: Session, version: ssl.TLSVersion, ciphers: str = "") -> ssl.SSLContext:
    """A client that speaks one version, old ones too, and shows our certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    files = session.caller.tls
    if files.certificate is not None:
        made.load_cert_chain(files.certificate, files.key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.minimum_version = made.maximum_version = version
    made.set_ciphers(ciphers or "ALL:@SECLEVEL=0")
    return made


@contextmanager
def connected(session: Session, there: Endpoint, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """A connection after its handshake; what goes wrong in it is raised as it is."""
    place = there.place
    session.evidence.sent(
        f"ClientHello to {place}", f"{context.minimum_version.name} to {context.maximum_version.name}"
    )
    try:
        plain = socket.create_connection((place.host, place.port), timeout=session.caller.timeout)
    except OSError as exc:
        raise Failed(f"no connection to {place}: {exc}") from exc
    with plain:
        try:
            secured = context.wrap_socket(plain, server_hostname=place.host)
        except (ssl.SSLError, OSError) as exc:
            session.evidence.came("no handshake", str(exc))
            raise
        with secured:
            session.evidence.came("a handshake", f"{secured.version()}, {(secured.cipher() or ('?',))[0]}")
            yield secured


def answers(session: Session, there: Endpoint, secured: ssl.SSLSocket) -> bool:
    """Whether anything but an alert or the end comes back for a request: in TLS 1.3 a client that is refused for want
    of a certificate learns it only then."""
    secured.settimeout(min(5.0, session.caller.timeout))
    try:
        secured.sendall(there.first)
        return bool(secured.recv(1))
    except TimeoutError:
        return True
    except OSError as exc:
        session.evidence.came("the end", str(exc))
        return False

"""TLS of every door (RFC 9325, which is BCP 195; PS3.15 B.9, B.12)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Final

from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.dicom import VERIFICATION, offer
from conformance.suite.messages import new_order, order_message
from conformance.suite.mllp import Connection
from conformance.suite.secure import Endpoint, answers, connected, endpoint, only, trusting
from conformance.suite.session import Session

Claim = Callable[[Session, Endpoint], None]


def modern(session: Session, there: Endpoint) -> None:
    """A handshake of a client by BCP 195, with a certificate that it can check."""
    try:
        with connected(session, there, trusting(session)) as secured:
            version = secured.version()
    except ssl.SSLCertVerificationError as exc:
        raise Failed(f"the server's certificate does not stand up: {exc.verify_message}") from exc
    except (ssl.SSLError, OSError) as exc:
        raise Failed(f"there is no handshake: {exc}") from exc
    if version not in ("TLSv1.2", "TLSv1.3"):
        raise Failed(f"{version} was agreed on")


def refused(context: ssl.SSLContext, what: str, session: Session, there: Endpoint) -> None:
    """Failed where a handshake that must not be has an end."""
    try:
        with connected(session, there, context) as secured:
            raise Failed(f"{what} is accepted ({secured.version()}, {(secured.cipher() or ('?',))[0]})")
    except OSError:
        return


def old_versions(session: Session, there: Endpoint) -> None:
    """TLS 1.0 and 1.1."""
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        refused(only(session, version), version.name, session, there)


def weak_ciphers(session: Session, there: Endpoint) -> None:
    """Suites without encryption or without authentication, and those of the past."""
    for ciphers in ("NULL:@SECLEVEL=0", "aNULL:@SECLEVEL=0", "RC4:3DES:@SECLEVEL=0"):
        try:
            context = only(session, ssl.TLSVersion.TLSv1_2, ciphers)
        except ssl.SSLError:
            session.evidence.note(f"The suite's own library has none of {ciphers.partition(':@')[0]}")
            continue
        refused(context, ciphers.partition(":@")[0], session, there)


def plain(session: Session, there: Endpoint) -> None:
    """Plain text to the port is not answered as if it were TLS."""
    session.evidence.sent(f"plain text to {there.place}", there.first)
    try:
        with socket.create_connection((there.place.host, there.place.port), timeout=session.caller.timeout) as line:
            line.settimeout(min(5.0, session.caller.timeout))
            line.sendall(there.first)
            came = line.recv(4096)
    except TimeoutError:
        came = b""
    except OSError as exc:
        session.evidence.came("the end", str(exc))
        return
    session.evidence.came("bytes", came)
    told_so = there.name == "http" and came.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    if came and came[:1] != b"\x15" and not told_so:
        raise Failed("plain text is answered")


def certificate_wanted(session: Session, there: Endpoint) -> None:
    """Mutual authentication: without a certificate nothing is served."""
    if session.caller.tls.certificate is None:
        raise NotApplicable("--tls-certificate is not named: whether the server wants one is not looked at")
    try:
        with connected(session, there, trusting(session, certificate=False)) as secured:
            if answers(session, there, secured):
                raise NotApplicable("the server does not want a certificate of its clients")
    except OSError:
        return


def works(session: Session, there: Endpoint) -> None:
    """What the door is for is done over TLS."""
    context = trusting(session)
    if there.name == "dimse":
        with session.dicom.open(offer(VERIFICATION), tls=context, where=session.targets.tls_dimse) as peer:
            if peer.echo().Status != 0x0000:
                raise Failed("C-ECHO is not answered with Success")
    elif there.name == "http":
        status = session.web.get(f"{session.targets.tls_http}/").status_code
        if status >= 500:
            raise Failed(f"the answer is {status}")
    else:
        with Connection(session, context, session.targets.tls_hl7) as connection:
            told = connection.ask(order_message(session, new_order(session, 41)))
        if not told.code:
            raise Failed("the answer has no MSA-1")


def strict_transport(session: Session, _: Endpoint) -> None:
    """HTTPS says that it wants to stay so."""
    answer = session.web.get(f"{session.targets.tls_http}/")
    if "max-age=" not in answer.headers.get("Strict-Transport-Security", ""):
        raise Failed("there is no Strict-Transport-Security field (RFC 6797 6.1)")


CLAIMS: Final[tuple[tuple[str, str, str, Claim], ...]] = (
    ("handshake", "RFC 9325 3.1.1", "TLS 1.2 or 1.3 is spoken, with a certificate that stands up", modern),
    ("works", "PS3.15 B.12", "what it is for is served over TLS", works),
    ("old-versions", "RFC 9325 3.1.1", "TLS 1.0 and 1.1 are refused", old_versions),
    ("ciphers", "RFC 9325 4.1", "cipher suites without encryption or authentication, RC4 and 3DES are refused",
     weak_ciphers),
    ("plain", "RFC 9325 3.2", "plain text is not answered", plain),
    ("client-certificate", "PS3.15 B.12", "without a client certificate nothing is served, where one is wanted",
     certificate_wanted),
)  # fmt: skip

DOORS: Final = {"dimse": "DICOM", "http": "HTTPS", "hl7": "MLLP"}


def on_door(name: str, claim: Claim, session: Session) -> None:
    """A claim about one door, where that was named."""
    there = endpoint(session, name)
    if there is None:
        raise NotApplicable(f"--tls-{name} is not named")
    claim(session, there)


for _door, _says in DOORS.items():
    for _id, _clause, _title, _claim in CLAIMS:
        check(f"tls.{_door}.{_id}", _clause, f"{_says}: {_title}", Target.TLS, covers=(f"TLS {_says}",))(
            partial(on_door, _door, _claim)
        )

check("tls.http.strict-transport", "RFC 6797 6.1", "HTTPS: browsers are told to stay with it", Target.TLS)(
    partial(on_door, "http", strict_transport)
)

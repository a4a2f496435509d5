"""The checks of TLS tell a listener by BCP 195 from one that is not."""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.checks import every
from conformance.suite.run import Outcome, run
from conformance.suite.session import Session
from conformance.suite.targets import Caller, Certificates, Place, Targets
from tests.hl7 import certificates
from tests.hl7.certificates import Pair
from vna.security.tls import server_context

CHECKS = ("handshake", "old-versions", "ciphers", "plain", "client-certificate")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return certificates.make(tmp_path_factory.mktemp("tls"), "server")


@contextmanager
def listening(context: ssl.SSLContext | None) -> Iterator[Place]:
    """Answers whatever comes with its own bytes."""
    stop = threading.Event()

    def serve(listener: socket.socket) -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
                connection.settimeout(5)
                with connection if context is None else context.wrap_socket(connection, server_side=True) as line:
                    while piece := line.recv(4096):
                        line.sendall(piece)
            except OSError:
                continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield Place("127.0.0.1", listener.getsockname()[1])
        stop.set()
        thread.join(10)


def outcomes(context: ssl.SSLContext | None, pair: Pair, trusted: Path | None = None) -> dict[str, Outcome]:
    files = Certificates(trusted or pair.certificate, pair.certificate, pair.key)
    with listening(context) as place:
        session = Session(Targets(tls_hl7=place), Caller(timeout=3, tls=files))
        report = run(every(*(f"tls.hl7.{name}" for name in CHECKS)), session)
    return {one.check.id.rpartition(".")[2]: one.outcome for one in report.results}


def good(pair: Pair, *, client_certificate: bool = True) -> ssl.SSLContext:
    return server_context(pair.certificate, pair.key, pair.certificate, client_certificate=client_certificate)


def weak(pair: Pair) -> ssl.SSLContext:
    context = good(pair)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:NULL:aNULL:@SECLEVEL=0")
    return context


def test_our_context_passes(pair: Pair) -> None:
    assert outcomes(good(pair), pair) == dict.fromkeys(CHECKS, Outcome.PASSED)


def test_old_versions_and_weak_suites_are_found(pair: Pair) -> None:
    found = outcomes(weak(pair), pair)
    assert (found["old-versions"], found["ciphers"]) == (Outcome.FAILED, Outcome.FAILED)
    assert found["handshake"] is Outcome.PASSED


def test_a_certificate_of_another_authority_is_found(pair: Pair, tmp_path: Path) -> None:
    other = certificates.make(tmp_path, "other")
    assert outcomes(good(pair), pair, other.certificate)["handshake"] is Outcome.FAILED


def test_a_server_that_wants_no_certificate_is_not_taken_for_one_that_does(pair: Pair) -> None:
    found = outcomes(good(pair, client_certificate=False), pair)
    assert found["client-certificate"] is Outcome.NOT_APPLICABLE


def test_a_port_that_speaks_no_tls_fails(pair: Pair) -> None:
    found = outcomes(None, pair)
    assert (found["handshake"], found["plain"]) == (Outcome.FAILED, Outcome.FAILED)

"""Syslog to a repository: over mutual TLS and UDP; what is known to have arrived."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime

import pytest

from tests.audit.repositories import BOM, DOCTOR, US, over_tls
from tests.hl7.certificates import Pair
from tests.peers.processes import wait_for
from tests.peers.rsyslog import Rsyslog
from vna.audit.message import message
from vna.audit.syslog import TlsRepository, syslog_message
from vna.model.audit import AuditKind, AuditRecord
from vna.model.errors import Unavailable
from vna.security.tls import client_context, server_context


def test_messages_arrive_over_mutual_tls_in_their_order_and_from_those_alone_who_are_known(
    server: Rsyslog, pairs: dict[str, Pair]
) -> None:
    at = datetime(2026, 11, 30, 12, 0, 0, 5_000, UTC)
    sent = [syslog_message(b"<a>%d</a>" % number, at, host="vna.example.org", process="4711") for number in range(1200)]
    with pytest.raises(Unavailable):
        over_tls(server.port, pairs, "stranger").send(sent)
    over_tls(server.port, pairs).send(sent)
    lines = server.wait_for_lines(1200)
    head = f"85 1 vna.example.org vna 4711 IHE+RFC-3881 {BOM}"
    assert lines == [f"{head}<a>{number}</a>" for number in range(1200)]


def test_a_repository_that_we_do_not_trust_gets_nothing(server: Rsyslog, pairs: dict[str, Pair]) -> None:
    pair = pairs["vna"]
    repository = TlsRepository(
        "127.0.0.1", server.port, lambda: client_context(pair.certificate, pair.certificate, pair.key)
    )
    with pytest.raises(Unavailable, match="self-signed"):
        repository.send([b"x"])
    assert server.lines() == []


class Ending:
    """A server that ends the connection when it has read some bytes, before the sender has ended."""

    def __init__(self, pair: Pair, reads: int) -> None:
        self._context = server_context(pair.certificate, pair.key, None, client_certificate=False)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._reads = reads
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with (
            self._listener,
            self._listener.accept()[0] as plain,
            self._context.wrap_socket(plain, server_side=True) as secured,
        ):
            left = self._reads
            while left > 0:
                left -= len(secured.recv(left))


@pytest.mark.parametrize("reads", [0, 100, 100_000])
def test_a_connection_that_ends_before_everything_was_read_has_sent_nothing(pairs: dict[str, Pair], reads: int) -> None:
    server = Ending(pairs["repository"], reads)
    repository = TlsRepository(
        "127.0.0.1", server.port, lambda: client_context(pairs["repository"].certificate, None, None)
    )
    with pytest.raises(Unavailable):
        repository.send([b"<a/>" * 1000] * 1000)


def test_a_repository_that_waits_for_us_to_end_has_read_everything(pairs: dict[str, Pair]) -> None:
    read: list[bytes] = []
    context = server_context(pairs["repository"].certificate, pairs["repository"].key, None, client_certificate=False)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as secured:
            while piece := secured.recv(1 << 16):
                read.append(piece)
            secured.unwrap().recv(1)  # until the connection ends

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    trusted = pairs["repository"].certificate
    TlsRepository("127.0.0.1", listener.getsockname()[1], lambda: client_context(trusted, None, None)).send(
        [b"a", b"bb"]
    )
    wait_for(lambda: not thread.is_alive(), what="the server")
    assert b"".join(read) == b"1 a2 bb"


def test_a_header_has_what_rfc_5424_allows() -> None:
    at = datetime(2026, 11, 30, 12, 0, 0, 5_000, UTC)
    made = syslog_message(b"<a/>", at, host="kötü ad", process="")
    assert made == b"<85>1 2026-11-30T12:00:00.005Z ktad vna - IHE+RFC-3881 - \xef\xbb\xbf<a/>"
    one = AuditRecord(AuditKind.LOGIN, "login", DOCTOR, at, reason="two\nlines")
    assert b"\n" not in message(one, US)

"""Sends are whole and bounded in time, with and without TLS."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.upper_layer.handlers import StoreAnswer, StoreCommand
from dimse.upper_layer.inprocess import listening
from dimse.upper_layer.request import ProposedContext, open_association
from dimse.upper_layer.send import send_store
from dimse.upper_layer.server import Server
from dimse.upper_layer.wire import SendTimeout, Stalled, WakeUp, batches, make_wire, remainder
from tests.dimse.upper_layer.harness import CT, EXPLICIT, QUICK, MemoryStore, eventually, profile, raw_peer
from tests.peers.dcmtk import Dcmtk
from vna.model.errors import Unavailable
from vna.security.certificates import shown


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    return ours, theirs


def test_a_peer_that_takes_nothing_ends_a_send() -> None:
    ours, theirs = tcp_pair()
    wire = make_wire(ours, send_timeout=0.3)
    started = time.monotonic()
    with theirs, pytest.raises(SendTimeout):
        wire.send([bytes(64 << 20)])
    wire.close()
    assert time.monotonic() - started < 5


def test_a_peer_that_takes_little_at_a_time_gets_everything() -> None:
    ours, theirs = tcp_pair()
    wire = make_wire(ours, send_timeout=5)
    pieces = [bytes([n % 256]) * 1000 for n in range(2000)]
    received = bytearray()

    def read() -> None:
        while piece := theirs.recv(5000):
            received.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    wire.send(pieces)
    wire.close()
    reader.join()
    theirs.close()
    assert received == b"".join(pieces)


def test_what_several_threads_send_is_not_mixed() -> None:
    ours, theirs = tcp_pair()
    wire = make_wire(ours, send_timeout=5)
    messages = [[bytes([mark]) * 9000, bytes([mark]) * 1000] for mark in range(1, 20)]
    threads = [threading.Thread(target=wire.send, args=(message,)) for message in messages]
    for thread in threads:
        thread.start()
    received = b""
    while len(received) < 190_000:
        received += theirs.recv(100_000)
    for thread in threads:
        thread.join()
    wire.close()
    theirs.close()
    assert all(len(set(received[start : start + 10_000])) == 1 for start in range(0, 190_000, 10_000))


def test_a_silent_peer_stalls_a_receive_for_a_tick_only() -> None:
    ours, theirs = tcp_pair()
    wire = make_wire(ours, send_timeout=5)
    started = time.monotonic()
    with theirs, pytest.raises(Stalled):
        wire.receive_into(memoryview(bytearray(100)))
    wire.close()
    assert 0.2 < time.monotonic() - started < 1


def test_a_wake_up_ends_a_wait_and_is_harmless_after_close() -> None:
    wake_up = WakeUp()
    wake_up.wake()
    wake_up.open()
    assert not wake_up.wait(None, 5)
    threading.Timer(0.05, wake_up.wake).start()
    started = time.monotonic()
    assert not wake_up.wait(None, 5)
    assert time.monotonic() - started < 2
    wake_up.close()
    wake_up.wake()


@given(st.lists(st.binary(max_size=100)), st.integers(0, 500))
def test_a_remainder_is_what_was_not_sent(buffers: list[bytes], sent: int) -> None:
    assert b"".join(map(bytes, remainder(buffers, sent))) == b"".join(buffers)[sent:]


@given(st.lists(st.binary(max_size=100)), st.integers(4, 50))
def test_batches_are_the_same_bytes(buffers: list[bytes], size: int) -> None:
    assert b"".join(map(bytes, batches(buffers, size))) == b"".join(buffers)


@dataclass
class Certificates:
    key: Path
    certificate: Path
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """One self-signed certificate for both sides, each of which asks for the other's."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    options = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *options], check=True, capture_output=True)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=certificate)
    for context in (server, client):
        context.load_cert_chain(certificate, key)
    return Certificates(key, certificate, server, client)


def test_instances_of_any_size_go_through_tls(certificates: Certificates) -> None:
    store = MemoryStore()
    subjects: list[Any] = []

    def admit(assoc: Any) -> None:
        subjects.append(shown(assoc.peer_certificate).subject)

    server = Server(profile(store, admit=admit), lambda _: certificates.server)
    with listening(server) as port:
        ours = profile(ae_title="SENDER")
        proposed = [ProposedContext(CT, (EXPLICIT,))]
        assoc = open_association("localhost", port, proposed, called_ae="VNA", profile=ours, tls=certificates.client)
        for number, size in enumerate((0, 1, 70_000, 5_000_000), 1):
            command = StoreCommand(number, 1, CT, f"1.2.{number}", 0, EXPLICIT, CT)
            assert send_store(assoc, command, [bytes(size)]) == StoreAnswer(0)
        assoc.release()
        assert assoc.is_released
    assert [len(data) for data in store.stored.values()] == [0, 1, 70_000, 5_000_000]
    assert subjects == ["CN=localhost"]


def test_dcmtk_echoes_through_tls(certificates: Certificates, dcmtk: Dcmtk) -> None:
    with listening(Server(profile(), lambda _: certificates.server)) as port:
        tls: list[str | Path] = ["+tls", certificates.key, certificates.certificate, "+cf", certificates.certificate]
        done = dcmtk("echoscu", *tls, "127.0.0.1", port)
        assert done.returncode == 0, done.stdout


def test_a_client_without_tls_or_certificate_is_turned_away(certificates: Certificates) -> None:
    server = Server(profile(), lambda _: certificates.server)
    with listening(server) as port:
        with raw_peer(port) as plain:
            plain.send(b"\x01\0\0\0\0\x10" + bytes(16))
            assert plain.receive()[0] != 0x02
        anonymous = ssl.create_default_context(cafile=certificates.certificate)
        with pytest.raises(Unavailable):
            open_association(
                "localhost",
                port,
                [ProposedContext(CT, (EXPLICIT,))],
                called_ae="VNA",
                profile=profile(ae_title="SENDER"),
                tls=anonymous,
            )
        eventually(lambda: server.active == 0)


def test_a_handshake_that_never_comes_is_not_waited_for(certificates: Certificates) -> None:
    limits = replace(QUICK, acse_timeout=0.3)
    with listening(Server(profile(limits=limits), lambda _: certificates.server)) as port, raw_peer(port) as silent:
        assert silent.receive() == (0, b"")

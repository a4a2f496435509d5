"""The listener: what connections may do, for how long, and what becomes of those that misbehave."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.hl7 import certificates
from tests.hl7.conftest import Listen, one_frame, received
from vna.hl7.framing import framed
from vna.hl7.listener import Limits
from vna.model.errors import Unavailable
from vna.security.tls import client_context, server_context

MESSAGE = b"MSH|^~\\&|A\rPID|1\r"


def is_closed(sock: socket.socket) -> bool:
    try:
        return received(sock) == b""
    except ConnectionResetError:
        return True


def test_messages_of_a_connection_are_answered_one_after_another(listen: Listen) -> None:
    live = listen()
    with live.connect() as sock:
        for number in range(3):
            sock.sendall(framed(MESSAGE + b"%d" % number))
            assert one_frame(sock) == MESSAGE + b"%d" % number


def test_messages_that_come_together_are_answered_in_their_order(listen: Listen) -> None:
    live = listen()
    many = [MESSAGE + b"%d" % number for number in range(200)]
    with live.connect() as sock:
        sock.sendall(b"".join(map(framed, many)))
        sock.shutdown(socket.SHUT_WR)
        assert received(sock) == b"".join(map(framed, many))


def test_a_message_may_come_byte_by_byte(listen: Listen) -> None:
    live = listen()
    with live.connect() as sock:
        for byte in framed(MESSAGE):
            sock.sendall(bytes([byte]))
            time.sleep(0.001)
        assert one_frame(sock) == MESSAGE


def test_connections_are_served_at_the_same_time(listen: Listen) -> None:
    live = listen()

    def talk(number: int) -> bool:
        with live.connect() as sock:
            for at in range(20):
                message = MESSAGE + b"%d-%d" % (number, at)
                sock.sendall(framed(message))
                if one_frame(sock) != message:
                    return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(talk, range(20)))
    assert len(live.answering.seen) == 400


def test_a_message_without_its_end_is_never_handed_on(listen: Listen) -> None:
    live = listen()
    with live.connect() as sock:
        sock.sendall(b"\x0b" + MESSAGE)
        sock.shutdown(socket.SHUT_WR)
        assert is_closed(sock)
    assert live.answering.seen == []


@pytest.mark.parametrize("pause", [10.0, 0.05])
def test_a_message_has_to_be_whole_in_its_time_however_it_trickles(listen: Listen, pause: float) -> None:
    live = listen(Limits(message_seconds=0.5, idle_seconds=30))
    began = time.monotonic()
    with live.connect() as sock:
        stop = threading.Event()

        def trickle() -> None:
            with suppress(OSError):
                for byte in framed(MESSAGE * 1000):
                    sock.sendall(bytes([byte]))
                    if stop.wait(pause):
                        return

        thread = threading.Thread(target=trickle)
        thread.start()
        assert is_closed(sock)
        stop.set()
        thread.join()
    assert 0.3 < time.monotonic() - began < 5
    assert live.answering.seen == []


@pytest.mark.parametrize("keeps_awake", [False, True])
def test_an_idle_connection_is_closed_blanks_do_not_count(listen: Listen, keeps_awake: bool) -> None:
    live = listen(Limits(idle_seconds=0.5))
    with live.connect() as sock:
        sock.sendall(framed(MESSAGE))
        assert one_frame(sock) == MESSAGE
        began = time.monotonic()
        if keeps_awake:
            for _ in range(5):
                sock.sendall(b"\r\n ")
                time.sleep(0.05)
        assert is_closed(sock)
        assert 0.3 < time.monotonic() - began < 5


GARBAGE = (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", bytes(range(256)) * 4000)


@pytest.mark.parametrize("garbage", GARBAGE, ids=["HTTP", "TLS", "bytes"])
def test_what_is_no_message_ends_the_connection_at_once(listen: Listen, garbage: bytes) -> None:
    live = listen()
    with live.connect() as sock:
        sock.settimeout(5)
        try:
            sock.sendall(garbage)
            assert is_closed(sock)
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert live.answering.seen == []
    with live.connect() as sock:  # and goes on
        sock.sendall(framed(MESSAGE))
        assert one_frame(sock) == MESSAGE


def test_a_message_that_is_too_long_is_refused_in_words_and_the_connection_ends(listen: Listen) -> None:
    live = listen(Limits(message_bytes=100_000))
    with live.connect() as sock:
        sock.sendall(b"\x0bMSH|^~\\&|A|" + b"x" * 2_000_000)
        answer = received(sock)
    assert answer == framed(b"MSH|rejected the message has more than 100000 bytes")
    assert live.answering.seen == []


def test_more_connections_than_allowed_are_closed_and_places_become_free(listen: Listen) -> None:
    live = listen(Limits(connections=3))
    held = [live.connect() for _ in range(3)]
    for sock in held:
        sock.sendall(framed(MESSAGE))
        assert one_frame(sock) == MESSAGE
    with live.connect() as sock:
        assert is_closed(sock)
    held.pop().close()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with live.connect() as sock:
            try:
                sock.sendall(framed(MESSAGE))
                assert one_frame(sock) == MESSAGE
                break
            except (AssertionError, ConnectionError):
                time.sleep(0.05)
    else:
        pytest.fail("no place became free")
    for sock in held:
        sock.close()


def test_addresses_that_nobody_known_sends_from_get_no_word(listen: Listen) -> None:
    asked: list[str] = []

    def nobody(address: str) -> bool:
        asked.append(address)
        return False

    live = listen(admits=nobody)
    with live.connect() as sock:
        assert is_closed(sock)
    assert asked == ["127.0.0.1"]


def test_while_the_index_does_not_answer_connections_are_closed_and_nothing_breaks(listen: Listen) -> None:
    down = True

    def admits(_: str) -> bool:
        if down:
            raise Unavailable("the index does not answer")
        return True

    live = listen(admits=admits)
    with live.connect() as sock:
        assert is_closed(sock)
    down = False
    with live.connect() as sock:
        sock.sendall(framed(MESSAGE))
        assert one_frame(sock) == MESSAGE


def test_a_sender_that_goes_away_while_its_message_is_worked_on_harms_nobody(listen: Listen) -> None:
    live = listen()
    live.answering.gate.clear()
    with live.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        sock.sendall(framed(MESSAGE))
        assert live.answering.at_work.wait(5)
    live.answering.gate.set()
    with live.connect() as sock:
        sock.sendall(framed(MESSAGE))
        assert one_frame(sock) == MESSAGE


def test_a_message_that_is_being_worked_on_at_the_stop_is_answered(listen: Listen) -> None:
    live = listen()
    live.answering.gate.clear()
    with live.connect() as sock, live.connect() as idle, live.connect() as half:
        half.sendall(b"\x0bMSH|")
        sock.sendall(framed(MESSAGE))
        assert live.answering.at_work.wait(5)
        live.stop.set()
        assert is_closed(idle)
        assert is_closed(half)
        live.answering.gate.set()
        assert received(sock) == framed(MESSAGE)
    live.end()
    with pytest.raises(ConnectionRefusedError):
        live.connect()


def test_an_answer_that_nobody_reads_does_not_hold_the_connection_for_ever(listen: Listen) -> None:
    live = listen(Limits(message_seconds=3, message_bytes=64 << 20, connections=1))
    big = framed(b"MSH|" + b"x" * (12 << 20))
    with live.connect() as sock:
        sock.sendall(big)
        assert live.answering.at_work.wait(10)
        time.sleep(1)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with live.connect() as other:
                other.settimeout(2)
                try:
                    other.sendall(framed(MESSAGE))
                    assert one_frame(other) == MESSAGE
                    return
                except (AssertionError, OSError):
                    time.sleep(0.1)
    pytest.fail("the place was never free again")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> certificates.Pair:
    return certificates.make(tmp_path_factory.mktemp("tls"), "listener")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> certificates.Pair:
    return certificates.make(tmp_path_factory.mktemp("tls"), "sender")


def test_tls_carries_messages(listen: Listen, ours: certificates.Pair) -> None:
    live = listen(tls=server_context(ours.certificate, ours.key, None, client_certificate=False))
    context = client_context(ours.certificate, None, None)
    with live.connect() as sock, context.wrap_socket(sock, server_hostname="127.0.0.1") as secured:
        assert secured.version() in ("TLSv1.2", "TLSv1.3")
        secured.sendall(framed(MESSAGE))
        assert one_frame(secured) == MESSAGE
    with live.connect() as plain:
        plain.sendall(framed(MESSAGE))
        with pytest.raises((ConnectionError, AssertionError)):
            assert one_frame(plain) == MESSAGE
    assert live.answering.seen == [MESSAGE]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_old_tls_is_refused(listen: Listen, ours: certificates.Pair) -> None:
    live = listen(tls=server_context(ours.certificate, ours.key, None, client_certificate=False))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ours.certificate)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError, match=r"(?i)version|protocol|reset|handshake|eof"):
        _talk(live.connect(), context)


def _talk(sock: socket.socket, context: ssl.SSLContext) -> None:
    with sock, context.wrap_socket(sock, server_hostname="127.0.0.1") as secured:
        secured.sendall(framed(MESSAGE))
        assert one_frame(secured) == MESSAGE


def test_where_client_certificates_are_required_nobody_gets_in_without(
    listen: Listen, ours: certificates.Pair, theirs: certificates.Pair
) -> None:
    live = listen(tls=server_context(ours.certificate, ours.key, theirs.certificate, client_certificate=True))
    for certificate, key in ((None, None), (ours.certificate, ours.key)):
        context = client_context(ours.certificate, certificate, key)
        with pytest.raises((OSError, AssertionError)):
            _talk(live.connect(), context)
    context = client_context(ours.certificate, theirs.certificate, theirs.key)
    with live.connect() as sock, context.wrap_socket(sock, server_hostname="127.0.0.1") as secured:
        secured.sendall(framed(MESSAGE))
        assert one_frame(secured) == MESSAGE
    assert live.answering.seen == [MESSAGE]


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path, ours: certificates.Pair) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(Unavailable, match=r"nonsense\.pem cannot be used as certificate and key"):
        server_context(nonsense, None, None, client_certificate=False)
    with pytest.raises(Unavailable, match=r"missing\.pem cannot be used as certificate and key: No such file"):
        server_context(tmp_path / "missing.pem", None, None, client_certificate=False)
    with pytest.raises(Unavailable, match=r"nonsense\.pem cannot be used as certificates to trust"):
        server_context(ours.certificate, ours.key, nonsense, client_certificate=True)

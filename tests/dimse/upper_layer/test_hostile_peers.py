"""Peers that break the upper layer protocol get an A-ABORT with its reason, and nothing else suffers (PS3.8 9.3.8)."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from dimse.upper_layer.limits import Limits
from tests.dimse.upper_layer.harness import (
    CT,
    EXPLICIT,
    STUDY_ROOT_FIND,
    MemoryStore,
    RawPeer,
    associate_request,
    command_set,
    context_item,
    echo_request,
    element,
    eventually,
    item,
    pdu,
    pdv,
    profile,
    raw_peer,
    receiver_threads,
    store_request,
    us,
)
from vna.model.sop_classes import VERIFICATION

PROVIDER, USER = 2, 0
BEGUN = pdu(0x04, pdv(1, 0x03, store_request()) + pdv(1, 0x00, b"half"))


@pytest.fixture
def associated(peer: RawPeer) -> RawPeer:
    peer.associate()
    return peer


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (pdu(0x04, pdv(1, 0x02, b"data")), 5),  # a data set without a command
        (pdu(0x04, pdv(9, 0x03, store_request())), 6),  # a context that was not accepted
        (pdu(0x04, pdv(0, 0x03, store_request())), 6),
        (BEGUN + pdu(0x04, pdv(3, 0x02, b"data")), 5),  # another context within a message
        (BEGUN + pdu(0x04, pdv(1, 0x03, store_request())), 5),  # a command within a data set
        (pdu(0x04, pdv(1, 0x01, b"\0\0")) + pdu(0x04, pdv(1, 0x02, b"x")), 5),  # a data set within a command
        (pdu(0x04, pdv(1, 0x03, b"no command")), 6),
        (pdu(0x04, pdv(1, 0x03, b"")), 6),
        (pdu(0x04, pdv(1, 0x03, command_set(element(0x0100, us(1))))), 6),  # no message ID
        (pdu(0x04, pdv(3, 0x03, command_set(element(0x0100, us(0x7777)), element(0x0800, us(0x0101))))), 6),
        (b"\x04\0\xff\xff\xff\xff", 6),
        (BEGUN + b"\x04\0\xff\xff\xff\xff", 6),
        (pdu(0x04, b"\0\0\0\0\x01\x03"), 6),
        (pdu(0x04, b"\0\0\xff\xff\x01\x03abc"), 6),
        (pdu(0x09, b""), 1),
        (BEGUN + pdu(0x0A, b"????"), 1),
    ],
)
def test_a_broken_message_aborts_with_its_reason(
    associated: RawPeer, store: MemoryStore, sent: bytes, reason: int
) -> None:
    associated.send(sent)
    assert associated.receive_abort() == (PROVIDER, reason)
    assert not store.stored
    assert all(sink.abandoned for sink in store.sinks)


@pytest.mark.parametrize(
    "sent", [associate_request(context_item(1, CT, EXPLICIT)), pdu(0x03, bytes(4)), pdu(0x06, bytes(4))]
)
def test_a_pdu_that_has_no_place_in_an_association_aborts_it(associated: RawPeer, sent: bytes) -> None:
    associated.send(sent)
    assert associated.receive_abort()[0] == PROVIDER


def test_release_in_the_middle_of_a_store_abandons_it(associated: RawPeer, store: MemoryStore) -> None:
    associated.send(BEGUN)
    associated.release()
    assert store.sinks[0].abandoned


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        pdu(0x04, pdv(1, 0x03, store_request())),  # before any association
        pdu(0x05, bytes(4)),
        b"\x01\0\xff\xff\xff\xff",
        pdu(0x01, bytes(20)),
        associate_request(context_item(2, CT, EXPLICIT)),
        associate_request(item(0x20, b"\x01\0\0\0" + struct.pack(">BxH", 0x30, 9999))),
        associate_request(context_item(1, CT, EXPLICIT), calling=" "),
    ],
)
def test_an_opening_that_is_no_request_is_aborted(peer: RawPeer, sent: bytes) -> None:
    peer.send(sent)
    assert peer.receive()[0] == 0x07
    assert peer.receive() == (0, b"")


def test_a_claimed_length_of_4_gb_takes_no_memory(associated: RawPeer) -> None:
    before = psutil.Process().memory_info().rss
    associated.send(b"\x04\0\xff\xff\xff\xff" + bytes(100_000))
    assert associated.receive()[0] == 0x07
    assert psutil.Process().memory_info().rss - before < 20_000_000


def test_a_command_set_that_never_ends_is_aborted(associated: RawPeer) -> None:
    for _ in range(10):
        associated.send(pdu(0x04, pdv(1, 0x01, bytes(10_000))))
    assert associated.receive()[0] == 0x07


def test_an_identifier_too_large_to_keep_is_aborted(serve: Callable[..., int], store: MemoryStore) -> None:
    limits = Limits(identifier=100_000, closing_timeout=0.3)
    find = command_set(element(0x0002, STUDY_ROOT_FIND.encode() + b"\0"), element(0x0100, us(0x20)))
    with raw_peer(serve(profile(store, limits=limits))) as peer:
        peer.associate(context_item(1, STUDY_ROOT_FIND, EXPLICIT))
        peer.send(pdu(0x04, pdv(1, 0x03, find)))
        for _ in range(3):
            peer.send(pdu(0x04, pdv(1, 0x00, bytes(50_000))))
        assert peer.receive()[0] == 0x07


def test_a_refused_data_set_is_not_waited_for_without_end(serve: Callable[..., int], store: MemoryStore) -> None:
    limits = Limits(drained=1_000_000, closing_timeout=0.3)
    with raw_peer(serve(profile(store, limits=limits))) as peer:
        peer.associate()
        peer.send(pdu(0x04, pdv(1, 0x03, store_request(sop_class="1.2.3"))))
        for _ in range(12):
            peer.send(pdu(0x04, pdv(1, 0x00, bytes(100_000))))
        assert peer.receive()[0] == 0x07


def test_a_flood_of_requests_without_reading_answers_is_aborted(serve: Callable[..., int]) -> None:
    gate = [True]

    def slow(assoc: object, message: object, context: object) -> None:
        while gate[0]:
            time.sleep(0.01)

    with raw_peer(serve(profile(None, services={VERIFICATION: slow}))) as peer:
        peer.associate()
        peer.send(*[pdu(0x04, pdv(3, 0x03, echo_request(n))) for n in range(1, 60)])
        assert peer.receive()[0] == 0x07
        gate[0] = False


def test_a_sender_that_hangs_in_the_middle_is_aborted(serve: Callable[..., int], store: MemoryStore) -> None:
    limits = Limits(receive_timeout=0.6, closing_timeout=0.3)
    with raw_peer(serve(profile(store, limits=limits))) as peer:
        peer.associate()
        peer.send(BEGUN)
        assert peer.receive_abort() == (PROVIDER, 0)
    assert store.sinks[0].abandoned


def test_a_sender_that_hangs_within_a_pdu_is_aborted(serve: Callable[..., int], store: MemoryStore) -> None:
    limits = Limits(receive_timeout=0.6, closing_timeout=0.3)
    with raw_peer(serve(profile(store, limits=limits))) as peer:
        peer.associate()
        peer.send(b"\x04\0\0")
        assert peer.receive_abort() == (PROVIDER, 0)


def receive_or_nothing(peer: RawPeer) -> int | None:
    """The type of the next PDU, if one comes within the socket's time-out."""
    try:
        return peer.receive()[0]
    except TimeoutError:
        return None


def test_a_message_that_trickles_has_its_bound(serve: Callable[..., int], store: MemoryStore) -> None:
    limits = Limits(message_timeout=0.8, closing_timeout=0.3)
    with raw_peer(serve(profile(store, limits=limits))) as peer:
        peer.associate()
        peer.send(BEGUN)
        started = time.monotonic()
        peer.socket.settimeout(0.05)
        while not (answer := receive_or_nothing(peer)):
            peer.send(pdu(0x04, pdv(1, 0x00, b"x")))
        assert answer == 0x07
        assert time.monotonic() - started < 3


def test_a_connection_that_asks_for_nothing_is_closed(serve: Callable[..., int]) -> None:
    with raw_peer(serve(profile(limits=Limits(acse_timeout=0.3, closing_timeout=0.2)))) as peer:
        started = time.monotonic()
        assert peer.receive() == (0, b"")
        assert time.monotonic() - started < 2


def test_an_idle_association_is_aborted(serve: Callable[..., int]) -> None:
    with raw_peer(serve(profile(limits=Limits(network_timeout=0.3, closing_timeout=0.2)))) as peer:
        peer.associate()
        assert peer.echo() == 0
        kind, value = peer.receive()
        assert (kind, value[2]) == (0x07, USER)


def test_a_peer_that_connects_and_leaves_costs_no_thread(port: int) -> None:
    before = len(receiver_threads())
    for _ in range(10):
        RawPeer(port).close()
    eventually(lambda: len(receiver_threads()) == before)


def test_a_good_association_beside_bad_ones_is_served(port: int, store: MemoryStore) -> None:
    bad = [RawPeer(port) for _ in range(10)]
    for one in bad:
        one.associate()
        one.send(BEGUN)
    with raw_peer(port) as good:
        good.associate()
        assert good.store() == 0
        for one in bad:
            one.send(b"\xff" * 50)
        assert good.store(instance="1.2.4") == 0
        good.release()
    for one in bad:
        one.close()


@pytest.fixture(autouse=True)
def no_descriptor_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    before = psutil.Process().num_fds()
    yield
    if "port" not in request.fixturenames:
        eventually(lambda: psutil.Process().num_fds() <= before)


def test_half_open_connections_end(port: int) -> None:
    with raw_peer(port) as peer:
        peer.associate()
        peer.socket.shutdown(socket.SHUT_WR)
        assert peer.receive() == (0, b"")

"""One listening socket, several workers: even spread, a bound, polite refusals (PS3.8 9.3.4)."""

from __future__ import annotations

import errno
import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dimse.upper_layer.acceptor import Acceptor, channel_pair, listen
from dimse.upper_layer.server import Server
from dimse.upper_layer.worker import ConnectionChannel, run_worker
from tests.dimse.upper_layer.harness import (
    CT,
    EXPLICIT,
    MemoryStore,
    RawPeer,
    associate_request,
    context_item,
    eventually,
    profile,
    raw_peer,
)

REJECTED = (0x03, bytes((0, 2, 3, 2)))  # transient, by the presentation service, local limit exceeded


class Cluster:
    """An acceptor driven by a thread, and workers that are threads."""

    def __init__(self, workers: int, **options: float) -> None:
        listener = listen("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        self.acceptor = Acceptor(listener, **options)  # type: ignore[arg-type]
        self.store = MemoryStore()
        self.stop = threading.Event()
        self.servers: list[Server] = []
        self.workers: list[threading.Thread] = []
        self.channels: list[socket.socket] = []
        for _ in range(workers):
            self.add()
        self.loop = threading.Thread(target=self._accept)
        self.loop.start()

    def add(self) -> None:
        ours, theirs = channel_pair()
        server, channel = Server(profile(self.store)), ConnectionChannel(theirs)
        worker = threading.Thread(target=self._work, args=(server, channel))
        worker.start()
        self.servers.append(server)
        self.workers.append(worker)
        self.channels.append(ours)
        self.acceptor.add_worker(ours)

    def _work(self, server: Server, channel: ConnectionChannel) -> None:
        run_worker(server, channel, self.stop, grace_seconds=0.1)
        channel.close()

    def _accept(self) -> None:
        while not self.stop.is_set():
            self.acceptor.poll(0.02)

    def end(self) -> None:
        self.stop.set()
        self.loop.join()
        self.acceptor.close()
        for worker in self.workers:
            worker.join()


@contextmanager
def cluster(workers: int, **options: float) -> Iterator[Cluster]:
    running = Cluster(workers, **options)
    try:
        yield running
    finally:
        running.end()


def test_associations_spread_evenly() -> None:
    with cluster(3) as running:
        peers = [RawPeer(running.port) for _ in range(9)]
        for peer in peers:
            peer.associate()
        assert running.acceptor.load == [3, 3, 3]
        assert [server.active for server in running.servers] == [3, 3, 3]
        for peer in peers[::2]:
            peer.release()
            peer.close()
        eventually(lambda: running.acceptor.active == 4)
        for peer in peers[1::2]:
            peer.close()
        eventually(lambda: running.acceptor.active == 0)


def test_one_too_many_is_rejected_with_the_reason_and_room_is_made_by_an_end() -> None:
    with cluster(1, limit=2) as running:
        peers = [RawPeer(running.port) for _ in range(3)]
        for peer in peers[:2]:
            peer.associate()
        peers[2].send(associate_request(context_item(1, CT, EXPLICIT)))
        assert peers[2].receive() == REJECTED
        assert peers[2].receive() == (0, b"")
        peers[0].release()
        peers[0].close()
        eventually(lambda: running.acceptor.active == 1)
        with raw_peer(running.port) as late:
            late.associate()
            late.release()
        for peer in peers:
            peer.close()


def test_one_too_many_that_is_slow_or_none_of_ours_is_closed() -> None:
    with cluster(0, refusal_seconds=0.2) as running:
        slow, browser, liar = (RawPeer(running.port) for _ in range(3))
        slow.send(associate_request(context_item(1, CT, EXPLICIT))[:20])
        browser.send(b"GET / HTTP/1.1\r\n\r\n")
        liar.send(b"\x01\0\xff\xff\xff\xff")
        for peer in (browser, liar, slow):
            assert peer.receive() == (0, b"")
            peer.close()


def test_more_than_can_wait_to_be_rejected_are_closed_at_once() -> None:
    with cluster(0, refusals=5) as running:
        peers = [RawPeer(running.port) for _ in range(10)]
        eventually(lambda: running.acceptor.counters.dropped == 5)
        assert running.acceptor.counters.refused == 5
        for peer in peers:
            peer.close()


def test_a_dead_workers_associations_no_longer_count_and_the_others_go_on() -> None:
    with cluster(2) as running, raw_peer(running.port) as first, raw_peer(running.port) as second:
        first.associate()
        second.associate()
        running.channels[0].shutdown(socket.SHUT_RDWR)
        eventually(lambda: running.acceptor.load == [1])
        with raw_peer(running.port) as third:
            third.associate()
            assert third.store() == 0


def test_a_worker_that_ends_aborts_its_associations() -> None:
    with cluster(1) as running, raw_peer(running.port) as peer:
        peer.associate()
        running.channels[0].shutdown(socket.SHUT_RDWR)
        assert peer.receive()[0] == 0x07


def test_two_thousand_connections_at_once_leave_the_service_well() -> None:
    with cluster(2, limit=50) as running:
        flood: list[socket.socket] = []
        answers = {"accepted": 0, "rejected": 0, "closed": 0}
        for _ in range(2000):
            sock = socket.socket()
            sock.setblocking(False)
            assert sock.connect_ex(("127.0.0.1", running.port)) in (0, errno.EINPROGRESS)
            flood.append(sock)
        for sock in flood:
            sock.settimeout(20)
            try:
                sock.sendall(associate_request(context_item(1, CT, EXPLICIT)))
                kind = sock.recv(1)
            except OSError:
                kind = b""
            answers[{b"\x02": "accepted", b"\x03": "rejected"}.get(kind, "closed")] += 1
        assert answers["accepted"] == 50
        assert answers["rejected"] + answers["closed"] == 1950
        for sock in flood:
            sock.close()
        eventually(lambda: running.acceptor.active == 0, 10)
        with raw_peer(running.port) as peer:
            peer.associate()
            assert peer.store() == 0
            peer.release()


def test_running_out_of_descriptors_turns_connections_away_until_there_are_some() -> None:
    listener = listen("127.0.0.1", 0)
    acceptor = Acceptor(listener)
    ours, theirs = channel_pair()
    acceptor.add_worker(ours)
    waiting = [RawPeer(listener.getsockname()[1]) for _ in range(3)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        acceptor.poll(1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert acceptor.counters.handed_over == 0
    assert acceptor.counters.dropped <= 1
    acceptor.poll(1)
    assert acceptor.counters.handed_over + acceptor.counters.dropped == 3
    for peer in waiting:
        peer.close()
    acceptor.close()
    theirs.close()

"""A C-MOVE destination that accepts and then reads nothing, or hardly anything: bounded, and nobody else is held up."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from tests.archives import Backend, LiveArchive, start_archive
from tests.dimse.upper_layer.harness import item, pdu
from tests.faults.instances import Maker, Study
from tests.faults.reading import search
from tests.faults.results import Outcome, rounds
from tests.faults.senders import Association
from tests.peers.processes import system_program, wait_for

_TIMEOUT = 1
_PROMPT = 5.0
_PIXELS = 4 << 20


@contextmanager
def stalled(bytes_a_second: int) -> Iterator[int]:
    """A destination that takes every context of an association, and so many bytes of what follows; its port."""
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            held.append(peer)
            peer.sendall(_accepted(_pdu(peer)))
            threading.Thread(target=trickle, args=(peer,)).start()

    def trickle(peer: socket.socket) -> None:
        while not ended.wait(1):
            if bytes_a_second and not peer.recv(bytes_a_second):
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for peer in held:
            peer.close()


def _pdu(peer: socket.socket) -> bytes:
    with peer.makefile("rb") as file:
        head = file.read(6)
        return head + file.read(int.from_bytes(head[2:6], "big"))


def _accepted(request: bytes) -> bytes:
    """A-ASSOCIATE-AC: every presentation context in the first transfer syntax that it offers (PS3.8 9.3.3)."""
    items, at = [item(0x10, b"1.2.840.10008.3.1.1.1")], 74
    while at < len(request):
        kind, length = request[at], int.from_bytes(request[at + 2 : at + 4], "big")
        body = request[at + 4 : at + 4 + length]
        if kind == 0x20:
            syntax = body[body.index(b"\x40\x00") :]
            items.append(item(0x21, body[:1] + bytes(3) + syntax[: 4 + int.from_bytes(syntax[2:4], "big")]))
        at += 4 + length
    user = item(0x51, (16384).to_bytes(4, "big")) + item(0x52, b"1.2.3.4")
    return pdu(0x02, request[6:74] + b"".join(items) + item(0x50, user))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    backend = Backend("sqlite+folder", tmp_path_factory.mktemp("archive"))
    running = start_archive(backend, DIMSE__NETWORK_TIMEOUT=str(_TIMEOUT), DIMSE__WORKERS="1")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def study(live: LiveArchive) -> Study:
    made = Maker(7, pixels=_PIXELS).study()
    assoc = Association(live.dimse_port)
    assert [assoc.store(made.instance()) for _ in range(3)] == [0x0000] * 3
    assoc.release()
    return made


def _move(live: LiveArchive, study: Study, name: str, *options: str) -> subprocess.Popen[bytes]:
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study.study}"]
    argv = [str(system_program("movescu", package="dcmtk")), "-S", "-aem", name, *options, *keys]
    return subprocess.Popen(
        [*argv, "127.0.0.1", str(live.dimse_port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def _used(live: LiveArchive) -> tuple[int, int]:
    """Threads and descriptors of all processes."""
    children = psutil.Process(live.child.pid).children(recursive=True)
    return sum(one.num_threads() for one in children), sum(one.num_fds() for one in children)


@pytest.mark.parametrize("bytes_a_second", [0, 1])
def test_a_destination_that_stalls_holds_up_nobody(live: LiveArchive, study: Study, bytes_a_second: int) -> None:
    """Several moves hang, stores and searches go on; the moves end with a failure, and leave nothing behind."""
    outcome = Outcome(
        "C-MOVE destination stalls", f"accepts, and reads {bytes_a_second} bytes a second", "sqlite+folder"
    )
    with stalled(bytes_a_second) as port:
        name = f"STALL{bytes_a_second}"
        assert live.vna("ae", "add", name, "--host", "127.0.0.1", "--port", str(port)).returncode == 0
        _round(live, study, name, outcome)  # the first ones open connections to the index that stay
        threads, descriptors = _used(live)
        for _ in range(rounds(1, 5)):
            _round(live, study, name, outcome)
        wait_for(
            lambda: _used(live)[0] <= threads + 2 and _used(live)[1] <= descriptors + 4,
            what=f"no more than {threads} threads and {descriptors} descriptors",
        )
    outcome.judge([])


def _round(live: LiveArchive, study: Study, name: str, outcome: Outcome) -> None:
    begun, descriptors = time.monotonic(), _used(live)[1]
    moves = [_move(live, study, name) for _ in range(6)]
    try:
        wait_for(lambda: _used(live)[1] >= descriptors + 12, what="moves under way")
        _others_go_on(live)
        for move in moves:
            said, _ = move.communicate(timeout=60)
            assert move.returncode != 0, said
    finally:
        for move in moves:
            move.kill()
            move.communicate()
    outcome.tried += len(moves)
    outcome.recovery.append(time.monotonic() - begun)


def _others_go_on(live: LiveArchive) -> None:
    begun = time.monotonic()
    assoc = Association(live.dimse_port, timeout=10)
    assert assoc.store(Maker(8).study().instance()) == 0x0000
    assoc.release()
    with httpx.Client(base_url=live.dicomweb, timeout=10) as client:
        assert search(client, "/studies")
    assert time.monotonic() - begun < _PROMPT


def test_a_move_whose_caller_is_gone_ends(live: LiveArchive, study: Study) -> None:
    with stalled(0) as port:
        assert live.vna("ae", "add", "GONE", "--host", "127.0.0.1", "--port", str(port)).returncode == 0
        threads, descriptors = _used(live)
        move = _move(live, study, "GONE")
        wait_for(lambda: _used(live)[1] > descriptors + 1, what="a move under way")
        move.kill()
        move.communicate()
        wait_for(lambda: _used(live)[1] <= descriptors + 1, what="an end of the move", timeout=30)
    assert _used(live)[0] <= threads + 2

"""The clock is checked against a real time server (chrony), and what is no answer of one is not believed."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.processes import missing
from vna import events
from vna.audit.clock import Measured, measure, read
from vna.audit.clock_watch import ClockWatch
from vna.model.audit import AuditRecord, NoTrail, Outcome
from vna.model.errors import Unavailable

NOW = 1_800_000_000.0


def stamp(at: float) -> bytes:
    seconds = at + 2_208_988_800
    return struct.pack("!II", int(seconds) % (1 << 32), int(seconds % 1 * (1 << 32)))


def answer(mark: bytes, *, first: int = 0x24, stratum: int = 2, at: float = NOW) -> bytes:
    return struct.pack("!BB22x", first, stratum) + mark + stamp(at) + stamp(at)


@pytest.fixture(scope="module")
def chrony(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = Path("/usr/sbin/chronyd")
    if not program.exists():
        missing("chrony is not installed (Debian: apt-get install chrony)")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    folder = tmp_path_factory.mktemp("chrony")
    (folder / "conf").write_text(
        f"port {port}\nbindaddress 127.0.0.1\nallow 127.0.0.1\nlocal stratum 3\ncmdport 0\nbindcmdaddress /\n"
        f"pidfile {folder}/pid\n"
    )
    running = subprocess.Popen(
        [program, "-x", "-d", "-U", "-u", "root", "-f", folder / "conf"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    server = f"127.0.0.1:{port}"
    deadline = time.monotonic() + 10
    while True:
        try:
            measure(server)
            break
        except Unavailable:
            assert time.monotonic() < deadline, "chronyd does not answer"
            assert running.poll() is None
            time.sleep(0.05)
    yield server
    running.terminate()
    running.wait(10)


def test_the_clock_of_this_machine_is_that_of_a_server_on_it(chrony: str) -> None:
    found = measure(chrony)
    assert abs(found.offset) < 0.1
    assert 0 <= found.delay < 1


def test_an_offset_is_told_with_its_sign() -> None:
    mark = b"12345678"
    assert read(answer(mark, at=NOW + 5), mark, NOW, NOW).offset == pytest.approx(5, abs=1e-3)
    assert read(answer(mark, at=NOW - 5), mark, NOW, NOW).offset == pytest.approx(-5, abs=1e-3)
    assert read(answer(mark, at=NOW + 0.5), mark, NOW, NOW + 1).offset == pytest.approx(0, abs=1e-3)


def test_a_time_after_2036_is_of_the_next_era() -> None:
    later = 2_500_000_000.0
    assert read(answer(b"12345678", at=later), b"12345678", later, later).offset == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        answer(b"12345678")[:40],
        answer(b"87654321"),
        answer(b"12345678", first=0x23),
        answer(b"12345678", first=0xE4),
        answer(b"12345678", stratum=0),
        answer(b"12345678", stratum=16),
        answer(b"12345678")[:32] + bytes(16),
    ],
    ids=["nothing", "short", "another's", "a question", "unsynchronised", "kiss of death", "far", "no time"],
)
def test_what_is_no_answer_is_not_believed(said: bytes) -> None:
    with pytest.raises(ValueError, match=r"answer|server"):
        read(said, b"12345678", NOW, NOW)


def test_a_server_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vna.audit.clock._SECONDS", 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="does not answer"):
            measure(f"127.0.0.1:{silent.getsockname()[1]}")
    with pytest.raises(Unavailable):
        measure("nowhere.invalid")


class Kept(NoTrail):
    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def record(self, record: AuditRecord) -> None:
        self.records.append(record)


def test_a_wrong_clock_is_an_alarm_when_it_begins_and_told_of_when_it_ends() -> None:
    kept, heard = Kept(), list[dict[str, Any]]()
    offsets = iter([0.2, -3.0, -3.1, 0.1])

    def hear(**fields: Any) -> None:
        heard.append(fields)

    events.subscribe("clock.checked", hear)
    try:
        watch = ClockWatch(kept, node="a", server="x", most=1, every=1, ask=lambda _: Measured(next(offsets), 0))
        for _ in range(4):
            watch.once()
    finally:
        events.unsubscribe("clock.checked", hear)
    assert [(one.what, one.outcome, one.detail["offset"]) for one in kept.records] == [
        ("clock.wrong", Outcome.SERIOUS_FAILURE, -3.0),
        ("clock.right", Outcome.SUCCESS, 0.1),
    ]
    assert [one["wrong"] for one in heard] == [False, True, True, False]


def test_without_a_server_nothing_is_asked() -> None:
    stop = threading.Event()
    ClockWatch(NoTrail(), node="a", server="", most=1, every=1, ask=lambda _: pytest.fail("asked")).run(stop)

"""`vna serve` fed by clients that are not ours, over real sockets."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import hl7
import psutil
import pytest
from hl7.client import MLLPClient

from tests.archives import Backend, LiveArchive, start_archive
from tests.cli.conftest import Vna, vna
from tests.hl7 import certificates
from tests.hl7.conftest import NODE, one_frame, received
from tests.hl7.messages import DOMAIN, adt, cx
from tests.hl7.national import changed, group, header, order, report, reported
from tests.peers.processes import wait_for
from vna.app import Application, build
from vna.archive.reindex import Step
from vna.hl7.client import Sender
from vna.hl7.framing import framed
from vna.model.access import SYSTEM
from vna.model.errors import Conflict
from vna.model.sources import Source
from vna.security.tls import client_context
from vna.settings import UnusableSettings, load

__all__ = ["vna"]

MB = 1 << 20
HEAD = b"\x0bMSH|^~\\&|A|"
Serve = Callable[..., LiveArchive]
SETTINGS: dict[str, Any] = {"XDS__AFFINITY_DOMAIN": DOMAIN, "HL7__NAMESPACE": "KIMLIK"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    archive = start_archive(Backend("sqlite+folder", tmp_path_factory.mktemp("live")), **SETTINGS)
    yield archive
    archive.stop()


def ask(live: LiveArchive, *messages: str) -> list[str]:
    """MSA-1 of each, as another library sends them and reads the answers."""
    with MLLPClient("127.0.0.1", live.hl7_port) as client:
        client.socket.settimeout(20)
        answers = [client.send_message(message).decode().strip("\x0b\x1c\r") for message in messages]
    return [str(hl7.parse(answer).segment("MSA")(1)) for answer in answers]


def known(archive: Application, value: str) -> bool:
    with archive.database.read() as connection:
        family = archive.patients.known(connection, cx(value))
    return family is not None and bool(family.keys)


def test_another_librarys_client_feeds_the_archive(live: LiveArchive) -> None:
    assert ask(
        live,
        adt("A04", cx("F1")),
        adt("A01", "F2^^^KIMLIK", version="2.5"),
        adt("A40", cx("F2"), mrg=cx("F1")),
        adt("A04", cx("F1")),
        adt("A03", cx("F3")),
        "MSH|nonsense",
    ) == ["AA", "AA", "AA", "AE", "AR", "AR"]


def tell(live: LiveArchive, *messages: str) -> list[str]:
    """MSA-1 and the national code of each."""
    with Sender("127.0.0.1", live.hl7_port) as sender:
        answers = [sender.send(message.encode()) for message in messages]
    return [f"{one.code} {one.error}".rstrip() for one in answers]


def message(accession: str, control_id: str, control: str = "NW") -> str:
    return order(group(accession, control), msh=header("ORM^O01", control_id))


def test_orders_and_reports_of_clients_that_are_not_ours(live: LiveArchive, node: str, tmp_path: Path) -> None:
    bad = order(changed("OBR", 24, "C", "P2"), msh=header("ORM^O01", "P2"))
    reported_ = report(of=reported("P1"), msh=header("ORU^R01", "P3"))
    assert ask(live, message("P1", "P1"), bad, reported_, message("P1", "P1")) == ["AA", "AE", "AA", "AA"]
    told = (message("N1", "N1"), message("N1", "N2", "CA"), message("N1", "N3"), report(msh=header("ORU^R01", "N4")))
    files = [tmp_path / f"{number}.hl7" for number in range(len(told))]
    for file, one in zip(files, told, strict=True):
        file.write_text(one, "utf-8", newline="")
    done = subprocess.run(
        [node, NODE / "send.cjs", str(live.hl7_port), *files], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == ["AA N1", "AA N2", "AE N3", "AA N4"], done.stderr


def test_a_file_of_samples_is_sent_by_the_command_and_each_answer_said(
    vna: Vna, live: LiveArchive, tmp_path: Path
) -> None:
    file = tmp_path / "day-one.hl7"
    file.write_text("".join(vna("hl7", "sample", kind).out for kind in ("order", "report", "cancel", "order")), "utf-8")
    done = vna("hl7", "send", file, "--to", f"127.0.0.1:{live.hl7_port}")
    assert re.sub(r"ORNEK-\w+", "ID", done.out).splitlines() == [
        "accepted: message 1 (ID): AA",
        "accepted: message 2 (ID): AA",
        "accepted: message 3 (ID): AA",
        "3 accepted, 1 refused, 0 not sent",
    ]
    assert re.match(r"refused: message 4 \(ORNEK-\w+\): AE V321: .*\n\Z", done.err)
    assert done.code == 1


def test_half_a_frame_is_no_order_and_slow_senders_hold_up_nobody(live: LiveArchive) -> None:
    with socket.create_connection(("127.0.0.1", live.hl7_port), timeout=20) as sock:
        sock.sendall(framed(message("H1", "H1").encode())[:-2])
        sock.shutdown(socket.SHUT_WR)
        assert received(sock) == b""
    assert tell(live, message("H1", "H2", "XO")) == ["AE V320"]

    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", live.hl7_port), timeout=20)) for _ in range(32)
        ]
        frames = [framed(message(f"L{n}", f"L{n}").encode()) for n in range(len(slow))]
        for sock, frame in zip(slow, frames, strict=True):
            sock.sendall(frame[: len(frame) // 2])
        assert tell(live, message("H3", "H3")) == ["AA"], "while 32 have not finished"
        for sock, frame in zip(slow, frames, strict=True):
            sock.sendall(frame[len(frame) // 2 :])
        assert [one_frame(sock).count(b"MSA|AA|L") for sock in slow] == [1] * len(slow)


def test_the_address_is_printed(live: LiveArchive) -> None:
    assert f"  HL7       127.0.0.1:{live.hl7_port}\n" in live.child.output()


def test_what_was_acknowledged_survives_kill_9_and_a_reindex(tmp_path: Path) -> None:
    backend = Backend("sqlite+folder", tmp_path)
    live = start_archive(backend, **SETTINGS)
    try:
        assert ask(live, *(adt("A04", cx(f"K{n}")) for n in range(20))) == ["AA"] * 20
        assert ask(live, adt("A40", cx("K1"), mrg=cx("K0"))) == ["AA"]
        time.sleep(3)  # the journal is written within seconds
        assert ask(live, adt("A40", cx("K2"), mrg=cx("K1"))) == ["AA"]
    finally:
        live.kill()
    archive = build(backend.settings(xds={"affinity_domain": DOMAIN}))
    try:
        assert [known(archive, f"K{n}") for n in range(4)] == [False, False, True, True]
        dispatcher, end = archive.dispatcher(), time.monotonic() + 30
        while not dispatcher.drain():  # the killed one's lease has to run out
            assert time.monotonic() < end
            time.sleep(0.2)
        assert {step.step for step in archive.reindex.run(SYSTEM)} == {Step.NOTED}
        assert [known(archive, f"K{n}") for n in range(4)] == [False, False, True, True]
        with pytest.raises(Conflict):
            archive.patients.register(SYSTEM, cx("K0"))
    finally:
        archive.close()


def test_many_clients_at_once(live: LiveArchive) -> None:
    def feed(number: int) -> list[str]:
        return ask(live, *(adt("A04", cx(f"M{number}-{n % 10}"), control_id=f"{number}.{n}") for n in range(20)))

    with ThreadPoolExecutor(16) as pool:
        assert [code for codes in pool.map(feed, range(16)) for code in codes] == ["AA"] * 320


def test_a_hundred_megabytes_of_anything_leave_memory_flat(live: LiveArchive) -> None:
    workers = psutil.Process(live.child.pid).children()

    def resident() -> int:
        return max(worker.memory_info().rss for worker in workers)

    ask(live, adt("A04", cx("BEFORE")))
    before, most = resident(), 0
    streams = (
        (b"", b"\x00\xff" * (MB // 2)),
        (HEAD, b"x" * MB),
        (HEAD, b"^\r" * (MB // 2)),
        (framed(message("BIG", "BIG").encode())[:-2], b"NTE|1||NTE0001^note\r" * (MB // 20)),
    )
    for start, block in streams:
        with socket.create_connection(("127.0.0.1", live.hl7_port), timeout=20) as sock:
            try:
                sock.sendall(start)
                for _ in range(100):
                    sock.sendall(block)
                    most = max(most, resident())
                answer = received(sock)
            except (ConnectionResetError, BrokenPipeError):
                answer = b""
        assert b"AA" not in answer
        if start:
            assert b"MSA|AE|" in answer or not answer
    assert most - before < 100 * MB
    assert ask(live, adt("A04", cx("AFTER"))) == ["AA"]
    assert tell(live, message("BIG", "BIG2", "XO")) == ["AE V320"]


def test_a_worker_that_dies_is_replaced_and_its_port_stays(live: LiveArchive) -> None:
    assert ask(live, adt()) == ["AA"]
    (worker,) = {
        int(line.split('"worker":')[1].split("}")[0].split(",")[0])
        for line in live.child.output().splitlines()
        if '"worker started"' in line and '"kind":"hl7"' in line
    }
    psutil.Process(worker).send_signal(signal.SIGKILL)

    def answered() -> bool:
        try:
            return ask(live, adt()) == ["AA"]
        except (OSError, hl7.ParseException):
            return False

    wait_for(answered, what="a new worker", timeout=20)


def test_messages_are_counted(live: LiveArchive) -> None:
    import httpx

    ask(live, adt(), adt("A77"), "nonsense")
    text = httpx.get(f"{live.http}/metrics").text
    assert 'vna_messages_total{code="AA",type="ADT^A04"}' in text
    assert 'vna_messages_total{code="AR",type="other"}' in text
    assert "A77" not in text


def test_in_enforced_mode_strangers_are_cut_off_and_sources_feed(tmp_path: Path) -> None:
    backend = Backend("sqlite+folder", tmp_path)
    live = start_archive(backend, SECURITY__MODE="enforced", **SETTINGS)
    archive = build(backend.settings())
    try:
        with socket.create_connection(("127.0.0.1", live.hl7_port), timeout=20) as sock:
            assert received(sock) == b""
        archive.sources.add(SYSTEM, Source("HIS", "HIS", addresses=("127.0.0.0/8",)))
        wait_for(lambda: _answers(live), what="the new source", timeout=10)
        assert ask(live, adt(), adt(application="OTHER")) == ["AA", "AR"]
        archive.sources.remove(SYSTEM, "HIS")
        wait_for(lambda: not _answers(live), what="the source to be forgotten", timeout=10)
    finally:
        archive.close()
        live.stop()


def _answers(live: LiveArchive) -> bool:
    with socket.create_connection(("127.0.0.1", live.hl7_port), timeout=20) as sock:
        try:
            sock.sendall(framed(adt().encode()))
            return b"MSA|AA" in one_frame(sock)
        except (AssertionError, ConnectionError):
            return False


def test_serve_speaks_tls_with_client_certificates(tmp_path: Path) -> None:
    ours, theirs = certificates.make(tmp_path, "vna"), certificates.make(tmp_path, "his")
    tls: dict[str, Any] = {
        "HL7__TLS__CERTIFICATE": str(ours.certificate),
        "HL7__TLS__KEY": str(ours.key),
        "HL7__TLS__CA": str(theirs.certificate),
        "HL7__TLS__REQUIRE_CLIENT_CERTIFICATE": "true",
    }
    live = start_archive(Backend("sqlite+folder", tmp_path), **tls, **SETTINGS)
    bind = ("source", "add", "LAB", "--address", "127.0.0.0/8", "--certificate")
    try:
        context = client_context(ours.certificate, theirs.certificate, theirs.key)
        for certificate, answered in ((ours.certificate, "AR"), (theirs.certificate, "AA")):
            done = live.vna(*bind, str(certificate))
            assert done.returncode == 0, done.stderr
            with Sender("127.0.0.1", live.hl7_port, tls=context) as sender:
                wait_for(
                    lambda: sender.send(adt(application="LAB").encode()).code == answered,  # noqa: B023
                    what=f"LAB to be answered {answered}",
                )
        with Sender("127.0.0.1", live.hl7_port, tls=context) as sender:
            assert sender.send(adt().encode()).code == "AA"
        with MLLPClient("127.0.0.1", live.hl7_port) as client:
            client.socket = context.wrap_socket(client.socket, server_hostname="127.0.0.1")
            client.socket.settimeout(20)
            assert b"MSA|AA|C1" in client.send_message(message("T1", "C1"))
        with MLLPClient("127.0.0.1", live.hl7_port) as client, suppress(ConnectionError):
            client.socket.settimeout(20)
            assert b"MSA" not in client.send_message(message("T2", "C2")), "without TLS"
    finally:
        live.stop()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HOST", "0.0.0.0", "VNA_HL7__HOST is 0.0.0.0, which others can reach"),
        ("TLS__KEY", "k.pem", "VNA_HL7__TLS: TLS needs a certificate of ours first"),
        ("TLS__REQUIRE_CLIENT_CERTIFICATE", "perhaps", "VNA_HL7__TLS__REQUIRE_CLIENT_CERTIFICATE: "),
        ("CHARACTER_SET", "KLINGON", "VNA_HL7__CHARACTER_SET: a character set is one of HL7 table 0211"),
    ],
)
def test_settings_that_are_no_use_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"VNA_HL7__{name}", value)
    with pytest.raises(UnusableSettings) as caught:
        load()
    assert str(caught.value).startswith(words)


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"vna: nowhere\.pem cannot be used as certificate and key: No such file"):
        start_archive(Backend("sqlite+folder", tmp_path), HL7__TLS__CERTIFICATE="nowhere.pem")


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(RuntimeError, match=f"cannot listen on 127.0.0.1:{port}: .*VNA_HL7__PORT"):
            start_archive(Backend("sqlite+folder", tmp_path), HL7__PORT=port)

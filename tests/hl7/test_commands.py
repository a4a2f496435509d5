"""`vna hl7 send` and `vna hl7 listen`, and `vna source`, against each other and against a server that is not ours."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import hl7
import pytest
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

from tests.cli.conftest import Vna, vna
from tests.hl7 import certificates
from tests.hl7.conftest import Feed
from tests.hl7.messages import adt, cx, encoded
from tests.hl7.national import FACILITY
from tests.peers.processes import Child, start
from vna.cli.hl7 import _Showing
from vna.hl7.acknowledgment import Code
from vna.hl7.client import Sender, control_id, messages
from vna.model.access import SYSTEM
from vna.model.errors import CannotUnderstand, Unavailable
from vna.model.orders import OrderKey

__all__ = ["vna"]


class Foreign(threading.Thread):
    """A server of another library: answers AE to patients called BAD, hangs up on those called END."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: list[str] = []
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()

    def run(self) -> None:
        self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        self._ended = asyncio.Event()
        server = await start_hl7_server(self._serve, host="127.0.0.1", port=0, encoding="utf-8")
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await self._ended.wait()

    async def _serve(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        try:
            while True:
                message = await reader.readmessage()
                self.seen.append(str(message))
                if "END" in self.seen[-1]:
                    break
                writer.writemessage(message.create_ack("AE" if "BAD" in self.seen[-1] else "AA"))
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self.join(10)
        self._loop.close()


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    server = Foreign()
    server.start()
    assert server._ready.wait(10)
    yield server
    server.end()


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_file_of_messages_is_sent_to_a_server_that_is_not_ours(
    vna: Vna, foreign: Foreign, tmp_path: Path, end: str
) -> None:
    file = tmp_path / "feed.hl7"
    file.write_bytes((adt(name="Şahin^Gül") + "\n" + adt("A01", control_id="2")).replace("\r", end).encode())
    done = vna("hl7", "send", file, "--to", f"127.0.0.1:{foreign.port}")
    told = "accepted: message 1 (MSG1): AA\naccepted: message 2 (2): AA\n2 accepted, 0 refused, 0 not sent\n"
    assert (done.code, done.out, done.err) == (0, told, "")
    assert [hl7.parse(text).extract_field("MSH", 1, 10) for text in foreign.seen] == ["MSG1", "2"]
    assert "Şahin^Gül" in foreign.seen[0]


def test_refusals_are_listed_and_the_exit_code_says_so(vna: Vna, foreign: Foreign, tmp_path: Path) -> None:
    file = tmp_path / "feed.hl7"
    file.write_text(adt(control_id="A") + adt(control_id="B", name="BAD") + adt(control_id="C"))
    done = vna("hl7", "send", file, "--to", f"127.0.0.1:{foreign.port}")
    assert done.code == 1
    assert done.out.splitlines()[1:] == ["accepted: message 3 (C): AA", "2 accepted, 1 refused, 0 not sent"]
    assert done.err.startswith("refused: message 2 (B): AE")


def test_a_server_that_hangs_up_is_told_with_what_was_done(vna: Vna, foreign: Foreign, tmp_path: Path) -> None:
    file = tmp_path / "feed.hl7"
    file.write_text(adt() + adt(name="END") + adt())
    done = vna("hl7", "send", file, "--to", f"127.0.0.1:{foreign.port}")
    assert done.code == 1
    assert done.out.splitlines()[-1] == "1 accepted, 0 refused, 2 not sent"
    assert done.err == f"vna: 127.0.0.1:{foreign.port} ended the connection: without an answer\n"


def test_nobody_there_no_messages_and_a_wrong_place_are_one_line(vna: Vna, tmp_path: Path) -> None:
    file, empty = tmp_path / "feed.hl7", tmp_path / "empty.hl7"
    file.write_text(adt())
    empty.write_text("PID|1\n")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    for args, code, words in (
        ((file, "--to", f"127.0.0.1:{port}"), 1, f"no connection to 127.0.0.1:{port}: Connection refused"),
        ((empty, "--to", f"127.0.0.1:{port}"), 1, "holds no HL7 message: none of its lines begins with MSH"),
        ((tmp_path / "none", "--to", f"127.0.0.1:{port}"), 1, "No such file or directory"),
        ((file, "--to", "127.0.0.1"), 2, "127.0.0.1 is no listener: write HOST:PORT, such as 127.0.0.1:2575"),
        ((file, "--to", "127.0.0.1:0"), 2, "127.0.0.1:0 is no listener"),
    ):
        done = vna("hl7", "send", *args)
        assert done.code == code
        assert words in done.err
        assert done.err.count("\n") == 1


def test_a_listener_that_says_nothing_or_nonsense_is_told() -> None:
    def serve(answer: bytes) -> None:
        sock, _ = server.accept()
        with sock:
            sock.recv(65536)
            sock.settimeout(5)
            with suppress(OSError):
                sock.sendall(answer)
                while sock.recv(65536):
                    pass

    for answer, error, words in (
        (b"", Unavailable, "does not answer"),
        (b"HTTP/1.1 400 Bad Request\r\n", CannotUnderstand, "no HL7 message in MLLP"),
        (b"\x0bhello\x1c\r", CannotUnderstand, "the answer is no HL7 message"),
        (b"\x0bMSH|^~\\&|A\r\x1c\r", CannotUnderstand, "there is no MSA segment"),
        (b"\x0bMSH|" + b"x" * (2 << 20), CannotUnderstand, "no HL7 message in MLLP"),
    ):
        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=serve, args=(answer,))
            thread.start()
            with (
                Sender("127.0.0.1", server.getsockname()[1], timeout=0.5) as sender,
                pytest.raises(error, match=words),
            ):
                sender.send(encoded(adt()))
            thread.join()


def test_messages_of_a_file_are_found_with_marks_and_without(tmp_path: Path) -> None:
    file = tmp_path / "feed.hl7"
    first, second = adt().encode(), adt(control_id="2").encode()
    file.write_bytes(b"\x0b" + first + b"\x1c\r\x0b" + second + b"\x1c\r\n\nMSH|^~\\&|x\n")
    assert list(messages(file)) == [first, second, b"MSH|^~\\&|x\r"]


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[Child, int]]:
    pair = certificates.make(tmp_path, "listen")
    options = ["--port", "0", "--certificate", str(pair.certificate), "--key", str(pair.key)]
    child = start([sys.executable, "-m", "vna.cli", "hl7", "listen", *options], log=tmp_path / "listen.log")
    found = re.compile(r"listening on 127\.0\.0\.1:(\d+) with TLS")
    child.wait_until(lambda: found.search(child.output()) is not None)
    match = found.search(child.output())
    assert match is not None
    yield child, int(match[1])
    child.stop()


def test_listen_shows_what_comes_and_ends_well(vna: Vna, listening: tuple[Child, int], tmp_path: Path) -> None:
    child, port = listening
    file = tmp_path / "feed.hl7"
    file.write_bytes(encoded(adt(charset="8859/9", name="Şahin^\x1b[31mGül", control_id="T1"), "iso8859-9"))
    place = f"127.0.0.1:{port}"
    done = vna("hl7", "send", file, "--to", place, "--tls", "--ca", tmp_path / "listen.pem")
    assert (done.code, done.out.splitlines()[-1]) == (0, "1 accepted, 0 refused, 0 not sent")
    child.wait_until(lambda: "PV1||O" in child.output())
    assert "PID|||" + cx("P1") + "||Şahin^\\x1b[31mGül||19700101|F\n" in child.output()
    untrusted = vna("hl7", "send", file, "--to", place, "--tls")
    assert untrusted.code == 1
    assert "self-signed certificate" in untrusted.err.replace("self signed", "self-signed")
    child.popen.send_signal(signal.SIGINT)
    assert child.popen.wait(10) == 0


def test_listen_refuses_where_it_is_told_to_and_ends_after_so_many(vna: Vna, tmp_path: Path) -> None:
    kept = tmp_path / "received"
    kept.mkdir()
    (kept / "000001.hl7").write_text("of yesterday")
    options = ["--port", "0", "--answer", "AE", "--count", "2", "--folder", str(kept)]
    child = start(
        [sys.executable, "-m", "vna.cli", "hl7", "listen", *options],
        log=tmp_path / "listen.log",
        env={name: value for name, value in os.environ.items() if not name.startswith("VNA_")},
    )
    child.wait_until(lambda: "listening on" in child.output())
    port = child.output().split("127.0.0.1:")[1].split()[0]
    (tmp_path / "feed.hl7").write_text(adt() + adt(version="2.5"))
    done = vna("hl7", "send", tmp_path / "feed.hl7", "--to", f"127.0.0.1:{port}")
    assert (done.code, done.out) == (1, "0 accepted, 2 refused, 0 not sent\n")
    assert "refused: message 2 (MSG1): AE 207: this listener was told to refuse" in done.err
    assert child.popen.wait(10) == 0
    assert [one.read_bytes() for one in sorted(kept.iterdir())] == [
        b"of yesterday",
        encoded(adt()),
        encoded(adt(version="2.5")),
    ]


def test_a_message_that_cannot_be_kept_is_not_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    showing = _Showing(Code.ACCEPT, 0, threading.Event(), tmp_path / "file")
    assert b"\rMSA|AR|MSG1|the message could not be kept" in showing.answer(encoded(adt()), "127.0.0.1", b"")
    assert "not kept: " in capsys.readouterr().err


def test_what_a_terminal_would_obey_is_shown_as_signs(vna: Vna, foreign: Foreign, tmp_path: Path) -> None:
    file = tmp_path / "feed.hl7"
    file.write_text(adt(control_id="\x1b[2J"))
    done = vna("hl7", "send", file, "--to", f"127.0.0.1:{foreign.port}")
    assert done.out.startswith("accepted: message 1 (\\x1b[2J): AA\n")


def test_samples_keep_the_rules_of_the_strictest_sender_and_are_taken(
    vna: Vna, empty_feed: Feed, tmp_path: Path
) -> None:
    empty_feed.know("SAMPLES")
    said = [
        vna("hl7", "sample", kind, "--accession", "S1", "--application", "SAMPLES").out
        for kind in ("order", "report", "order")
    ]
    said.append(vna("hl7", "sample", "cancel", "--accession", "S2", "--application", "SAMPLES").out)
    (tmp_path / "all.hl7").write_text("".join(said), "utf-8")
    sent = list(messages(tmp_path / "all.hl7"))
    assert [empty_feed(one)[:2] for one in sent] == [("AA", ""), ("AA", ""), ("AA", ""), ("AE", "V320")]
    assert len({control_id(one) for one in sent}) == 4
    key = OrderKey(FACILITY, "S1")
    assert empty_feed.archive.national.orders.get(SYSTEM, key).order.patient.name == "ÖRNEK^AYŞE"
    assert len(empty_feed.archive.national.reports.of(SYSTEM, key)) == 1


def test_a_sample_goes_to_the_receiver_of_the_sites_profile_and_an_unknown_kind_is_told(
    vna: Vna, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "site.toml").write_text('[hl7]\nreceiving_application = "ARSIV"\n')
    monkeypatch.setenv("VNA_NATIONAL__PROFILE", str(tmp_path / "site.toml"))
    assert vna("hl7", "sample", "order", "--facility", "A|B").out.split("|")[4] == "ARSIV"
    assert "|A\\F\\B\n" in vna("hl7", "sample", "order", "--facility", "A|B").out
    done = vna("hl7", "sample", "invoice")
    assert (done.code, done.out) == (2, "")
    assert "invoice is none of order, cancel, report" in done.err


def test_listen_says_what_is_wrong(vna: Vna) -> None:
    assert "XX is none of AA, AE, AR" in vna("hl7", "listen", "--answer", "XX").err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = vna("hl7", "listen", "--port", str(taken.getsockname()[1]))
    assert done.code == 1
    assert "cannot listen on 127.0.0.1:" in done.err


def test_sources_are_added_changed_listed_and_removed(vna: Vna) -> None:
    wanted = "vna: a source needs an address or a network that it sends from, or an archive that can be read\n"
    assert vna("source", "add", "HIS").err == wanted
    assert (
        vna("source", "add", "HIS", "--address", "10.0.0.7, 10.1.0.0/16", "--facility", "34001").out == "HIS is known\n"
    )
    assert vna("source", "add", "HIS", "--application", "HBYS").code == 0
    (row,) = json.loads(vna("source", "list", "--format", "json").out)
    assert {key: value for key, value in row.items() if value} == {
        "name": "HIS",
        "application": "HBYS",
        "addresses": "10.0.0.7,10.1.0.0/16",
        "facility": "34001",
        "connections": 4,
        "hl7_profile": "hospital",
    }
    assert row["sending_facility"] == ""
    assert "10.0.0.300 is no address or network" in vna("source", "add", "X", "--address", "10.0.0.300").err
    assert vna("source", "remove", "HIS").code == 0
    assert vna("source", "remove", "HIS").err == "vna: no source HIS is known\n"

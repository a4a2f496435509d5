"""An archive that is fed, and listeners in this process."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.archives import Backend, Open
from tests.hl7.messages import DOMAIN
from tests.hl7.national import FACILITY
from tests.peers.processes import missing
from vna.app import Application, build, prepare
from vna.app.doors import hl7_dispatch
from vna.hl7.dispatch import Dispatch
from vna.hl7.listener import Answering, Limits, Listener
from vna.hl7.message import Message, read, read_header
from vna.model.access import SYSTEM
from vna.model.sources import MessageProfile, Messages, Source
from vna.settings import SecurityMode

NODE = Path(__file__).parent / "node"


@pytest.fixture
def node() -> str:
    """The program that runs the peers of npm."""
    found = shutil.which("node")
    if found is None or not (NODE / "node_modules").exists():
        missing("node with the packages of scripts/fetch-npm-peers")
    assert found is not None
    return found


def parsed(data: bytes) -> Message:
    header = read_header(data)
    assert header is not None
    return read(data, header)


@dataclass(frozen=True, slots=True)
class Feed:
    """An archive, and what it answers to messages."""

    archive: Application
    dispatch: Dispatch

    def raw(self, message: str | bytes, address: str = "127.0.0.1") -> Message:
        data = message.encode() if isinstance(message, str) else message
        return parsed(self.dispatch.answer(data, address))

    def __call__(self, message: str | bytes, address: str = "127.0.0.1") -> tuple[str, str, str]:
        """MSA-1, the code of table 0357 and the field that ERR names."""
        answer = self.raw(message, address)
        code = answer.one("MSA").value(1)
        errors = list(answer.all("ERR"))
        if not errors:
            return code, "", ""
        old = not errors[0].value(3)
        place, coded = (1, (1, 4)) if old else (2, (3, 1))
        where = f"{errors[0].value(place)}-{errors[0].value(place, 3)}".rstrip("-")
        return code, errors[0].value(*coded), where

    def enforced(self) -> Feed:
        """The same archive for senders that have to be known."""
        settings = self.archive.settings
        security = settings.security.model_copy(update={"mode": SecurityMode.ENFORCED})
        archive = build(settings.model_copy(update={"security": security}))
        return Feed(archive, hl7_dispatch(archive))

    def know(self, name: str, **changes: Any) -> None:
        """A source at this address that belongs to the usual facility and declared UTF8, national unless told."""
        messages = Messages(changes.pop("profile", MessageProfile.NATIONAL), changes.pop("character_set", "UTF8"))
        usual = Source(name, name, addresses=("127.0.0.1",), facility=FACILITY, messages=messages)
        self.archive.sources.add(SYSTEM, replace(usual, **changes))


@pytest.fixture
def feed(open_archive: Open) -> Feed:
    """On both pairs of stores; KIMLIK is the domain's namespace."""
    archive = open_archive(xds={"affinity_domain": DOMAIN}, hl7={"port": 0, "namespace": "KIMLIK"})
    return Feed(archive, hl7_dispatch(archive))


@pytest.fixture(scope="module")
def empty_feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feed]:
    """The same for messages that leave nothing."""
    backend = Backend("sqlite+folder", tmp_path_factory.mktemp("feed"))
    settings = backend.settings(xds={"affinity_domain": DOMAIN}, hl7={"port": 0, "namespace": "KIMLIK"})
    prepare(settings)
    archive = build(settings)
    yield Feed(archive, hl7_dispatch(archive))
    archive.close()


class Plain:
    """Answers every message with its own bytes, slowly where it is told to."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.gate = threading.Event()
        self.gate.set()
        self.at_work = threading.Event()

    def answer(self, data: bytes, address: str, certificate: bytes) -> bytes:
        self.seen.append(data)
        self.at_work.set()
        self.gate.wait(10)
        return data

    def reject(self, data: bytes, words: str, address: str) -> bytes:
        return b"MSH|rejected " + words.encode()


@dataclass(slots=True)
class Live:
    """A listener that runs in a thread."""

    port: int
    answering: Plain
    stop: threading.Event
    thread: threading.Thread

    def connect(self, timeout: float = 10) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def end(self) -> None:
        self.stop.set()
        self.thread.join(15)
        assert not self.thread.is_alive()


Listen = Callable[..., Live]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """`listen(Limits(...), tls=..., admits=...)` starts one."""
    running: list[Live] = []

    def begin(
        limits: Limits | None = None,
        *,
        answering: Answering | None = None,
        tls: ssl.SSLContext | None = None,
        admits: Callable[[str], bool] | None = None,
    ) -> Live:
        sock = socket.create_server(("127.0.0.1", 0))
        plain = Plain()
        listener = Listener(answering or plain, limits or Limits(), (lambda: tls) if tls else None, admits)
        stop = threading.Event()

        def run() -> None:
            with sock:
                listener.run(sock, stop, grace_seconds=5)

        thread = threading.Thread(target=run)
        thread.start()
        running.append(Live(sock.getsockname()[1], plain, stop, thread))
        return running[-1]

    yield begin
    for live in running:
        live.end()


def received(sock: socket.socket) -> bytes:
    """Everything until the other side ends."""
    found = b""
    while piece := sock.recv(65536):
        found += piece
    return found


def one_frame(sock: socket.socket) -> bytes:
    found = b""
    while not found.endswith(b"\x1c\r"):
        piece = sock.recv(65536)
        assert piece, found
        found += piece
    return found[1:-2]

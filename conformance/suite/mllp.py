"""The suite as an HL7 v2 sender over MLLP, each frame evidence."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.suite.check import Failed

if TYPE_CHECKING:
    from conformance.suite.session import Session
    from conformance.suite.targets import Place

START, END = b"\x0b", b"\x1c\r"


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgment, taken apart by separators alone."""

    segments: tuple[tuple[str, ...], ...]

    def field(self, segment: str, number: int) -> str:
        """A field of the first segment of that name, as it stands; empty where there is none."""
        for fields in self.segments:
            if fields[0] == segment:
                at = number - 1 if segment == "MSH" else number
                return fields[at] if at < len(fields) else ""
        return ""

    @property
    def code(self) -> str:
        """MSA-1."""
        return self.field("MSA", 1)


def parsed(frame: bytes) -> Answer:
    """A message between its frame characters; Failed when it is none."""
    text = frame.decode("utf-8", "replace")
    if not text.startswith("MSH") or len(text) < 4:
        raise Failed(f"the answer is no HL7 message: {text[:60]!r}")
    separator = text[3]
    return Answer(tuple(tuple(line.split(separator)) for line in text.split("\r") if line))


class Connection:
    """One MLLP connection to the target `hl7`."""

    def __init__(self, session: Session, tls: ssl.SSLContext | None = None, where: Place | None = None) -> None:
        self._session = session
        there = where or session.targets.hl7
        assert there is not None
        try:
            plain = socket.create_connection((there.host, there.port), timeout=session.caller.timeout)
            self._socket = tls.wrap_socket(plain, server_hostname=there.host) if tls is not None else plain
        except OSError as exc:
            raise Failed(f"no connection to {there}: {exc}") from exc
        self._rest = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        self._session.evidence.sent("MLLP", data)
        try:
            self._socket.sendall(data)
        except OSError as exc:
            raise Failed(f"the connection was closed while a message was sent: {exc}") from exc

    def read(self) -> bytes:
        """The next frame without its characters; empty when the connection ends or nothing comes in time."""
        got = self._rest
        try:
            while END not in got:
                piece = self._socket.recv(65_536)
                if not piece:
                    break
                got += piece
        except OSError as exc:
            self._session.evidence.came("nothing", str(exc))
            return b""
        frame, _, self._rest = got.partition(END)
        self._session.evidence.came("MLLP", got[: len(frame) + 2])
        if got and not got.startswith(START):
            raise Failed("the answer does not begin with the start block character (0BH)")
        return frame[1:]

    def ask(self, message: str, codec: str = "utf-8") -> Answer:
        """One message, and its acknowledgment."""
        self.write(START + message.encode(codec) + END)
        frame = self.read()
        if not frame:
            raise Failed("there is no acknowledgment")
        return parsed(frame)


def tell(session: Session, message: str) -> Answer:
    """A message on a connection of its own."""
    with Connection(session) as connection:
        return connection.ask(message)

"""Sending messages over MLLP and reading what is answered (HL7 v2.5 2.9.2, Appendix C.4)."""

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vna.hl7.acknowledgment import Code
from vna.hl7.framing import Frames, NotMLLP, TooLong, framed
from vna.hl7.message import Segment, read, read_header
from vna.hl7.refusal import Refused
from vna.model.errors import CannotUnderstand, Unavailable

MAX_ANSWER: Final = 1 << 20
_PIECE: Final = 64 << 10
_CONNECT_SECONDS: Final = 10.0
_ACCEPTED: Final = frozenset({Code.ACCEPT.value, "CA"})
"""CA is the commit accept of the enhanced mode, which some answer all the same (HL7 table 0008)."""

_BEGINNING: Final = re.compile(rb"(?:\A|(?<=[\r\n\x0b]))MSH")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: MSA-1, MSA-2, the words with it, the sender's own or those of ERR, and the code of ERR: the
    receiver's own where it has one, else that of HL7 table 0357."""

    code: str
    control_id: str
    words: str = ""
    error: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.code in _ACCEPTED


class Sender:
    """One connection to a listener; messages go over it one after another. Unavailable when there is none, or it ends.

    An answer has to come within `timeout` seconds.
    """

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None = None, timeout: float = 30.0) -> None:
        self._where = f"{host}:{port}"
        self._frames = Frames(MAX_ANSWER)
        try:
            sock = socket.create_connection((host, port), timeout=_CONNECT_SECONDS)
            self._socket = tls.wrap_socket(sock, server_hostname=host) if tls is not None else sock
        except ssl.SSLError as exc:
            raise Unavailable(f"no TLS with {self._where}: {_tls_reason(exc)}") from exc
        except OSError as exc:
            raise Unavailable(f"no connection to {self._where}: {exc.strerror or exc}") from exc
        self._socket.settimeout(timeout)

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, message: bytes) -> Answer:
        """Send one message and wait for its answer. CannotUnderstand when what comes back is none."""
        try:
            self._socket.sendall(framed(message))
            return _answer(self._next())
        except TimeoutError as exc:
            raise Unavailable(f"{self._where} does not answer") from exc
        except (NotMLLP, TooLong) as exc:
            raise CannotUnderstand(f"{self._where} answers something that is no HL7 message in MLLP") from exc
        except OSError as exc:
            raise Unavailable(f"{self._where} ended the connection: {_tls_reason(exc)}") from exc

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _next(self) -> bytes:
        while (answer := self._frames.next()) is None:
            piece = self._socket.recv(_PIECE)
            if not piece:
                raise ConnectionError("without an answer")
            self._frames.feed(piece)
        return answer


def messages(path: Path) -> Iterator[bytes]:
    """The messages of a file, one after another: each begins with MSH at the start of a line, with MLLP's marks or
    without; line ends of any kind become carriage returns.

    CannotUnderstand when there is none.
    """
    data = path.read_bytes()
    starts = [found.start() for found in _BEGINNING.finditer(data)]
    if not starts:
        raise CannotUnderstand(f"{path} holds no HL7 message: none of its lines begins with MSH")
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        lines = re.split(rb"\r\n|\r|\n", data[start:end].rstrip(b"\r\n\x0b\x1c "))
        yield b"\r".join(line for line in lines if line) + b"\r"


def control_id(message: bytes) -> str:
    """MSH-10; empty where it cannot be read."""
    header = read_header(message)
    return header.value(10) if header is not None else ""


def _answer(data: bytes) -> Answer:
    header = read_header(data)
    if header is None:
        raise CannotUnderstand("the answer is no HL7 message")
    try:
        message = read(data, header)
        msa = message.one("MSA")
    except Refused as exc:
        raise CannotUnderstand(f"the answer cannot be read: {exc}") from exc
    errors = tuple(message.all("ERR"))
    words = [msa.value(3), *map(_told, errors)]
    error = next(filter(None, map(_code, errors)), msa.value(6, 1))
    return Answer(msa.value(1), msa.value(2), max(words, key=len), error)


def _told(err: Segment) -> str:
    """ERR-8 where it is used, else the text of the coded error."""
    return err.value(8) or err.value(3, 2) or err.value(1, 4, 2)


def _code(err: Segment) -> str:
    """ERR-5, ERR-3, or what ERR-1 has in their place (HL7 v2.5 2.15.5)."""
    return err.value(5) or err.value(3) or err.value(1, 4, 1)


def _tls_reason(exc: OSError) -> str:
    verify = getattr(exc, "verify_message", "")
    return str(verify or getattr(exc, "reason", None) or exc.strerror or exc)

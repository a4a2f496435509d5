"""Servers that lie: each connection gets what a test says, byte by byte."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Behave = Callable[[socket.socket, bytes], None]
"""What is done with a connection, and the head of the request that came over it."""


@dataclass
class Server:
    """One that listens on loopback; `asked` are the heads of all requests."""

    port: int = 0
    asked: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(behave: Behave, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve every connection with `behave`, then close it."""
    server = Server()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        threads: list[threading.Thread] = []

        def one(sock: socket.socket) -> None:
            with suppress(OSError), sock:
                secure = tls.wrap_socket(sock, server_side=True) if tls is not None else sock
                head = b""
                while b"\r\n\r\n" not in head and (piece := secure.recv(65536)):
                    head += piece
                server.asked.append(head)
                behave(secure, head)
                secure.close()

        def run() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    threads.append(threading.Thread(target=one, args=(sock,), daemon=True))
                    threads[-1].start()

        accepting = threading.Thread(target=run, daemon=True)
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def answer(status: str, body: bytes = b"", **fields: str) -> bytes:
    """A whole answer; `Content_Type="text/html"` is a header field."""
    said = {"Content-Length": str(len(body)), "Connection": "close"} | {
        name.replace("_", "-"): value for name, value in fields.items()
    }
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in said.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(content: bytes) -> Behave:
    """Answers everything with these bytes."""
    return lambda sock, _: sock.sendall(content)


def multipart(*parts: bytes, boundary: str = "b", closed: bool = True) -> bytes:
    """Bodies of application/dicom."""
    lines = [f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + part + b"\r\n" for part in parts]
    return b"".join(lines) + (f"--{boundary}--\r\n".encode() if closed else b"")

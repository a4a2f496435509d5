"""A proxy in front of an S3 store that does, as often as it is told, what stores and networks do on a bad day."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BUSY, CUT, CORRUPT, LOSE_ANSWER, SILENT, CORRUPT_UPLOAD = "busy", "cut", "corrupt", "lose", "silent", "corrupt-upload"

_BUSY_XML = b"<Error><Code>SlowDown</Code><Message>slow</Message></Error>"


class WrongStore:
    """`fail(BUSY, 2, "PUT")` makes the next two PUTs fail so; `requests` are those that came."""

    def __init__(self, port: int) -> None:
        self.requests: list[tuple[str, str]] = []
        self._to: list[tuple[str, str]] = []
        self._behind = port
        self._ends = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                proxy._answer(self)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def fail(self, how: str, times: int = 1, method: str = "") -> None:
        self._to += [(how, method)] * times

    def mend(self) -> None:
        """Do nothing wrong any more."""
        self._to.clear()

    def close(self) -> None:
        self._ends.set()
        self._server.shutdown()
        self._server.server_close()

    def _next(self, method: str) -> str:
        for at, (how, only) in enumerate(self._to):
            if only in {"", method}:
                del self._to[at]
                return how
        return ""

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        method = request.command
        self.requests.append((method, request.path))
        how = self._next(method)
        if how == BUSY:
            request.send_response(503)
            request.send_header("Content-Type", "application/xml")
            request.send_header("Content-Length", str(len(_BUSY_XML)))
            request.end_headers()
            request.wfile.write(_BUSY_XML if method != "HEAD" else b"")
            return
        if how == SILENT:
            self._ends.wait(60)
            request.close_connection = True
            return
        if how == CORRUPT_UPLOAD:
            body = _flipped(body)
        behind = http.client.HTTPConnection("127.0.0.1", self._behind, timeout=30)
        with contextlib.closing(behind):
            behind.request(method, request.path, body, dict(request.headers.items()))
            answer = behind.getresponse()
            content = answer.read()
        if how == LOSE_ANSWER:
            request.close_connection = True
            return
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                request.send_header(name, value)
        request.send_header("Content-Length", answer.getheader("Content-Length") or str(len(content)))
        request.end_headers()
        if how == CUT:
            request.wfile.write(content[: len(content) // 2])
            request.close_connection = True
            return
        request.wfile.write(_flipped(content) if how == CORRUPT else content)


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@contextlib.contextmanager
def wrong_store(port: int) -> Iterator[WrongStore]:
    """In front of the store at a port of this machine."""
    proxy = WrongStore(port)
    try:
        yield proxy
    finally:
        proxy.close()

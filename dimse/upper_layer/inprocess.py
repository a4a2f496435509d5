"""A server listening within this process: for tests, and for tools that receive while they send."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dimse.upper_layer.acceptor import Acceptor, channel_pair, listen
from dimse.upper_layer.server import Server
from dimse.upper_layer.worker import ConnectionChannel, run_worker


@contextmanager
def listening(
    server: Server, host: str = "127.0.0.1", port: int = 0, *, limit: int = 400, grace_seconds: float = 5.0
) -> Iterator[int]:
    """Serve on a port of its own choice, which it yields, until the block ends."""
    sock = listen(host, port)
    acceptor = Acceptor(sock, limit)
    ours, theirs = channel_pair()
    acceptor.add_worker(ours)
    stop = threading.Event()

    def accept() -> None:
        while not stop.is_set():
            acceptor.poll(0.05)

    channel = ConnectionChannel(theirs)
    accepting = threading.Thread(target=accept, name="dicom-acceptor", daemon=True)
    working = threading.Thread(
        target=run_worker, args=(server, channel, stop), kwargs={"grace_seconds": grace_seconds}, daemon=True
    )
    accepting.start()
    working.start()
    try:
        yield sock.getsockname()[1]
    finally:
        stop.set()
        accepting.join()
        acceptor.close()
        working.join()
        channel.close()

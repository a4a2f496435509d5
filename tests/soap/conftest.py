"""Services on a real HTTP server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from starlette.types import ASGIApp

from tests.soap import echo, fake_repository
from vna.soap.limits import Limits


@dataclass(frozen=True, slots=True)
class Live:
    """A service that listens; `spool` is where it puts what is large."""

    port: int
    path: str
    spool: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"


Serve = Callable[[ASGIApp, str, Path], Live]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts applications on free ports of loopback, in threads of this process."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: ASGIApp, path: str, spool: Path) -> Live:
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, http="httptools", loop="asyncio", ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread))
        while not server.started:
            time.sleep(0.01)
        return Live(listener.getsockname()[1], path, spool)

    yield start
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join(10)


Echo = Callable[..., Live]


@pytest.fixture
def echoing(serve: Serve, tmp_path: Path) -> Echo:
    """`echoing()` starts the echo service; `echoing(limits)` with these bounds."""

    def start(limits: Limits | None = None) -> Live:
        spool = tmp_path / "spool"
        spool.mkdir(exist_ok=True)
        return serve(echo.application(spool, limits), echo.PATH, spool)

    return start


@pytest.fixture
def repository(serve: Serve, tmp_path: Path) -> Live:
    """The repository that keeps nothing."""
    spool = tmp_path / "spool"
    spool.mkdir()
    return serve(fake_repository.application(spool), fake_repository.PATH, spool)

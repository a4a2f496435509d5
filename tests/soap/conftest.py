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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def live(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Live:
    """The echo service, with the bounds that services have."""
    spool = tmp_path_factory.mktemp("spool")
    return serve(echo.application(spool), echo.PATH, spool)


Bounded = Callable[[Limits], Live]


@pytest.fixture
def bounded(serve: Serve, tmp_path: Path) -> Bounded:
    """`bounded(limits)` starts the echo service with these bounds."""

    def start(limits: Limits) -> Live:
        return serve(echo.application(tmp_path, limits), echo.PATH, tmp_path)

    return start


@pytest.fixture(scope="session")
def repository(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Live:
    """The repository that keeps nothing."""
    spool = tmp_path_factory.mktemp("spool")
    return serve(fake_repository.application(spool), fake_repository.PATH, spool)

"""dcmtk's command line programs: clients that run to their end, and its storescp server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from .processes import Child, free_port, need_isolation, start, system_program

NO_DELAY = {"TCP_NODELAY": "1"}


class Dcmtk(Protocol):
    def __call__(
        self, tool: str, *args: str | Path | int, env: Mapping[str, str] | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]: ...


def run_dcmtk(
    tool: str, *args: str | Path | int, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a dcmtk program to its end; a failure is for the caller to see in `returncode`.

    stderr, where dcmtk logs, is part of stdout. What its files' character sets make of that is kept readable.
    """
    return subprocess.run(
        [system_program(tool, package="dcmtk"), *map(str, args)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="backslashreplace",
        env={**os.environ, **NO_DELAY, **(env or {})},
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="session")
def dcmtk() -> Dcmtk:
    """`dcmtk("storescu", "-v", "127.0.0.1", port, path)` runs the tool and returns what it said."""
    system_program("echoscu", package="dcmtk")
    return run_dcmtk


@dataclass(slots=True)
class StoreSCP:
    """A running storescp; each instance it receives is a file in `directory`."""

    ae_title: str
    port: int
    directory: Path
    child: Child = field(repr=False)

    def files(self) -> list[Path]:
        return sorted(path for path in self.directory.iterdir() if path.is_file())

    def stop(self) -> None:
        self.child.stop()


def start_storescp(directory: Path, *options: str, ae_title: str = "STORESCP", port: int = 0) -> StoreSCP:
    """Start one; without other options it accepts all transfer syntaxes (+xa) and keeps the bytes as they came (+B)."""
    need_isolation("storescp")
    program = system_program("storescp", package="dcmtk")
    port = port or free_port()
    received = directory / "received"
    received.mkdir()
    argv: list[str | Path] = [program, *(options or ("+B", "+xa")), "-aet", ae_title, "-od", received, str(port)]
    child = start(argv, log=directory / "storescp.log", env=NO_DELAY, cwd=directory)
    child.wait_until_port(port)
    return StoreSCP(ae_title, port, received, child)


@pytest.fixture(scope="session")
def storescp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., StoreSCP]]:
    """Start a storescp, with the arguments of `start_storescp`; those not stopped end with the session."""
    with ExitStack() as running:

        def start_one(*options: str, ae_title: str = "STORESCP") -> StoreSCP:
            started = start_storescp(tmp_path_factory.mktemp("storescp"), *options, ae_title=ae_title)
            running.callback(started.stop)
            return started

        yield start_one

"""Child processes: free ports, start, readiness, stop by pid."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

import psutil
import pytest

# Below Linux's ephemeral ports, so that no outgoing connection takes one between the choice and the bind.
# SeaweedFS also opens every port plus 10000.
FIRST_PORT, PORTS, SECOND_PORT_OFFSET = 12_000, 10_000, 10_000

# Each xdist worker, and each run in another namespace, begins elsewhere.
_candidates = itertools.cycle(FIRST_PORT + (os.getpid() * 211 + n) % PORTS for n in range(PORTS))


def free_port() -> int:
    """A port nobody listens on, and that was not given out lately."""
    for port in itertools.islice(_candidates, PORTS):
        if _can_bind(port) and _can_bind(port + SECOND_PORT_OFFSET):
            return port
    raise RuntimeError("no free port")


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def wait_for(ready: Callable[[], bool], *, what: str, timeout: float = 30) -> None:
    """Return once `ready()` is true; TimeoutError, naming `what`, after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not ready after {timeout:g} s")
        time.sleep(0.02)


def wait_for_port(port: int, *, timeout: float = 30) -> None:
    wait_for(lambda: answers(port), what=f"port {port}", timeout=timeout)


class Running(Protocol):
    """What a child is asked: a `subprocess.Popen`, or what was forked (`forks`)."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...
    def kill(self) -> None: ...


@dataclass(slots=True)
class Child:
    """A process of ours; its output is in `log`."""

    name: str
    popen: Running
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until(self, ready: Callable[[], bool], *, timeout: float = 30) -> None:
        """Like `wait_for`; a child that ends first is a RuntimeError with the end of its output."""

        def ready_or_dead() -> bool:
            if (code := self.popen.poll()) is not None:
                raise RuntimeError(f"{self.name} ended with {code}:\n{self.output()[-2000:]}")
            return ready()

        wait_for(ready_or_dead, what=self.name, timeout=timeout)

    def wait_until_port(self, port: int, *, timeout: float = 30) -> None:
        self.wait_until(lambda: answers(port), timeout=timeout)

    def stop(self, how: signal.Signals = signal.SIGTERM, *, timeout: float = 10) -> None:
        """Signal this process alone; kill it if it has not ended after `timeout` seconds."""
        if self.popen.poll() is not None:
            return
        self.popen.send_signal(how)
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def start(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    cwd: Path | None = None,
) -> Child:
    """Start a child that ends with us, even if we are killed; `env` is added to ours.

    setpriv replaces itself by the program, so the child's pid is the program's own.
    """
    wrapper = ["setpriv", "--pdeathsig", "KILL"]
    if user is not None:
        wrapper += ["--reuid", user, "--regid", user, "--init-groups"]
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [*wrapper, *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
    return Child(name=Path(argv[0]).name, popen=popen, log=log)


# The environment's own bin stays out: pynetdicom installs programs named like dcmtk's.
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def system_program(name: str, *, package: str) -> Path:
    """Where the system's program is; without it the test is skipped."""
    if (found := shutil.which(name, path=SYSTEM_PATH)) is None:
        missing(f"{name} is not installed (Debian: apt-get install {package})")
    return Path(found)


def missing(reason: str) -> NoReturn:
    """Skip the test for want of a peer; a failure where REQUIRE_TEST_PEERS says that all are there (CI)."""
    if os.environ.get("REQUIRE_TEST_PEERS"):
        pytest.fail(reason)
    pytest.skip(reason)


def only_loopback_is_up() -> bool:
    """Whether nobody outside can reach what listens on all addresses here."""
    return {name for name, state in psutil.net_if_stats().items() if state.isup} <= {"lo"}


def need_isolation(peer: str) -> None:
    """Skip unless in a network namespace of our own: `peer` listens on all addresses."""
    if not only_loopback_is_up():
        missing(f"{peer} listens on all addresses and runs only in a network namespace (scripts/in-namespace)")

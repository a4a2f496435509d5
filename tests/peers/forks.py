"""`vna` as a process of its own that need not import it first: forked from one that has.

Importing takes two seconds of a processor, and the tests start hundreds. What is forked has its own environment,
folder, input and output, runs `vna.cli.main` and ends as a program does. tests/test_readme.py and tests/cli start `vna`
itself.

    python tests/peers/forks.py SOCKET        serves: a connection is a process, and ends with its exit code
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

# All but prometheus_client, which looks at the environment when it is imported.
IMPORTED = ("vna.cli.commands", "vna.app.serving", "vna.app.http_protocol", "vna.demo", "uvloop", "httptools")
_PR_SET_PDEATHSIG = 1
_LONGEST = 1 << 20


class Forked:
    """What `subprocess.Popen` is for a program, as far as tests ask."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._connection = connection

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("vna", timeout or 0)
            self.returncode = int(self._connection.recv(64) or -signal.SIGKILL)
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def fork(
    arguments: Sequence[str],
    *,
    output: BinaryIO,
    errors: BinaryIO | None = None,
    stdin: BinaryIO | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Forked:
    """Start `vna` with these arguments, and `env` added to our environment without settings; it ends with us."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(str(_origin()))
    wanted = {"arguments": arguments, "env": {**_without_settings(), **(env or {})}, "cwd": str(cwd or Path.cwd())}
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  a file to be handed on
        files = [(stdin or nothing).fileno(), output.fileno(), (errors or output).fileno()]
        socket.send_fds(connection, [json.dumps(wanted).encode()], files)
        return Forked(int(connection.recv(64)), connection)


def run(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, like `subprocess.run` with `text` and `capture_output`."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        said.write(stdin.encode())
        said.seek(0)
        child = fork(arguments, output=output, errors=errors, stdin=said, env=env, cwd=cwd)
        try:
            code = child.wait(timeout)
        finally:
            child.kill()
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(["vna", *arguments], code, output.read().decode(), errors.read().decode())


@functools.cache
def _origin() -> Path:
    """Where the one that has imported `vna` listens; it is started once for each pytest process."""
    folder = tempfile.TemporaryDirectory(prefix="vna-forks-")
    atexit.register(folder.cleanup)
    address = Path(folder.name) / "socket"
    root = Path(__file__).parents[2]
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(address))
        listener.listen(64)
        child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, __file__, str(listener.fileno())],
            env={**_without_settings(), "PYTHONPATH": str(root)},
            stdin=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            cwd=root,
        )
    atexit.register(_end, child)
    return address


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("VNA_")}


# ---- the process that has imported everything


def serve(listener: socket.socket) -> Sequence[str]:
    """Fork for every connection; returns in what was forked, with its arguments."""
    for name in IMPORTED:
        importlib.import_module(name)
    running: dict[int, socket.socket] = {}
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([listener.fileno(), ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _reap(running)
        if listener.fileno() not in ready:
            continue
        connection, _ = listener.accept()
        said, files, _, _ = socket.recv_fds(connection, _LONGEST, 3)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (listener, connection, *running.values()):
                one.close()
            for number in (ended, wake):
                os.close(number)
            return _become(json.loads(said), files)
        for number in files:
            os.close(number)
        running[pid] = connection
        connection.send(str(pid).encode())


def _reap(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as connection, suppress(OSError):
            connection.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(wanted: dict[str, object], files: Sequence[int]) -> Sequence[str]:
    """A process like one that was started with these."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for target, number in enumerate(files):
        os.dup2(number, target)
        os.close(number)
    sys.stdin = os.fdopen(0, "r", closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.environ.clear()
    os.environ.update(wanted["env"])  # type: ignore[call-overload]
    time.tzset()
    os.chdir(str(wanted["cwd"]))
    arguments = [str(one) for one in wanted["arguments"]]  # type: ignore[attr-defined]
    sys.argv = ["vna", *arguments]
    return arguments


if __name__ == "__main__":
    arguments = serve(socket.socket(fileno=int(sys.argv[1])))
    from vna.cli import main

    main(arguments)

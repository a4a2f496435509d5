"""Networks that can be cut: a node in a network namespace of its own, and one link to the rest.

The rest stays where it is, on loopback. Doors lead through: sockets that belong to one namespace are made by a thread
that is in it for a moment (setns(2)), and passed on from there.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .processes import wait_for

_CLONE_NEWNET = 0x40000000
NODE, FAR = "10.99.0.1", "10.99.0.2"


def _enter(namespace: Path) -> None:
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(descriptor)


def _made_in(namespace: Path, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A socket of that namespace."""
    made: list[socket.socket] = []

    def make() -> None:
        _enter(namespace)
        made.append(socket.socket(socket.AF_INET, kind))

    thread = threading.Thread(target=make)  # namespaces are a thread's own
    thread.start()
    thread.join()
    return made[0]


@dataclass(slots=True)
class Link:
    """Between the namespace of a node and the one that stands for the servers; `cut` and `heal` it."""

    node: Path
    far: Path
    _listeners: list[socket.socket] = field(default_factory=list)

    @property
    def wrapper(self) -> tuple[str, ...]:
        """In front of a program that is to run in the node's namespace."""
        return ("nsenter", f"--net={self.node}", "--")

    def cut(self) -> None:
        """No packet passes, and nobody is told."""
        _run("nsenter", f"--net={self.far}", "--", "ip", "link", "set", "link1", "down")

    def heal(self) -> None:
        _run("nsenter", f"--net={self.far}", "--", "ip", "link", "set", "link1", "up")

    def serve(self, port: int) -> None:
        """What listens on our loopback is found by the node at FAR."""
        listener = _made_in(self.far)
        self._relay(listener, (FAR, port), None, port)

    def reach(self, port: int) -> int:
        """A port on our loopback that leads to the node's own, past the link."""
        listener = socket.socket()
        return self._relay(listener, ("127.0.0.1", 0), self.node, port)

    def close(self) -> None:
        for listener in self._listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _relay(self, listener: socket.socket, place: tuple[str, int], target: Path | None, port: int) -> int:
        listener.bind(place)
        listener.listen(128)
        self._listeners.append(listener)
        threading.Thread(target=_accept, args=(listener, target, port), daemon=True).start()
        return int(listener.getsockname()[1])


def _accept(listener: socket.socket, target: Path | None, port: int) -> None:
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_pass, args=(peer, target, port), daemon=True).start()


def _pass(peer: socket.socket, target: Path | None, port: int) -> None:
    with peer, _made_in(target) if target is not None else socket.socket() as other, suppress(OSError):
        other.connect(("127.0.0.1", port))
        while True:
            for one in select.select([peer, other], [], [])[0]:
                piece = one.recv(1 << 16)
                if not piece:
                    return
                (other if one is peer else peer).sendall(piece)


@contextmanager
def link() -> Iterator[Link]:
    """Two namespaces, joined; the test is skipped where they cannot be made."""
    holders = [subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "3600"]) for _ in "ab"]
    try:
        node, far = (Path(f"/proc/{holder.pid}/ns/net") for holder in holders)
        _wait_until_apart(node, far)
        enter = ("nsenter", f"--net={node}", "--")
        pid = str(holders[1].pid)
        try:
            _run(*enter, "ip", "link", "add", "link0", "type", "veth", "peer", "name", "link1", "netns", pid)
        except subprocess.CalledProcessError:
            pytest.skip("network namespaces need root")
        for place, name, address in ((node, "link0", NODE), (far, "link1", FAR)):
            for argv in (
                ("ip", "link", "set", "lo", "up"),
                ("ip", "address", "add", f"{address}/24", "dev", name),
                ("ip", "link", "set", name, "up"),
            ):
                _run("nsenter", f"--net={place}", "--", *argv)
        made = Link(node, far)
        yield made
        made.close()
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()


def _wait_until_apart(*namespaces: Path) -> None:
    ours = Path("/proc/self/ns/net").readlink()
    wait_for(lambda: all(one.readlink() != ours for one in namespaces), what="namespaces")


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)

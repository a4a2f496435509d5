"""Memory does not grow with what is attached: 300 MB go to a service and come back."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lxml import etree

from tests.peers.processes import answers, free_port, wait_for
from tests.soap.echo import ECHO, NAMESPACE, PATH
from vna.soap.client import call
from vna.soap.message import Content, include

MB = 1 << 20
SIZE = 300 * MB
MOST_GROWTH = 60 * MB
ROOT = Path(__file__).parents[2]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The echo service in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "tests.soap.echo", str(port), str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            wait_for(lambda: answers(port), what="the echo service")
            yield f"http://127.0.0.1:{port}{PATH}", process.pid
        finally:
            process.terminate()


def test_three_hundred_megabytes_go_both_ways_in_flat_memory(service: tuple[str, int], tmp_path: Path) -> None:
    url, pid = service
    block = os.urandom(MB)

    def pieces() -> Iterator[bytes]:
        for _ in range(SIZE // MB):
            yield block

    with call(url, ECHO, asking(1), [Content("d@x", "text/plain", lambda: iter([block]), MB)]):
        pass  # modules are loaded with the first message
    with (
        bounded(pid),
        bounded(os.getpid()),
        call(url, ECHO, asking(SIZE), [Content("d@x", "text/plain", pieces)], spool_folder=tmp_path) as answer,
    ):
        attachment = answer.content(answer.body[-1])
        digest = hashlib.sha1(usedforsecurity=False)
        with attachment.open() as file:
            while piece := file.read(MB):
                digest.update(piece)
        assert attachment.size == SIZE
        assert digest.hexdigest() == attachment.sha1 == answer.body[-1].get("sha1")
    assert list(tmp_path.iterdir()) == []


def asking(size: int) -> etree._Element:
    element = etree.Element(f"{{{NAMESPACE}}}echo")
    etree.SubElement(element, f"{{{NAMESPACE}}}text").text = str(size)
    include(etree.SubElement(element, f"{{{NAMESPACE}}}document"), "d@x")
    return element


@contextmanager
def bounded(pid: int) -> Iterator[None]:
    """A process takes less than MOST_GROWTH more at any moment (looked at every 10 ms)."""
    before, peak, stop = anonymous(pid), [0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            peak[0] = max(peak[0], anonymous(pid))
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
    assert peak[0] - before < MOST_GROWTH, f"grew by {(peak[0] - before) // MB} MB"


def anonymous(pid: int) -> int:
    """Memory of its own: mapped files are the kernel's to drop."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

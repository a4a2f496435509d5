"""Senders that go on whatever breaks: each sends what was not acknowledged again, to the next node."""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx
from pydicom.uid import generate_uid
from pynetdicom import AE

from tests.archives import LiveArchive
from tests.objects import ct, part10

CT = "1.2.840.10008.5.1.4.1.1.2"
_UNWELL = {0xA700, 0x0110, 0x0124, 0x0122, 0xA701, 0xA702}
"""What a C-STORE may be answered while something is down."""

Nodes = Callable[[], Sequence[LiveArchive]]


def stow(live: LiveArchive, data: bytes, *, timeout: float = 30) -> int:
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--b--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    return httpx.post(
        f"{live.dicomweb}/studies", content=body, headers={"Content-Type": kind}, timeout=timeout
    ).status_code


@dataclass(slots=True)
class Load:
    """Two senders, one by STOW-RS and one by C-STORE; `acknowledged` are SOP Instance UIDs with the time of each
    answer, `odd` are answers that are neither success nor say that something is down, `failed` counts both."""

    nodes: Nodes
    acknowledged: dict[str, float] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    failed: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        for send in (self._stow, self._c_store):
            self._threads.append(threading.Thread(target=self._run, args=(send,), daemon=True))
            self._threads[-1].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(60)
        gc.collect()  # pynetdicom leaves sockets of associations that failed to it, and here nobody minds

    def more_than(self, count: int) -> bool:
        return len(self.acknowledged) > count

    def after(self, moment: float) -> int:
        return sum(at > moment for at in list(self.acknowledged.values()))

    def _run(self, send: Callable[[LiveArchive, str], bool]) -> None:
        turn = itertools.count()
        while not self.stop.is_set():
            uid = generate_uid()
            while not self.stop.is_set():
                nodes = self.nodes()
                if nodes and send(nodes[next(turn) % len(nodes)], uid):
                    self.acknowledged[uid] = time.monotonic()
                    break
                self.failed += 1
                time.sleep(0.02)

    def _stow(self, live: LiveArchive, uid: str) -> bool:
        try:
            status = stow(live, part10(ct(SOPInstanceUID=uid, PatientID="LOAD")))
        except httpx.TransportError:
            return False
        if status not in (200, 503):
            self.odd.append(f"STOW-RS {status}")
        return status == httpx.codes.OK

    def _c_store(self, live: LiveArchive, uid: str) -> bool:
        ae = AE(ae_title="LOAD")
        ae.add_requested_context(CT)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 30
        assoc = ae.associate("127.0.0.1", live.dimse_port)
        if not assoc.is_established:
            return False
        ds = ct(SOPInstanceUID=uid, PatientID="LOAD")
        part10(ds)
        try:
            status = assoc.send_c_store(ds)
        except (RuntimeError, ValueError):  # the association ended under us
            return False
        assoc.abort() if "Status" not in status else assoc.release()
        if "Status" not in status:
            return False
        if status.Status and status.Status not in _UNWELL:
            self.odd.append(f"C-STORE {status.Status:04X} {status.get('ErrorComment', '')}")
        return int(status.Status) == 0


def held(live: LiveArchive) -> set[str]:
    """The SOP Instance UIDs that a search of one node names."""
    answer = httpx.get(f"{live.dicomweb}/instances", params={"PatientID": "LOAD", "limit": "100000"}, timeout=60)
    return {item["00080018"]["Value"][0] for item in answer.raise_for_status().json()}

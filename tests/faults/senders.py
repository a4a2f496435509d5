"""How instances get in: a lean C-STORE requestor, dcmtk's storescu, and STOW-RS. Each says what was acknowledged."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import httpx

from tests.dimse.upper_layer.harness import (
    CT,
    EXPLICIT,
    associate_request,
    context_item,
    pdu,
    pdv,
    read_command,
    store_request,
)
from tests.faults.instances import Instance
from tests.peers.processes import system_program

_PIECE = 1 << 15
_RELEASE = pdu(0x05, bytes(4))


class Broken(Exception):
    """The association ended before the answer."""


class Association:
    """One context, one request at a time (PS3.8 9.3, PS3.7 9.3.1), as little work as it can be."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", calling: str = "LEAN", timeout: float = 60) -> None:
        self._messages = 0
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout)
        except OSError as exc:
            raise Broken(type(exc).__name__) from exc
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(associate_request(context_item(1, CT, EXPLICIT), calling=calling))
            kind, _ = self._pdu()
            if kind != 0x02:
                raise Broken(f"answered by a PDU of type {kind:02X}")
        except (OSError, Broken) as exc:
            self.close()
            raise exc if isinstance(exc, Broken) else Broken(type(exc).__name__) from exc

    def store(self, instance: Instance) -> int:
        """The status of the answer."""
        self._messages = self._messages % 60_000 + 1
        command = store_request(self._messages, instance.sop)
        data = instance.data_set
        pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
        out = [pdu(0x04, pdv(1, 0x03, command))]
        out += [pdu(0x04, pdv(1, 0x02 if piece is pieces[-1] else 0x00, piece)) for piece in pieces]
        try:
            self._socket.sendall(b"".join(out))
            kind, body = self._pdu()
        except OSError as exc:
            raise Broken(type(exc).__name__) from exc
        if kind != 0x04:
            raise Broken(f"PDU of type {kind:02X}")
        answer = read_command(body[6:])
        assert struct.unpack("<H", answer[0x0120])[0] == self._messages, "the answer to another request"
        return int(struct.unpack("<H", answer[0x0900])[0])

    def release(self) -> None:
        try:
            self._socket.sendall(_RELEASE)
            self._pdu()
        except (OSError, Broken):
            pass
        self.close()

    def close(self) -> None:
        self._socket.close()

    def _pdu(self) -> tuple[int, bytes]:
        head = self._exactly(6)
        kind, length = struct.unpack(">BxL", head)
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            piece = self._socket.recv(count - len(got))
            if not piece:
                raise Broken("closed")
            got += piece
        return got


_STORED = re.compile(r"Sending file: (\S+)\n(?:(?!Sending file).)*?Received Store Response \(Success\)", re.DOTALL)


def storescu(port: int, instances: Sequence[Instance], *, timeout: float = 60) -> list[str]:
    """One run of dcmtk's program over files; the SOP Instance UIDs that it saw acknowledged."""
    with tempfile.TemporaryDirectory() as folder:
        for one in instances:
            Path(folder, one.sop).write_bytes(one.part10)
        argv = [system_program("storescu", package="dcmtk"), "-v", "-ta", "60", "-td", "60", "+sd", "127.0.0.1"]
        with tempfile.TemporaryFile() as said:
            client = subprocess.Popen(
                [*map(str, argv), str(port), folder],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TCP_NODELAY": "1"},
            )
            try:
                client.wait(timeout)
            except subprocess.TimeoutExpired:
                client.kill()
                client.wait()
            said.seek(0)
            return [Path(path).name for path in _STORED.findall(said.read().decode(errors="replace"))]


def stow(client: httpx.Client, instances: Iterable[Instance]) -> tuple[int, list[str]]:
    """The status, and what the answer refers to as stored (PS3.18 10.5.3)."""
    parts = [b"--b\r\nContent-Type: application/dicom\r\n\r\n" + one.part10 + b"\r\n" for one in instances]
    answer = client.post(
        "/studies",
        content=b"".join(parts) + b"--b--\r\n",
        headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'},
    )
    if answer.status_code not in (200, 202):
        return answer.status_code, []
    stored = answer.json().get("00081199", {}).get("Value", [])
    return answer.status_code, [str(item["00081155"]["Value"][0]) for item in stored]

"""A connection that is one too many: its A-ASSOCIATE-RQ is read and answered with a rejection (PS3.8 9.3.4)."""

from __future__ import annotations

import socket
from typing import Final

from dimse.upper_layer.profile import LOCAL_LIMIT_EXCEEDED
from dimse.upper_layer.stream import PDU_HEADER

A_ASSOCIATE_RQ: Final = 0x01
LONGEST_REQUEST: Final = 1 << 20

REJECTION: Final = PDU_HEADER.pack(0x03, 4) + bytes(
    (0, LOCAL_LIMIT_EXCEEDED.result, LOCAL_LIMIT_EXCEEDED.source, LOCAL_LIMIT_EXCEEDED.reason)
)


class Refusal:
    """Reads the request to its end, without keeping it, so that closing does not cut the rejection off."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self.deadline = deadline
        self._socket = sock
        self._header = b""
        self._left = 0

    def advance(self) -> bool:
        """Read what is there; whether the connection is finished with, having been answered or being none of ours."""
        while True:
            try:
                received = self._socket.recv(6 - len(self._header) if len(self._header) < 6 else min(self._left, 65536))
            except BlockingIOError:
                return False
            except OSError:
                return True
            if not received:
                return True
            if len(self._header) == 6:
                self._left -= len(received)
            elif not self._take_header(received):
                return True
            if len(self._header) == 6 and self._left == 0:
                self._answer()
                return True

    def _take_header(self, received: bytes) -> bool:
        self._header += received
        if len(self._header) < 6:
            return True
        pdu_type, self._left = PDU_HEADER.unpack(self._header)
        return bool(pdu_type == A_ASSOCIATE_RQ and self._left <= LONGEST_REQUEST)

    def _answer(self) -> None:
        try:
            self._socket.send(REJECTION)
        except OSError:
            return

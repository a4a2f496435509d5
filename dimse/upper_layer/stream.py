"""Received bytes to PDUs and P-DATA fragments, each fragment handed on as it arrives (PS3.8 9.3, annex E)."""

from __future__ import annotations

import struct
from typing import Final, Protocol

from dimse.upper_layer.limits import Limits

PDU_HEADER: Final = struct.Struct(">BxL")
PDV_HEADER: Final = struct.Struct(">LBB")

P_DATA_TF: Final = 0x04
LONGEST_CONTROL_PDU: Final = 1024
"""A-ASSOCIATE-RJ, A-RELEASE and A-ABORT are 4 bytes long; nothing needs more."""

# A-ABORT reasons of the service provider (PS3.8 9.3.8)
NOT_SPECIFIED: Final = 0
UNRECOGNIZED_PDU: Final = 1
UNEXPECTED_PDU: Final = 2
UNEXPECTED_PARAMETER: Final = 5
INVALID_PARAMETER: Final = 6


class ProtocolError(Exception):
    """The peer broke the upper layer protocol; carries the A-ABORT reason (PS3.8 9.3.8)."""

    def __init__(self, reason: int, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Receiver(Protocol):
    """Takes what a PduStream finds; any method may raise ProtocolError."""

    def data_pdu_begins(self) -> None: ...

    def fragment_begins(self, context_id: int, control: int) -> None: ...

    def fragment(self, piece: memoryview) -> None:
        """The next bytes of the fragment; the memory is reused afterwards."""

    def fragment_ends(self) -> None: ...

    def control_pdu(self, pdu_type: int, encoded: bytes) -> None:
        """A whole PDU of any type but P-DATA-TF."""


class PduStream:
    """Owns the receive buffer: fill space(), then tell received().

    Data set bytes are never copied here, and no length that the peer claims is ever allocated.
    """

    def __init__(self, receiver: Receiver, limits: Limits, size: int = 1 << 17) -> None:
        self._receiver = receiver
        self._limits = limits
        self._buffer = memoryview(bytearray(size))
        self._end = 0
        self._pdu_left = 0
        self._pdv_left = 0
        self._control: bytearray | None = None
        self._control_type = 0

    def space(self) -> memoryview:
        return self._buffer[self._end :]

    @property
    def inside_pdu(self) -> bool:
        return self._pdu_left > 0 or self._end > 0

    def received(self, count: int) -> None:
        """Take the first `count` bytes of space() as received."""
        end = self._end + count
        position = self._parse(end)
        self._end = end - position
        if self._end and position:
            self._buffer[: self._end] = self._buffer[position:end]

    def _parse(self, end: int) -> int:
        position = 0
        while True:
            if self._pdv_left:
                if position == end:
                    return position
                taken = min(self._pdv_left, end - position)
                self._pdv_left -= taken
                self._pdu_left -= taken
                self._receiver.fragment(self._buffer[position : position + taken])
                position += taken
                if not self._pdv_left:
                    self._receiver.fragment_ends()
            elif self._control is not None:
                position = self._collect(self._control, position, end)
                if self._pdu_left:
                    return position
            elif end - position < 6:
                return position
            elif self._pdu_left:
                self._begin_fragment(position)
                position += 6
            else:
                self._begin_pdu(position)
                position += 6

    def _begin_pdu(self, position: int) -> None:
        pdu_type, length = PDU_HEADER.unpack_from(self._buffer, position)
        if pdu_type == P_DATA_TF:
            if length > self._limits.max_pdu + self._limits.pdu_slack:
                raise ProtocolError(INVALID_PARAMETER, "P-DATA-TF longer than announced")
            if length < 6:
                raise ProtocolError(INVALID_PARAMETER, "P-DATA-TF without a presentation data value")
            self._receiver.data_pdu_begins()
        elif 1 <= pdu_type <= 7:
            limit = self._limits.associate_pdu if pdu_type <= 2 else LONGEST_CONTROL_PDU
            if length > limit:
                raise ProtocolError(INVALID_PARAMETER, "PDU longer than its type allows")
            self._control = bytearray(self._buffer[position : position + 6])
            self._control_type = pdu_type
        else:
            raise ProtocolError(UNRECOGNIZED_PDU, f"unknown PDU type {pdu_type:#04x}")
        self._pdu_left = length

    def _begin_fragment(self, position: int) -> None:
        length, context_id, control = PDV_HEADER.unpack_from(self._buffer, position)
        if length < 2 or length + 4 > self._pdu_left:
            raise ProtocolError(INVALID_PARAMETER, "presentation data value longer than its PDU, or empty")
        self._pdu_left -= 6
        self._pdv_left = length - 2
        if 0 < self._pdu_left - self._pdv_left < 6:
            raise ProtocolError(INVALID_PARAMETER, "bytes after the last presentation data value")
        self._receiver.fragment_begins(context_id, control)
        if not self._pdv_left:
            self._receiver.fragment_ends()

    def _collect(self, control: bytearray, position: int, end: int) -> int:
        taken = min(self._pdu_left, end - position)
        control += self._buffer[position : position + taken]
        self._pdu_left -= taken
        if not self._pdu_left:
            self._control = None
            self._receiver.control_pdu(self._control_type, bytes(control))
        return position + taken

"""Bounds and time-outs of an association."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes."""

    max_pdu: int = 1 << 20
    """What we announce as the longest P-DATA-TF we take (PS3.8 D.1)."""
    pdu_slack: int = 4096
    """How much longer a PDU may be before the association is aborted; some senders do not count headers."""
    associate_pdu: int = 1 << 20
    """The longest A-ASSOCIATE PDU: 128 contexts with every transfer syntax need about 300 KB."""
    command_set: int = 1 << 16
    identifier: int = 16 << 20
    """The largest data set of a message that is not C-STORE: pynetdicom keeps those in memory."""
    drained: int = 8 << 30
    """How much of a refused data set is read and dropped before the association is aborted."""

    acse_timeout: float = 30.0
    """ARTIM (PS3.8 9.1.5) before the request, and the wait for an answer when we are the requestor."""
    closing_timeout: float = 2.0
    """How long we wait for the peer to close after a release, a reject or an abort."""
    network_timeout: float = 300.0
    """An association on which nothing is asked for so long is aborted."""
    receive_timeout: float = 60.0
    """Without a byte for so long in the middle of a message or PDU, the association is aborted."""
    message_timeout: float = 7200.0
    """The longest a single message may take, however steadily it trickles in."""
    send_timeout: float = 60.0
    """Without a byte taken by the peer for so long, the association is aborted."""
    dimse_timeout: float = 60.0
    """The wait for a response to a request of ours."""
    connection_timeout: float = 10.0

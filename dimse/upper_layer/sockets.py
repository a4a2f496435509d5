"""The transport of one association, as pynetdicom's state machine drives it (PS3.8 9.1)."""

from __future__ import annotations

import logging
import socket
import threading
from typing import TYPE_CHECKING, cast

from pynetdicom.transport import T_CONNECT, AddressInformation, AssociationSocket

from dimse.upper_layer.secure import Tls, calling, is_of_tls
from dimse.upper_layer.wire import Wire, make_wire
from vna.security.tls import reason_of

if TYPE_CHECKING:
    from dimse.upper_layer.association import LeanAssociation

log = logging.getLogger(__name__)


class LeanSocket(AssociationSocket):
    """An AssociationSocket over a Wire: connected from the start for an acceptor, by connect() for a requestor."""

    def __init__(self, assoc: LeanAssociation, sock: socket.socket | None = None) -> None:
        # Not the parent's: it would resolve and bind an address, and wrap what need not be wrapped.
        self._assoc = assoc
        self._ready = threading.Event()
        self._tls_args = None
        self.select_timeout = 0.0
        self.socket = sock
        self.wire: Wire | None = None
        self._is_connected = sock is not None
        if sock is not None:
            self.wire = make_wire(sock, assoc.limits.send_timeout)
            self._ready.set()
            self.event_queue.put("Evt5")

    def connect(self, primitive: T_CONNECT) -> None:
        """Connect, with TLS if asked for; the outcome is an event for the state machine."""
        assoc = cast("LeanAssociation", self._assoc)
        try:
            sock = open_connection(primitive.address, assoc.limits.connection_timeout, assoc.tls)
            self.wire = make_wire(sock, assoc.limits.send_timeout)
            self.socket, self._is_connected = sock, True
            assoc.requestor.address_info = address_information(sock.getsockname())
            primitive.result = "Evt2"
        except OSError as error:
            assoc.connection_error = f"no TLS with the peer: {reason_of(error)}" if is_of_tls(error) else ""
            log.info("no connection", extra={"reason": reason_of(error), **assoc.log_fields})
            primitive.result = "Evt17"
        finally:
            self.provider_queue.put(primitive)
            self._ready.set()

    def send(self, bytestream: bytes) -> None:
        try:
            if self.wire is None:
                raise OSError("not connected")
            self.wire.send([bytestream])
        except OSError as error:
            log.info("connection lost", extra={"reason": str(error)})
            self.event_queue.put("Evt17")

    def close(self) -> None:
        was_connected = self._is_connected
        self.discard()
        if was_connected:
            self.event_queue.put("Evt17")

    def _shutdown_socket(self) -> None:
        self.discard()

    def discard(self) -> None:
        """Close without telling the state machine."""
        self._is_connected = False
        wire, self.wire, self.socket = self.wire, None, None
        if wire is not None:
            wire.close()


def open_connection(address: tuple[str, int], timeout: float, tls: Tls | None) -> socket.socket:
    """Connect, with TLS where it is asked for; OSError says what went wrong."""
    sock = socket.create_connection(address, timeout)
    return sock if tls is None else calling(sock, tls, timeout)


def address_information(address: tuple[str, int] | tuple[str, int, int, int]) -> AddressInformation:
    """What getsockname() or getpeername() gave, without resolving it again."""
    info = AddressInformation.__new__(AddressInformation)
    info._addr, info.port = address[0], address[1]
    info.flowinfo, info.scope_id = (address[2], address[3]) if len(address) == 4 else (0, 0)
    return info

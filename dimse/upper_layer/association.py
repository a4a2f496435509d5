"""An association that receives C-STORE through the lean path and otherwise behaves as pynetdicom's (PS3.8, PS3.7)."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE

from dimse.upper_layer.acse import LeanACSE
from dimse.upper_layer.command import encode_store_response
from dimse.upper_layer.dimse_provider import LeanDIMSE
from dimse.upper_layer.dul import LeanDUL
from dimse.upper_layer.handlers import StoreAnswer, StoreCommand, StoreHandler
from dimse.upper_layer.profile import Profile
from dimse.upper_layer.secure import Tls, secured
from dimse.upper_layer.sockets import LeanSocket
from dimse.upper_layer.stream import PDU_HEADER, PDV_HEADER
from vna import events as signals
from vna.security.tls import reason_of

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity

log = logging.getLogger(__name__)

LONGEST_SLEEP: Final = 5.0


class LeanAssociation(Association):
    """One thread receives and stores (LeanDUL); this one serves all other requests, asleep until there is one.

    actor: whatever Profile.admit learned about the peer; services and store handlers read it.
    peer_certificate: the certificate that an acceptor was shown (DER), None where there was none.
    extended_answers: SOP Class UID to the application information that was agreed on.
    """

    def __init__(self, ae: ApplicationEntity, mode: str, profile: Profile, store: StoreHandler | None = None) -> None:
        self.profile = profile
        self.limits = profile.limits
        self.store_handler = store
        self.actor: Any = None
        self.identity_response: bytes | None = None
        self.extended_answers: dict[str, bytes] = {}
        self.role_answers: dict[str, tuple[bool, bool]] = {}
        self.tls: Tls | None = None
        self.peer_certificate: bytes | None = None
        self.connection_error = ""
        self.draining = False
        self.message_lock = threading.RLock()
        self.on_end: Callable[[LeanAssociation], None] | None = None
        self.on_wake: Callable[[], None] = lambda: None
        self._connection: socket.socket | None = None
        self._server_tls: ssl.SSLContext | None = None
        self._serving = 0
        self._serving_lock = threading.Lock()
        self._woken = threading.Event()
        super().__init__(ae, mode)
        self.acse = LeanACSE(self)
        self.dimse = LeanDIMSE(self)
        self.dul: LeanDUL = LeanDUL(self, self.limits)
        self.acse_timeout = self.limits.acse_timeout
        self.network_timeout = self.limits.network_timeout
        self.dimse_timeout = self.limits.dimse_timeout
        self.connection_timeout = self.limits.connection_timeout
        self.name = f"dicom-{mode}"

    def _bind_defaults(self) -> None:
        """Only what answers; pynetdicom's log handlers would print data sets, with patients in them."""
        for event in evt._INTERVENTION_EVENTS:
            self.bind(event, evt.get_default_handler(event))
        for handler in self.profile.event_handlers:
            self.bind(*handler)

    def take_connection(self, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Be the acceptor on an accepted socket; the TLS handshake waits for the thread."""
        self._connection, self._server_tls = sock, tls

    # State

    @property
    def called_ae(self) -> str:
        """The AE title by which the peer called us."""
        primitive = self.requestor.primitive
        return primitive.called_ae_title if isinstance(primitive, A_ASSOCIATE) else ""

    @property
    def log_fields(self) -> dict[str, str]:
        peer = self.requestor if self.is_acceptor else self.acceptor
        address = peer.address_info
        return {"peer_ae": peer.ae_title, "peer": f"{address.address}:{address.port}" if address else ""}

    @property
    def occupied(self) -> bool:
        """Whether a request of either side is being served, so that silence on the line means nothing."""
        return self._serving > 0 or bool(self.dimse.msg_queue.queue) or not self._reactor_checkpoint.is_set()

    def stands(self) -> bool:
        """Whether the association is established and its connection open."""
        return self.is_established and not self.dul.closed.is_set()

    def is_cancelled(self, message_id: int) -> bool:
        """Whether to stop serving a request: the peer has cancelled it, or is gone."""
        return message_id in self.dimse.cancel_req

    def await_negotiation(self) -> bool:
        """For a requestor's receiving thread, when the peer is quicker than our own; whether we are established."""
        deadline = time.monotonic() + self.limits.acse_timeout
        while not self.is_established and not self.is_aborted and time.monotonic() < deadline:
            time.sleep(0.001)
        return self.is_established

    def wake(self) -> None:
        self._woken.set()
        self.on_wake()

    def drain(self) -> None:
        """End the association as soon as nothing is being served on it."""
        self.draining = True
        self.dul.wake()

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Keep this association's thread from taking the response to what the caller is about to send."""
        was_running = self._reactor_checkpoint.is_set()
        self._reactor_checkpoint.clear()
        while not self._is_paused and self.is_alive() and threading.current_thread() is not self:
            time.sleep(0.0005)
        try:
            yield
        finally:
            if was_running:
                self._reactor_checkpoint.set()

    # Ends

    def _abort_blocking(self, block: bool = True) -> None:
        if self._sent_abort or self.is_released:
            return
        self._sent_abort = True
        self._reactor_checkpoint.set()
        self.acse.send_abort(0x00)
        evt.trigger(self, evt.EVT_ABORTED, {})
        if block and threading.current_thread() is not self.dul:
            self.kill()

    def kill(self) -> None:
        """End both threads; waits for the receiving one, and cuts the connection if it takes too long."""
        self._reactor_checkpoint.set()
        self._kill = True
        self.is_established = False
        self._is_paused = True
        self.wake()
        if threading.current_thread() is self.dul or not self.dul.is_alive():
            self.dul.kill_dul()
            return
        if not self.dul.closed.wait(self.limits.closing_timeout + 1.0):
            self.break_off()

    def break_off(self) -> None:
        """End without the protocol: the connection is cut."""
        self.is_aborted = True
        self.is_established = False
        self._kill = True
        self.dul.kill_dul()
        wire = self.dul.wire
        if wire is not None:
            wire.shut_down()
        self.wake()

    # The thread

    def run_reactor(self) -> None:
        try:
            if self.is_acceptor:
                self._run_acceptor()
            elif self.is_established:
                self._run_reactor()
        except Exception:
            log.exception("association broken off")
            self.break_off()
        finally:
            self.kill()
            if self.on_end is not None:
                self.on_end(self)

    def _run_acceptor(self) -> None:
        if not self._open_transport():
            return
        self.dul.start()
        self._started_dul = True
        primitive = self._await_request()
        if primitive is None:
            return
        self.requestor.primitive = primitive
        evt.trigger(self, evt.EVT_REQUESTED, {})
        if not self.is_aborted and not self.is_rejected:
            self.acse.negotiate_association()
        if self.is_established:
            log.info("association accepted", extra=self.log_fields)
            signals.emit("association.opened")
            try:
                self._run_reactor()
            finally:
                signals.emit("association.closed")

    def _open_transport(self) -> bool:
        sock, self._connection = self._connection, None
        assert sock is not None
        try:
            if self._server_tls is not None:
                sock = secured(sock, self._server_tls, self.limits.acse_timeout)
                self.peer_certificate = sock.getpeercert(binary_form=True)
            self.set_socket(LeanSocket(self, sock))
            evt.trigger(self, evt.EVT_CONN_OPEN, {"address": sock.getpeername()})
        except OSError as error:
            log.warning("connection not secured", extra={"reason": reason_of(error), **self.log_fields})
            signals.emit("association.refused", reason="TLS")
            sock.close()
            return False
        return True

    def _await_request(self) -> A_ASSOCIATE | None:
        """The A-ASSOCIATE indication; ARTIM, an abort or a lost connection end the wait with the receiving thread."""
        while True:
            self._woken.clear()
            primitive: Any = self.dul.receive_pdu(wait=False)
            if primitive is not None or self.dul.closed.is_set():
                return primitive if isinstance(primitive, A_ASSOCIATE) else None
            self._woken.wait(LONGEST_SLEEP)

    def _run_reactor(self) -> None:
        while not self._kill:
            # While it says that it is paused another thread may clear the checkpoint and use the association.
            self._is_paused = True
            self._reactor_checkpoint.wait()
            self._woken.wait(LONGEST_SLEEP)
            self._is_paused = False
            if self._reactor_checkpoint.is_set():
                self._woken.clear()
                self._take_turn()

    def _take_turn(self) -> None:
        context_id, message = self.dimse.get_msg(block=False)
        if message is not None and context_id is not None:
            self._serve_request(message, context_id)
        if self.is_established and self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self._ended(released=True)
        elif self.acse.is_aborted():
            self.dul.receive_pdu(wait=False)
            self._ended(released=False)
        elif self.dul.closed.is_set():
            self.kill()
        elif self.dul.idle_timer_expired():
            log.warning("association idle for too long", extra=self.log_fields)
            self.abort()
        elif self.dimse.msg_queue.queue:
            self.wake()

    def _ended(self, *, released: bool) -> None:
        log.info("association released" if released else "association aborted", extra=self.log_fields)
        self.is_released, self.is_aborted = released, not released
        self.is_established = False
        evt.trigger(self, evt.EVT_RELEASED if released else evt.EVT_ABORTED, {})
        self.kill()

    # Requests

    def _serve_request(self, msg: Any, context_id: int) -> None:
        with self._serving_now():
            self._dispatch(msg, context_id)

    @contextmanager
    def _serving_now(self) -> Iterator[None]:
        """Counted under a lock: pynetdicom serves N-EVENT-REPORT in threads of their own."""
        with self._serving_lock:
            self._serving += 1
        try:
            yield
        finally:
            with self._serving_lock:
                self._serving -= 1
            if self.draining:
                self.dul.wake()

    def _dispatch(self, msg: Any, context_id: int) -> None:
        try:
            context = self._accepted_cx.get(context_id)
            service = self.profile.services.get(str(context.abstract_syntax)) if context is not None else None
            if context is None or service is None or self._sent_release or not msg.is_valid_request:
                super()._serve_request(msg, context_id)
                return
            self.dimse.cancel_req = {}
            self._is_paused = True
            service(self, msg, context)
            self.dimse.cancel_req = {}
        except Exception:
            log.exception("request not served", extra=self.log_fields)
            self.abort()

    def answer_store(self, command: StoreCommand, answer: StoreAnswer) -> None:
        """Send a C-STORE-RSP at once, as one PDU."""
        self.answer(command.context_id, encode_store_response(command, answer))

    def answer(self, context_id: int, encoded: bytes) -> None:
        """Send a response that is a command set alone at once, as one PDU."""
        if self._sent_abort:
            return
        length = len(encoded)
        header = PDU_HEADER.pack(0x04, length + 6) + PDV_HEADER.pack(length + 2, context_id, 0x03)
        try:
            with self.message_lock:
                self.dul.send_established([header + encoded])
        except OSError as error:
            log.info("request not answered", extra={"reason": str(error), **self.log_fields})

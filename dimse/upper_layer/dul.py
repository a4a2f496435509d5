"""The upper layer provider of one association: pynetdicom's state machine, our loop and receive path (PS3.8 9.2)."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from pynetdicom import evt
from pynetdicom.dul import _PDU_TYPES, DULServiceProvider
from pynetdicom.fsm import TRANSITION_TABLE
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC
from pynetdicom.pdu_primitives import A_P_ABORT, P_DATA

from dimse.upper_layer.associate_accept import complete_accept
from dimse.upper_layer.associate_items import A_ASSOCIATE_RQ
from dimse.upper_layer.associate_request import LeanAssociateRequest
from dimse.upper_layer.dimse_provider import WakingQueue
from dimse.upper_layer.limits import Limits
from dimse.upper_layer.reception import Reception
from dimse.upper_layer.sockets import LeanSocket
from dimse.upper_layer.stream import (
    INVALID_PARAMETER,
    NOT_SPECIFIED,
    P_DATA_TF,
    PDU_HEADER,
    UNEXPECTED_PDU,
    PduStream,
    ProtocolError,
)
from dimse.upper_layer.timer import MonotonicTimer
from dimse.upper_layer.wire import Stalled, WakeUp, Wire

if TYPE_CHECKING:
    from dimse.upper_layer.association import LeanAssociation

log = logging.getLogger(__name__)

LONGEST_WAIT: Final = 5.0
FROM_LOCAL_USER: Final = frozenset({"Evt1", "Evt7", "Evt8", "Evt9", "Evt11", "Evt14", "Evt15"})

IDLE, AWAITING_REQUEST, ESTABLISHED, RELEASING, CLOSING = "Sta1", "Sta2", "Sta6", "Sta7", "Sta13"


class LeanDUL(DULServiceProvider):
    """Runs the state machine in a thread that sleeps in poll() until there is something to do.

    While the association is established (Sta6) fragments go from the socket through a PduStream to a Reception; the
    PDUs of association control go to pynetdicom's state machine as always.
    """

    def __init__(self, assoc: LeanAssociation, limits: Limits) -> None:
        super().__init__(assoc)
        self.daemon = True
        self.name = "dicom-receiver"
        self.limits = limits
        self.lean_assoc = assoc
        self._wake_up = WakeUp()
        self.to_provider_queue = WakingQueue(self.wake)
        self.to_user_queue = WakingQueue(assoc.wake)
        self.artim_timer: MonotonicTimer = MonotonicTimer(limits.acse_timeout)
        self._idle_timer: MonotonicTimer = MonotonicTimer(limits.network_timeout)
        self.reception = Reception(assoc, limits, assoc.store_handler)
        self._stream = PduStream(self, limits)
        self._last_byte = time.monotonic()
        self.closed = threading.Event()
        self.was_connected = False

    # What other threads call

    def start(self) -> None:
        self._wake_up.open()
        try:
            super().start()
        except BaseException:
            self._let_go()
            raise

    def wake(self) -> None:
        self._wake_up.wake()

    def kill_dul(self) -> None:
        self._kill_thread = True
        self.wake()

    def stop_dul(self) -> bool:
        if self.state_machine.current_state != IDLE:
            return False
        self.kill_dul()
        if threading.current_thread() is not self:
            self.join(1.0)
        return True

    def idle_timer_expired(self) -> bool:
        return self.state_machine.current_state == ESTABLISHED and not self._occupied and self._idle_timer.expired

    @property
    def _occupied(self) -> bool:
        return self.reception.busy or self.lean_assoc.occupied

    def send_pdu(self, primitive: Any) -> None:
        """P-DATA goes out at once, from the calling thread; association control goes through the state machine."""
        if isinstance(primitive, P_DATA):
            self._send_data(primitive)
        else:
            super().send_pdu(primitive)

    def _send_data(self, primitive: P_DATA) -> None:
        pieces = []
        for context_id, value in primitive.presentation_data_value_list:
            pieces += [(len(value) + 1).to_bytes(4, "big") + bytes([context_id]), value]
        header = PDU_HEADER.pack(P_DATA_TF, sum(len(piece) for piece in pieces))
        try:
            self.send_established([header, *pieces])
        except OSError as error:
            log.info("message could not be sent", extra={"reason": str(error)})

    def send_established(self, buffers: list[Any]) -> None:
        """Send whole P-DATA-TF PDUs while the association stands (Sta6; Sta8 by PS3.8 AR-7), else OSError."""
        wire = self.wire
        if wire is None or self.state_machine.current_state not in (ESTABLISHED, "Sta8"):
            raise OSError("the association has ended")
        try:
            wire.send(buffers)
        except OSError:
            wire.shut_down()
            self.wake()
            raise

    def _send(self, pdu: Any) -> None:
        if not isinstance(pdu, A_ASSOCIATE_AC) or self.socket is None:
            super()._send(pdu)
            return
        assoc = self.lean_assoc
        contexts = [*assoc._accepted_cx.values(), *assoc.rejected_contexts]
        contexts.sort(key=lambda context: context.context_id or 0)
        self.socket.send(complete_accept(pdu.encode(), contexts, assoc.role_answers))
        evt.trigger(assoc, evt.EVT_PDU_SENT, {"pdu": pdu})

    @property
    def wire(self) -> Wire | None:
        sock = self.socket
        return sock.wire if isinstance(sock, LeanSocket) else None

    # The thread

    def run_reactor(self) -> None:
        self._idle_timer.start()
        self.lean_assoc._dul_ready.set()
        try:
            while not self._kill_thread:
                self._turn()
        except Exception:
            log.exception("association broken off")
            self.lean_assoc.break_off()
        finally:
            self.reception.abandon("connection ended")
            self._let_go()
            self.lean_assoc.dimse.msg_queue.put((None, None))
            self.closed.set()
            self.lean_assoc.wake()

    def _let_go(self) -> None:
        if isinstance(self.socket, LeanSocket):
            self.socket.discard()
        self._wake_up.close()

    def _turn(self) -> None:
        if not self.event_queue.queue:
            self._process_recv_primitive()
        if not self.event_queue.queue and self.artim_timer.expired:
            self.event_queue.put("Evt18")
        if self.event_queue.queue:
            self._step()
        elif self.wire is None:
            self._wake_up.wait(None, LONGEST_WAIT)
        else:
            self._receive(self.wire)

    def _step(self) -> None:
        event = self.event_queue.get(block=False)
        state = self.state_machine.current_state
        if (event, state) in TRANSITION_TABLE:
            self.state_machine.do_action(event)
            if self.state_machine.current_state == CLOSING and state != CLOSING:
                self._begin_closing()
            return
        log.debug("%s means nothing in %s", event, state)
        if event in FROM_LOCAL_USER and self.to_provider_queue.queue:
            self.to_provider_queue.get(block=False)
        if event == "Evt18":
            self.artim_timer.stop()

    def _begin_closing(self) -> None:
        """Nothing more will be sent: say so, and give the peer a short while to read it and close."""
        self.reception.abandon("association ended")
        self.artim_timer.timeout = self.limits.closing_timeout
        self.artim_timer.start()
        if self.wire:
            self.wire.half_close()

    def _receive(self, wire: Wire) -> None:
        inside = self._stream.inside_pdu or self.reception.busy
        if self.lean_assoc.draining and not inside and self._may_drain():
            self._abort(ProtocolError(NOT_SPECIFIED, "shutting down"))
            return
        if not inside and not wire.pending() and not self._wake_up.wait(wire, self._patience()):
            self._look_at_idle_timer()
            return
        try:
            count = wire.receive_into(self._stream.space())
        except Stalled:
            self._check_progress()
            return
        except OSError as error:
            log.info("connection lost", extra={"reason": str(error)})
            count = 0
        if not count:
            self.reception.abandon("connection closed by the peer")
            self.event_queue.put("Evt17")
            return
        self.was_connected = True
        self._last_byte = time.monotonic()
        self._idle_timer.restart()
        self._take(count)

    def _may_drain(self) -> bool:
        state = self.state_machine.current_state
        return state == AWAITING_REQUEST or (state == ESTABLISHED and not self.lean_assoc.occupied)

    def _take(self, count: int) -> None:
        if self.state_machine.current_state == CLOSING:
            return
        try:
            self._stream.received(count)
            if self.reception.busy and self._last_byte > self.reception.started + self.limits.message_timeout:
                raise ProtocolError(NOT_SPECIFIED, "message took too long")
        except ProtocolError as error:
            self._abort(error)
        self._last_byte = time.monotonic()  # what storing took is not the peer's delay

    def _check_progress(self) -> None:
        if self.state_machine.current_state == CLOSING:
            return
        if time.monotonic() > self._last_byte + self.limits.receive_timeout:
            self._abort(ProtocolError(NOT_SPECIFIED, "nothing received in the middle of a message"))

    def _patience(self) -> float:
        patience = LONGEST_WAIT
        if self.artim_timer.running:
            patience = min(patience, self.artim_timer.remaining)
        if self.state_machine.current_state == ESTABLISHED and self._idle_timer.timeout is not None:
            patience = min(patience, self._idle_timer.remaining)
        return max(patience, 0.05)

    def _look_at_idle_timer(self) -> None:
        if self._idle_timer.expired:
            if self._occupied:
                self._idle_timer.restart()
            else:
                self.lean_assoc.wake()

    def _abort(self, error: ProtocolError) -> None:
        """AA-8 with the reason that the state machine would leave out; before a request came, AA-1."""
        level = logging.INFO if self.lean_assoc.draining else logging.WARNING
        log.log(level, "association aborted", extra={"reason": str(error), **self.lean_assoc.log_fields})
        self.reception.abandon(str(error))
        state = self.state_machine.current_state
        pdu = A_ABORT_RQ()
        pdu.source = 0x02
        pdu.reason_diagnostic = error.reason
        self._send(pdu)
        if state != AWAITING_REQUEST:
            primitive = A_P_ABORT()
            primitive.provider_reason = error.reason
            self.to_user_queue.put(primitive)
            self.lean_assoc.dimse.msg_queue.put((None, None))
        self.state_machine.transition(CLOSING)
        self._begin_closing()

    # What the stream calls

    def data_pdu_begins(self) -> None:
        state = self.state_machine.current_state
        if state not in (ESTABLISHED, RELEASING):
            raise ProtocolError(UNEXPECTED_PDU, f"P-DATA-TF in {state}")
        if self.lean_assoc.is_requestor and not self.lean_assoc.await_negotiation():
            raise ProtocolError(UNEXPECTED_PDU, "P-DATA-TF before the association was established")

    def fragment_begins(self, context_id: int, control: int) -> None:
        self.reception.fragment_begins(context_id, control)

    def fragment(self, piece: memoryview) -> None:
        self.reception.fragment(piece)

    def fragment_ends(self) -> None:
        self.reception.fragment_ends()

    def control_pdu(self, pdu_type: int, encoded: bytes) -> None:
        if self.state_machine.current_state == CLOSING:
            return
        self.reception.abandon("association ended by the peer")
        pdu_class, event = _PDU_TYPES[encoded[:1]]
        pdu = LeanAssociateRequest() if pdu_type == A_ASSOCIATE_RQ else pdu_class()
        try:
            pdu.decode(encoded)
        except ProtocolError:
            raise
        except Exception as error:
            raise ProtocolError(INVALID_PARAMETER, "PDU that cannot be decoded") from error
        self._recv_pdu.put(pdu)
        self.event_queue.put(event)
        while self.event_queue.queue:
            self._step()

"""Fragments to messages: C-STORE to the store handler, everything else to pynetdicom (PS3.7 6.3, PS3.8 annex E)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA

from dimse.upper_layer.command import (
    C_STORE_RQ,
    C_STORE_RSP,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    ERROR_COMMENT,
    MESSAGE_ID_BEING_RESPONDED_TO,
    NO_DATA_SET,
    STATUS,
    decode_command,
    number,
    store_command,
    text,
)
from dimse.upper_layer.handlers import Sink, StoreAnswer, StoreCommand, StoreHandler
from dimse.upper_layer.limits import Limits
from dimse.upper_layer.operations import C_CANCEL_RQ, REQUESTS, encode_unrecognized, is_unexpected
from dimse.upper_layer.stream import INVALID_PARAMETER, NOT_SPECIFIED, UNEXPECTED_PARAMETER, ProtocolError
from vna.model.errors import CannotUnderstand, VnaError
from vna.model.sop_classes import may_be_storage

if TYPE_CHECKING:
    from dimse.upper_layer.association import LeanAssociation

log = logging.getLogger(__name__)

COMMAND: Final = 1
LAST: Final = 2

PROCESSING_FAILURE: Final = 0x0110
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122

KEPT_CANCELLATIONS: Final = 10
"""More than pynetdicom keeps it takes for requests."""

_PAUSE: Final = 0.002

QUEUED_MESSAGES: Final = 32
"""Requests that may wait while one is served; a peer may not send any, having negotiated no asynchronous window."""


class Reception:
    """The message being received on one association; lives in its receiving thread."""

    def __init__(self, assoc: LeanAssociation, limits: Limits, store: StoreHandler | None) -> None:
        self._assoc = assoc
        self._limits = limits
        self._handler = store
        self._context_id: int | None = None
        self._control = 0
        self._command = bytearray()
        self._identifier: bytearray | None = None
        self._unrecognized: bytes | None = None
        self._store: StoreCommand | None = None
        self._sink: Sink | None = None
        self._error: BaseException | None = None
        self._count = 0
        self.started = 0.0

    @property
    def busy(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._context_id is not None

    def fragment_begins(self, context_id: int, control: int) -> None:
        if self._context_id is None:
            if context_id not in self._assoc._accepted_cx:
                raise ProtocolError(INVALID_PARAMETER, f"presentation context {context_id} was not accepted")
            if not control & COMMAND:
                raise ProtocolError(UNEXPECTED_PARAMETER, "data set without a command")
            self._context_id = context_id
            self.started = time.monotonic()
        elif context_id != self._context_id:
            raise ProtocolError(UNEXPECTED_PARAMETER, "fragments of two messages mixed")
        elif bool(control & COMMAND) != self._wants_command:
            raise ProtocolError(UNEXPECTED_PARAMETER, "command and data set fragments mixed")
        self._control = control

    @property
    def _wants_command(self) -> bool:
        return self._store is None and self._identifier is None and self._unrecognized is None

    def fragment(self, piece: memoryview) -> None:
        if self._sink is not None:
            self._count += len(piece)
            try:
                self._sink.write(piece)
            except Exception as error:  # noqa: BLE001 - refused, and logged there
                sink, self._sink = self._sink, None
                abandon(sink)
                self._refuse(error)
        elif self._store is not None or self._unrecognized is not None:
            self._count += len(piece)
            if self._count > self._limits.drained:
                raise ProtocolError(NOT_SPECIFIED, "refused data set too large to wait for")
        else:
            self._gather(piece)

    def _gather(self, piece: memoryview) -> None:
        gathered, limit = self._command, self._limits.command_set
        if self._identifier is not None:
            gathered, limit = self._identifier, self._limits.identifier
        if len(gathered) + len(piece) > limit:
            raise ProtocolError(NOT_SPECIFIED, "message too large")
        gathered += piece

    def fragment_ends(self) -> None:
        if not self._control & LAST:
            return
        if self._control & COMMAND:
            self._command_ends()
        elif self._store is not None:
            self._store_ends(self._store)
        elif self._unrecognized is not None:
            self._unrecognized_ends(self._unrecognized)
        else:
            self._hand_over()

    def _command_ends(self) -> None:
        elements = decode_command(self._command)
        field, data_set_type = number(elements, COMMAND_FIELD), number(elements, COMMAND_DATA_SET_TYPE)
        if field is None or data_set_type is None:
            raise ProtocolError(INVALID_PARAMETER, "command set without a command")
        has_data_set = data_set_type != NO_DATA_SET
        assert self._context_id is not None
        context = self._assoc._accepted_cx[self._context_id]
        if is_unexpected(field, str(context.abstract_syntax)):
            fields = {"operation": REQUESTS[field], "context": str(context.abstract_syntax)}
            log.warning("operation not offered", extra={**fields, **self._assoc.log_fields})
            self._unrecognized = encode_unrecognized(elements, field)
            if not has_data_set:
                self._unrecognized_ends(self._unrecognized)
            return
        if field == C_CANCEL_RQ and len(self._assoc.dimse.cancel_req) >= KEPT_CANCELLATIONS:
            self._reset()
            return
        if field != C_STORE_RQ or self._handler is None:
            if has_data_set:
                self._identifier = bytearray()
            elif field == C_STORE_RSP:
                self._response_ends(elements)
            else:
                self._hand_over()
            return
        command = store_command(
            elements, self._context_id, str(context.abstract_syntax), str(context.transfer_syntax[0])
        )
        self._store = command
        if not has_data_set:
            self._refuse(CannotUnderstand("C-STORE without a data set"))
            self._store_ends(command)
        elif (
            context.as_scp
            and command.sop_class_uid == command.abstract_syntax_uid
            and may_be_storage(command.sop_class_uid)
        ):
            try:
                self._sink = self._handler.begin(self._assoc, command)
            except Exception as error:  # noqa: BLE001 - refused, and logged there
                self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        if not isinstance(error, VnaError):
            log.error("store failed", exc_info=error)
        self._error = error
        self._count = 0

    def _store_ends(self, command: StoreCommand) -> None:
        sink, error = self._sink, self._error
        self._reset()
        if sink is not None:
            answer = self._complete(command, sink)
        elif error is not None:
            answer = self._refusal(command, error)
        else:
            answer = StoreAnswer(SOP_CLASS_NOT_SUPPORTED, "not negotiated for this presentation context")
        self._assoc.answer_store(command, answer)

    def _unrecognized_ends(self, response: bytes) -> None:
        assert self._context_id is not None
        context_id = self._context_id
        self._reset()
        self._assoc.answer(context_id, response)

    def _complete(self, command: StoreCommand, sink: Sink) -> StoreAnswer:
        assert self._handler is not None
        try:
            return self._handler.complete(self._assoc, command, sink)
        except Exception as error:
            if not isinstance(error, VnaError):
                log.exception("store failed")
            return self._refusal(command, error)

    def _refusal(self, command: StoreCommand, error: BaseException) -> StoreAnswer:
        assert self._handler is not None
        try:
            return self._handler.refuse(self._assoc, command, error)
        except Exception:
            log.exception("store could not be refused")
            return StoreAnswer(PROCESSING_FAILURE, "processing failure")

    def _response_ends(self, elements: dict[int, bytes]) -> None:
        """The answer to an instance of ours: as pynetdicom would read it, but one comes for every instance sent."""
        self._await_room()
        assert self._context_id is not None
        response: Any = C_STORE()  # pynetdicom types its attributes by their first value, None
        response.MessageIDBeingRespondedTo = number(elements, MESSAGE_ID_BEING_RESPONDED_TO)
        response.Status = number(elements, STATUS)
        response.ErrorComment = text(elements, ERROR_COMMENT)[:64] or None
        context_id = self._context_id
        self._reset()
        self._assoc.dimse.msg_queue.put((context_id, response))

    def _await_room(self) -> None:
        """Wait until what came before is taken: responses to a request of ours come no faster than that."""
        dimse = self._assoc.dimse
        while dimse.msg_queue.qsize() >= QUEUED_MESSAGES:
            if not self._assoc.is_requestor or time.monotonic() - self.started > self._limits.message_timeout:
                raise ProtocolError(NOT_SPECIFIED, "too many requests at once")
            if not self._assoc.stands():
                break
            time.sleep(_PAUSE)

    def _hand_over(self) -> None:
        """Give a whole message that is not ours to pynetdicom's DIMSE provider, as the primitives it expects."""
        dimse = self._assoc.dimse
        self._await_room()
        assert self._context_id is not None
        primitive = P_DATA()
        values = primitive.presentation_data_value_list
        values.append((self._context_id, b"\x03" + self._command))
        if self._identifier is not None:
            values.append((self._context_id, b"\x02" + self._identifier))
        self._reset()
        try:
            dimse.receive_primitive(primitive)
        except Exception as error:
            dimse.message = None
            raise ProtocolError(INVALID_PARAMETER, "message that cannot be decoded") from error

    def abandon(self, why: str) -> None:
        """Forget a message that will not be completed."""
        if not self.busy:
            return
        if self._store is not None:
            fields = {"sop_instance_uid": self._store.sop_instance_uid[:64], "bytes": self._count, "reason": why}
            log.warning("store interrupted", extra=fields)
        sink = self._sink
        self._reset()
        if sink is not None:
            abandon(sink)

    def _reset(self) -> None:
        self._context_id = None
        self._command = bytearray()
        self._identifier = self._unrecognized = self._store = self._sink = self._error = None
        self._count = 0


def abandon(sink: Sink) -> None:
    try:
        sink.abandon()
    except Exception:
        log.exception("sink could not be abandoned")

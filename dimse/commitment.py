"""Storage Commitment Push Model as provider: N-ACTION, and N-EVENT-REPORT on the association that asked (PS3.4 J.3)."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT
from pynetdicom.presentation import PresentationContext

from dimse.callers import actor_of as admitted_actor
from dimse.models import STORAGE_COMMITMENT
from dimse.normalized import ask, is_open, read_elements, written
from dimse.status import NOT_AUTHORIZED, PROCESSING_FAILURE, SUCCESS, status_of
from dimse.upper_layer.association import LeanAssociation
from vna.archive.commitment import DIMSE, Commitments
from vna.archive.commitment_elements import TRANSACTION_UID, asked_of, outcomes_of, result_elements, transaction_of
from vna.model.access import Actor
from vna.model.comments import comment_of
from vna.model.commitments import COMMITTED, FailureReason, Outcome, State
from vna.model.errors import (
    BadRequest,
    CannotUnderstand,
    DuplicateInstance,
    NotAuthorized,
    NotFound,
    TooLarge,
    Unavailable,
    VnaError,
)

log = logging.getLogger(__name__)

PUSH_MODEL_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
"""The well-known SOP Instance (PS3.4 J.3.5)."""
REQUEST_COMMITMENT: Final = 1
ALL_COMMITTED: Final = 1
FAILURES_EXIST: Final = 2
"""Action Type ID (PS3.4 Table J.3-1) and Event Type IDs (Table J.3-2)."""

_NO_SUCH_INSTANCE: Final = 0x0112
_NO_SUCH_EVENT: Final = 0x0113
_NO_SUCH_CLASS: Final = 0x0118
_NO_SUCH_ACTION: Final = 0x0123

COMMITMENT_STATUS: Final[Mapping[type[VnaError], int]] = {  # PS3.7 10.1.4.1.10, C.5
    BadRequest: 0x0115,
    CannotUnderstand: 0x0212,
    TooLarge: 0x0213,
    NotAuthorized: NOT_AUTHORIZED,
    NotFound: 0x0115,
    DuplicateInstance: FailureReason.DUPLICATE_TRANSACTION,
}
"""Every other error is a processing failure. For a Transaction UID in use PS3.7 has no status: it is the Failure Reason
of PS3.3 C.14.1.1, since a report under that UID would be taken for that of the request before."""

_LOOK_SECONDS: Final = 0.1
_ANSWER_SECONDS: Final = 30.0
_MOST_AWAITED: Final = 16
"""Requests of one association whose results are waited for on it; those of others go out on a new one."""


class CommitmentProvider:
    """Answers requests, and takes results of requests that we sent."""

    def __init__(
        self,
        requests: Commitments,
        ae_title: str,
        hold_seconds: float,
        actor_of: Callable[[Any], Actor] = admitted_actor,
    ) -> None:
        self._requests = requests
        self._ae_title = ae_title
        self._hold_seconds = hold_seconds
        self._actor_of = actor_of
        self._lock = threading.Lock()
        self._waiting: WeakKeyDictionary[LeanAssociation, deque[str]] = WeakKeyDictionary()

    def serve(self, assoc: Any, message: Any, context: PresentationContext) -> None:
        """A service of our upper layer: one request and its response."""
        is_request = isinstance(message, N_ACTION)
        response = _action_response(message) if is_request else _event_response(message)
        transaction_uid, actor = "", None
        try:
            actor = self._actor_of(assoc)
            if is_request:
                transaction_uid = self._request(actor, assoc, message, context)
            else:
                self._result(actor, message, context)
            response.Status = SUCCESS
        except _Refused as refused:
            response.Status = refused.status
        except Exception as exc:
            fields = {"peer_ae": assoc.requestor.ae_title}
            if isinstance(exc, VnaError):
                log.info("storage commitment refused", extra={**fields, "reason": str(exc)})
            else:
                log.exception("storage commitment failed", extra=fields)
            response.Status = status_of(exc, COMMITMENT_STATUS, PROCESSING_FAILURE)
            if is_request:
                response.ErrorComment = comment_of(exc)
        if assoc.is_established:
            assoc.dimse.send_msg(response, context.context_id)
        if actor is not None and transaction_uid and self._hold_seconds:
            self._watch(assoc, context, actor, transaction_uid)

    def _request(self, actor: Actor, assoc: LeanAssociation, message: Any, context: PresentationContext) -> str:
        _require(message.RequestedSOPClassUID == STORAGE_COMMITMENT, _NO_SUCH_CLASS)
        _require(message.RequestedSOPInstanceUID == PUSH_MODEL_INSTANCE, _NO_SUCH_INSTANCE)
        _require(message.ActionTypeID == REQUEST_COMMITMENT, _NO_SUCH_ACTION)
        elements = read_elements(message.ActionInformation, str(context.transfer_syntax[0]))
        transaction_uid = transaction_of(elements)
        asked = asked_of(elements, self._requests.most)
        with self._lock:
            has_room = len(self._waiting.get(assoc, ())) < _MOST_AWAITED
        hold = self._hold_seconds if has_room else 0.0
        self._requests.request(actor, transaction_uid, asked, door=DIMSE, hold_seconds=hold)
        return transaction_uid if has_room else ""

    def _result(self, actor: Actor, message: Any, context: PresentationContext) -> None:
        """Of a request of ours, on an association that the provider opened for it (PS3.4 J.3.3.1.3)."""
        _require(message.AffectedSOPClassUID == STORAGE_COMMITMENT, _NO_SUCH_CLASS)
        _require(message.AffectedSOPInstanceUID == PUSH_MODEL_INSTANCE, _NO_SUCH_INSTANCE)
        _require(message.EventTypeID in (ALL_COMMITTED, FAILURES_EXIST), _NO_SUCH_EVENT)
        take_result(self._requests, actor, message, context)

    def _watch(self, assoc: LeanAssociation, context: PresentationContext, actor: Actor, transaction_uid: str) -> None:
        with self._lock:
            waiting = self._waiting.get(assoc)
            if waiting is not None:
                waiting.append(transaction_uid)
                return
            self._waiting[assoc] = deque([transaction_uid])
        watch = _Watch(self._requests, self._ae_title, assoc, context, actor, time.monotonic() + self._hold_seconds)
        threading.Thread(target=self._follow, args=(watch,), name="commitment", daemon=True).start()

    def _follow(self, watch: _Watch) -> None:
        try:
            while (transaction_uid := self._next(watch.assoc)) is not None:
                watch.until = time.monotonic() + self._hold_seconds
                watch.follow(transaction_uid)
                self._done(watch.assoc)
        except Exception:
            log.exception("storage commitment not followed")
            with self._lock:
                self._waiting.pop(watch.assoc, None)

    def _next(self, assoc: LeanAssociation) -> str | None:
        with self._lock:
            waiting = self._waiting.get(assoc)
            if waiting:
                return waiting[0]
            self._waiting.pop(assoc, None)
            return None

    def _done(self, assoc: LeanAssociation) -> None:
        with self._lock:
            self._waiting[assoc].popleft()


class _Watch:
    """Waits for results while an association is open, and reports on it."""

    def __init__(
        self,
        requests: Commitments,
        ae_title: str,
        assoc: LeanAssociation,
        context: PresentationContext,
        actor: Actor,
        until: float,
    ) -> None:
        self._requests = requests
        self._ae_title = ae_title
        self._context = context
        self._actor = actor
        self.assoc = assoc
        self.until = until

    def follow(self, transaction_uid: str) -> None:
        """One request: reported on the association, or left to a new one."""
        try:
            if self._is_reported(transaction_uid):
                self._requests.was_reported(self._actor, transaction_uid)
            else:
                self._requests.let_go(self._actor, transaction_uid)
        except VnaError as exc:  # its job goes on when the time of the association is over
            log.info("storage commitment left to its job", extra={"reason": str(exc)})

    def _is_reported(self, transaction_uid: str) -> bool:
        while time.monotonic() < self.until and is_open(self.assoc):
            if self._requests.state(self._actor, transaction_uid) is not State.PENDING:
                return self._report(transaction_uid)
            self.assoc.dul.closed.wait(_LOOK_SECONDS)
        return False

    def _report(self, transaction_uid: str) -> bool:
        outcomes = self._requests.take(self._actor, transaction_uid)
        if outcomes is None:
            return False
        try:
            report_on(self.assoc, self._context, transaction_uid, outcomes, self._ae_title)
        except Unavailable:
            return False
        except VnaError as exc:
            log.info("report refused", extra={"transaction": transaction_uid, "reason": str(exc)})
            return False
        return True


def report_on(
    assoc: LeanAssociation,
    context: PresentationContext,
    transaction_uid: str,
    outcomes: tuple[Outcome, ...],
    ae_title: str,
) -> None:
    """N-EVENT-REPORT of a result on an association (PS3.4 J.3.3.1.2); an error says why it is not taken."""
    request: Any = N_EVENT_REPORT()
    request.MessageID = 1
    request.AffectedSOPClassUID = STORAGE_COMMITMENT
    request.AffectedSOPInstanceUID = PUSH_MODEL_INSTANCE
    request.EventTypeID = ALL_COMMITTED if all(one.result == COMMITTED for one in outcomes) else FAILURES_EXIST
    elements = {TRANSACTION_UID: {"vr": "UI", "Value": [transaction_uid]}, **result_elements(outcomes)}
    elements["00080054"] = {"vr": "AE", "Value": [ae_title]}
    request.EventInformation = written(elements, context)
    response = ask(assoc, request, context, _ANSWER_SECONDS)
    if response.Status != SUCCESS:
        raise BadRequest(f"the report was answered with status {response.Status:04X}")


def take_result(requests: Commitments, actor: Actor, message: Any, context: PresentationContext) -> str:
    """Keep what an N-EVENT-REPORT says of a request of ours; its Transaction UID."""
    elements = read_elements(message.EventInformation, str(context.transfer_syntax[0]))
    transaction_uid = transaction_of(elements)
    requests.answered(actor, transaction_uid, outcomes_of(elements), FailureReason.PROCESSING_FAILURE)
    return transaction_uid


class _Refused(Exception):
    """A request that names something else than there is, and the status that says so."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status:04X}")
        self.status = status


def _require(holds: bool, status: int) -> None:
    if not holds:
        raise _Refused(status)


def _action_response(message: Any) -> Any:
    response: Any = N_ACTION()
    response.MessageIDBeingRespondedTo = message.MessageID
    response.AffectedSOPClassUID = message.RequestedSOPClassUID
    response.AffectedSOPInstanceUID = message.RequestedSOPInstanceUID
    response.ActionTypeID = message.ActionTypeID
    return response


def _event_response(message: Any) -> Any:
    response: Any = N_EVENT_REPORT()
    response.MessageIDBeingRespondedTo = message.MessageID
    response.AffectedSOPClassUID = message.AffectedSOPClassUID
    response.AffectedSOPInstanceUID = message.AffectedSOPInstanceUID
    response.EventTypeID = message.EventTypeID
    return response

"""Modality Performed Procedure Step as provider: N-CREATE, N-SET and N-GET (PS3.4 F.7, F.8; PS3.7 10.1)."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from pynetdicom.dimse_primitives import N_CREATE, N_GET, N_SET
from pynetdicom.presentation import PresentationContext

from dimse.callers import actor_of as admitted_actor
from dimse.normalized import Elements, read_elements, written
from dimse.status import DUPLICATE_SOP_INSTANCE, NOT_AUTHORIZED, PROCESSING_FAILURE, SUCCESS, status_of
from vna.model.access import Actor
from vna.model.comments import comment_of
from vna.model.errors import (
    BadRequest,
    CannotUnderstand,
    DuplicateInstance,
    Finished,
    InvalidValue,
    MissingAttribute,
    MissingValue,
    NotAuthorized,
    NotFound,
    TooLarge,
    VnaError,
)
from vna.worklist.performed import PerformedSteps

log = logging.getLogger(__name__)

NO_SUCH_INSTANCE: Final = 0x0112
INVALID_VALUE: Final = 0x0106
MISTYPED_ARGUMENT: Final = 0x0212
MAY_NO_LONGER_BE_UPDATED: Final = 0xA710
"""Error ID beside Processing Failure (PS3.4 Table F.7.2-2)."""

STEP_STATUS: Final[Mapping[type[VnaError], int]] = {  # PS3.7 C.5, PS3.4 F.7.2.1.3, F.7.2.2.3
    MissingAttribute: 0x0120,
    MissingValue: 0x0121,
    InvalidValue: INVALID_VALUE,
    BadRequest: MISTYPED_ARGUMENT,
    CannotUnderstand: MISTYPED_ARGUMENT,
    TooLarge: 0x0213,
    DuplicateInstance: DUPLICATE_SOP_INSTANCE,
    Finished: PROCESSING_FAILURE,
    NotFound: NO_SUCH_INSTANCE,
    NotAuthorized: NOT_AUTHORIZED,
}
"""Every other error is a processing failure."""

Service = Callable[[Any, Any, PresentationContext], None]


class StepProvider:
    """Answers the N-services of performed procedure steps."""

    def __init__(self, steps: PerformedSteps, actor_of: Callable[[Any], Actor] = admitted_actor) -> None:
        self._steps = steps
        self._actor_of = actor_of

    def serve(self, assoc: Any, message: Any, context: PresentationContext) -> None:
        """A service of our upper layer: one request and its response."""
        response, uid = _response(message)
        try:
            actor = self._actor_of(assoc)
            answered = self._do(actor, message, uid, str(context.transfer_syntax[0]))
        except Exception as exc:
            fields = {"peer_ae": assoc.requestor.ae_title, "step": uid[:64]}
            if isinstance(exc, VnaError):
                log.info("performed step refused", extra={**fields, "reason": str(exc)})
            else:
                log.exception("performed step failed", extra=fields)
            _refuse(response, exc)
        else:
            response.Status = SUCCESS
            if answered is not None:
                response.AttributeList = written(answered, context)
        if assoc.is_established:
            assoc.dimse.send_msg(response, context.context_id)

    def _do(self, actor: Actor, message: Any, uid: str, syntax: str) -> Elements | None:
        if isinstance(message, N_GET):
            return _asked(self._steps.get(actor, uid), message.AttributeIdentifierList)
        if isinstance(message, N_SET):
            self._steps.set(actor, uid, read_elements(message.ModificationList, syntax))
        else:
            self._steps.create(actor, uid, read_elements(message.AttributeList, syntax))
        return None


def step_service(steps: PerformedSteps, actor_of: Callable[[Any], Actor] = admitted_actor) -> Service:
    """A service for the profile of our upper layer, for PERFORMED_STEP and PERFORMED_STEP_RETRIEVE."""
    return StepProvider(steps, actor_of).serve


def _asked(elements: Elements, tags: Any) -> Elements:
    """All of them where none is named (PS3.7 10.1.2.1.5)."""
    if not tags:
        return elements
    named = {f"{int(tag):08X}" for tag in (tags if isinstance(tags, list) else [tags])}
    return {tag: element for tag, element in elements.items() if tag in named}


def _response(message: Any) -> tuple[Any, str]:
    """The response to a request, which names what it is about (PS3.7 10.1); a new instance may be named by us."""
    response = type(message)()
    response.MessageIDBeingRespondedTo = message.MessageID
    if isinstance(message, N_CREATE):
        uid = message.AffectedSOPInstanceUID or f"2.25.{uuid4().int}"
        response.AffectedSOPClassUID = message.AffectedSOPClassUID
    else:
        uid = message.RequestedSOPInstanceUID
        response.AffectedSOPClassUID = message.RequestedSOPClassUID
    response.AffectedSOPInstanceUID = uid
    return response, str(uid)


def _refuse(response: Any, error: Exception) -> None:
    response.Status = status_of(error, STEP_STATUS, PROCESSING_FAILURE)
    response.ErrorComment = comment_of(error)
    if isinstance(error, Finished):
        response.ErrorID = MAY_NO_LONGER_BE_UPDATED

"""One request and its responses over an association (PS3.7 9.1), waited for as long as something comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from queue import Empty
from typing import Any, Final

from dimse.upper_layer.association import LeanAssociation
from vna.model.errors import Rejected, Unavailable
from vna.model.sources import PATIENT, Terms

PENDING: Final = frozenset({0xFF00, 0xFF01})
_TICK: Final = 0.25
_CANCELLED_SECONDS: Final = 2.0
_CANCELLED_RESPONSES: Final = 1000
_MOST_MESSAGE_IDS: Final = 0xFFFF


class Exchange:
    """Requests over one association, one after the other."""

    def __init__(self, name: str, assoc: LeanAssociation, wait_seconds: float) -> None:
        self._name = name
        self._assoc = assoc
        self._wait_seconds = wait_seconds
        self._message_id = 0

    def context(self, sop_class_uid: str) -> int:
        """The accepted context in which we are user of a SOP Class; Rejected when there is none."""
        for context in self._assoc.accepted_contexts:
            if context.as_scu and str(context.abstract_syntax) == sop_class_uid and context.context_id is not None:
                return context.context_id
        raise Rejected(f"{self._name} does not offer the SOP Class {sop_class_uid}")

    def ask(
        self, request: Any, sop_class_uid: str, progress: Callable[[], int] = lambda: 0, terms: Terms = PATIENT
    ) -> Iterator[Any]:
        """Send a request; its responses, the last one without the status Pending.

        Unavailable when nothing comes for too long; what `progress` counts is something. Left before the last response,
        or when the terms are over, the request is cancelled (PS3.7 9.3.2.3).
        """
        with self._assoc.undisturbed():
            context_id = self.send(request, sop_class_uid)
            done = False
            try:
                while not done:
                    response = self.response(request, progress, terms)
                    done = response.Status not in PENDING
                    yield response
            finally:
                if not done and self._assoc.stands():
                    self._cancel(request, context_id, sop_class_uid)

    def send(self, request: Any, sop_class_uid: str) -> int:
        """Send a request; the context it went in."""
        context_id = self.context(sop_class_uid)
        self._message_id = self._message_id % _MOST_MESSAGE_IDS + 1
        request.MessageID = self._message_id
        with self._assoc.undisturbed():
            self._assoc.dimse.send_msg(request, context_id)
        return context_id

    def response(self, request: Any, progress: Callable[[], int], terms: Terms = PATIENT) -> Any:
        """The next response to a request."""
        seen, deadline = progress(), time.monotonic() + self._wait_seconds
        while (found := self.waiting(request, _TICK)) is None:
            if not self._assoc.stands():
                raise Unavailable(f"{self._name} ended the association before it had answered")
            if terms.over:
                raise Unavailable(f"{self._name} does not answer in time")
            if (now := progress()) != seen:
                seen, deadline = now, time.monotonic() + self._wait_seconds
            elif time.monotonic() > deadline:
                self._assoc.abort()
                raise Unavailable(f"{self._name} does not answer in time")
        return found

    def waiting(self, request: Any, seconds: float) -> Any:
        """A response that is there or comes within so many seconds; None when none does."""
        try:
            _, message = self._assoc.dimse.msg_queue.get(block=seconds > 0, timeout=seconds or None)
        except Empty:
            return None
        if message is None:
            return None
        is_answer = isinstance(message, type(request)) and message.MessageIDBeingRespondedTo == request.MessageID
        if not is_answer or message.Status is None:
            self._assoc.abort()
            raise Unavailable(f"{self._name} answers something else than was asked")
        return message

    def _cancel(self, request: Any, context_id: int, sop_class_uid: str) -> None:
        """Say that no more is wanted, and take what is on its way; who goes on is cut off."""
        try:
            self._assoc.send_c_cancel(request.MessageID, context_id, sop_class_uid)
            deadline = time.monotonic() + _CANCELLED_SECONDS
            for _ in range(_CANCELLED_RESPONSES):
                response = self.waiting(request, max(0.01, deadline - time.monotonic()))
                if response is None or response.Status not in PENDING:
                    break
            else:
                response = None
        except Unavailable:
            return
        if response is None:
            self._assoc.abort()

"""Counting the sub-operations of a C-MOVE or C-GET, and telling the requestor (PS3.4 C.4.2.1.4, C.4.3.1.4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_GET, C_MOVE
from pynetdicom.dsutils import encode
from pynetdicom.presentation import PresentationContext

from dimse.status import (
    CANCEL,
    PENDING,
    SUBOPERATIONS_COMPLETE_WITH_FAILURES,
    SUCCESS,
    UNABLE_TO_PERFORM_SUBOPERATIONS,
)
from dimse.upper_layer.association import LeanAssociation
from vna.model.comments import comment
from vna.model.destination import Sent, Verdict

SECONDS_BETWEEN_PENDING: Final = 0.1
SECONDS_OF_SILENCE: Final = 5.0
_MOST: Final = 0xFFFF
"""What a count or, in explicit encodings, a list of UIDs can hold."""


class Tally:
    """What became of the sub-operations so far."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.completed = 0
        self.warnings = 0
        self.failed_uids: list[str] = []
        self.reason = ""

    @property
    def failed(self) -> int:
        """How many failed."""
        return len(self.failed_uids)

    @property
    def remaining(self) -> int:
        """How many have not ended."""
        return self.total - self.completed - self.warnings - self.failed

    def add(self, sent: Sent) -> None:
        """Count one that ended."""
        if sent.verdict is Verdict.COMPLETED:
            self.completed += 1
        elif sent.verdict is Verdict.WARNING:
            self.warnings += 1
        else:
            self.failed_uids.append(sent.item.sop_instance_uid)
            self.reason = self.reason or sent.reason

    def final_status(self, *, cancelled: bool) -> int:
        """The status of the last response (PS3.4 Tables C.4-2, C.4-3)."""
        if cancelled and self.remaining:
            return CANCEL
        if self.failed and self.failed == self.total:
            return UNABLE_TO_PERFORM_SUBOPERATIONS
        if self.failed or self.warnings:
            return SUBOPERATIONS_COMPLETE_WITH_FAILURES
        return SUCCESS


class Reports:
    """The responses to one C-MOVE or C-GET request; nothing is said to a requestor that is gone."""

    def __init__(
        self,
        assoc: LeanAssociation,
        request: C_MOVE | C_GET,
        context: PresentationContext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._assoc = assoc
        self._request = request
        self._context = context
        self._clock = clock
        self._told_at = float("-inf")

    def pending(self, tally: Tally) -> None:
        """Counts in between, at most ten times a second."""
        if tally.remaining and self._clock() - self._told_at >= SECONDS_BETWEEN_PENDING:
            self._pending(tally)

    def alive(self, tally: Tally) -> None:
        """The same counts again, when nothing was said for long: some requestors take silence for failure."""
        if tally.remaining and self._clock() - self._told_at >= SECONDS_OF_SILENCE:
            self._pending(tally)

    def _pending(self, tally: Tally) -> None:
        self._told_at = self._clock()
        response = self._response(PENDING, tally)
        response.NumberOfRemainingSuboperations = min(tally.remaining, _MOST)
        self._send(response)

    def final(self, tally: Tally, *, cancelled: bool) -> int:
        """Counts and the list of what failed; the status that was answered."""
        status = tally.final_status(cancelled=cancelled)
        response = self._response(status, tally)
        if status == CANCEL:
            response.NumberOfRemainingSuboperations = min(tally.remaining, _MOST)
        if status == UNABLE_TO_PERFORM_SUBOPERATIONS and tally.reason:
            response.ErrorComment = comment(tally.reason)
        if tally.failed_uids:
            response.Identifier = BytesIO(self._failed_list(tally.failed_uids))
        self._send(response)
        return status

    def refused(self, status: int, reason: str) -> None:
        """A last response without any sub-operation."""
        response = self._response(status, None)
        response.ErrorComment = comment(reason) or None
        self._send(response)

    def _response(self, status: int, tally: Tally | None) -> Any:
        response: Any = type(self._request)()  # pynetdicom types its attributes by their first value, None
        response.MessageIDBeingRespondedTo = self._request.MessageID
        response.AffectedSOPClassUID = self._request.AffectedSOPClassUID
        response.Status = status
        if tally is not None:
            response.NumberOfCompletedSuboperations = min(tally.completed, _MOST)
            response.NumberOfFailedSuboperations = min(tally.failed, _MOST)
            response.NumberOfWarningSuboperations = min(tally.warnings, _MOST)
        return response

    def _failed_list(self, uids: list[str]) -> bytes:
        syntax: UID = self._context.transfer_syntax[0]
        ds = Dataset()
        ds.FailedSOPInstanceUIDList = uids if syntax.is_implicit_VR else _fitting(uids)
        return encode(ds, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated) or b""

    def _send(self, response: Any) -> None:
        if self._assoc.stands() and self._context.context_id is not None:
            self._assoc.dimse.send_msg(response, self._context.context_id)


def _fitting(uids: list[str]) -> list[str]:
    """As many as the 16-bit length of an explicit UI element holds; the counts tell the rest."""
    length = 0
    for number, uid in enumerate(uids):
        length += len(uid) + 1
        if length > _MOST - 1:
            return uids[:number]
    return uids

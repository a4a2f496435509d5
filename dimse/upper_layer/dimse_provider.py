"""pynetdicom's DIMSE provider, fitted to the lean association (PS3.7 8)."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import C_CANCEL

if TYPE_CHECKING:
    from dimse.upper_layer.association import LeanAssociation


class WakingQueue(queue.Queue[Any]):
    """Tells someone that something was put."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__()
        self._wake = wake

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        self._wake()


class Cancellations(dict[int, C_CANCEL]):
    """C-CANCEL requests by message; with the association gone, everything counts as cancelled.

    So services that look at their event's `is_cancelled` also stop working for a peer that is not there any more.
    """

    def __init__(self, stands: Callable[[], bool]) -> None:
        super().__init__()
        self._stands = stands

    def __contains__(self, message_id: object) -> bool:
        return super().__contains__(message_id) or not self._stands()

    def keys(self) -> Any:
        return self

    def __delitem__(self, message_id: int) -> None:
        self.pop(message_id, None)


class LeanDIMSE(DIMSEServiceProvider):
    """Wakes the association when a message has come, and sends each message whole."""

    def __init__(self, assoc: LeanAssociation) -> None:
        self._cancellations = Cancellations(assoc.stands)
        super().__init__(assoc)
        self._lean = assoc
        self.msg_queue = WakingQueue(assoc.wake)

    @property
    def cancel_req(self) -> dict[int, C_CANCEL]:
        return self._cancellations

    @cancel_req.setter
    def cancel_req(self, value: dict[int, C_CANCEL]) -> None:
        """pynetdicom empties it around every request by putting a new one in its place."""
        self._cancellations.clear()
        self._cancellations.update(value)

    def get_msg(self, block: bool = False) -> Any:
        return super().get_msg(block=block and not self._lean.dul.closed.is_set())

    def send_msg(self, primitive: Any, context_id: int) -> None:
        with self._lean.message_lock:
            super().send_msg(primitive, context_id)

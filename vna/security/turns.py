"""Whose turn it is over HTTP: what actor, address and Priority field say of a request."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vna.board import Free
from vna.model.errors import OutOfResources, Unavailable
from vna.model.priority import Priority
from vna.security.requests import actor_of
from vna.sending import at_pace
from vna.turns import Turns

_LONGEST_WAIT: Final = 30.0
"""Seconds; callers do not wait much longer for the first byte of an answer."""
_URGENCY = re.compile(r"(?:^|,)\s*u=([67])\s*(?=[,;]|$)")
_LOWERED = {"6": Priority.ROUTINE, "7": Priority.BULK}
"""What a Priority field makes of a request (RFC 9218 4.1): 7 is background; browsers say 0 to 5 of what they show."""


def priority_of(request: Request, usual: Priority) -> Priority:
    """The class of a request: what is usual, as far as its actor may have it and it does not say that it can wait."""
    said = request.headers.get("priority")
    highest = min(usual, actor_of(request).priority)
    found = _URGENCY.search(said) if said else None
    return min(highest, _LOWERED[found[1]]) if found is not None else highest


async def in_turn(
    request: Request, turns: Turns, usual: Priority, answer: Callable[[], Awaitable[Response]]
) -> Response:
    """The answer, made and sent when it is its turn and at the pace of its class; Unavailable when it has to wait for
    too long."""
    priority = priority_of(request, usual)
    if not turns.limits(priority) and not turns.pace.limits(priority):
        return await answer()
    try:
        free = await turns.take(priority, _LONGEST_WAIT)
    except OutOfResources as error:
        raise Unavailable(str(error)) from error
    try:
        return _InTurn(await answer(), free, turns, priority)
    except BaseException:
        free()
        raise


class _InTurn(Response):
    """An answer whose turn lasts until it is sent."""

    def __init__(self, answer: Response, free: Free, turns: Turns, priority: Priority) -> None:
        self.status_code = answer.status_code
        self.raw_headers = answer.raw_headers
        self.background = None
        self._answer = answer
        self._free = free
        self._pace = turns.pace
        self._priority = priority

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = at_pace(send, self._pace, self._priority) if self._pace.limits(self._priority) else send
        try:
            await self._answer(scope, receive, sent)
        finally:
            self._free()

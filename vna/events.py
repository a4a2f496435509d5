"""What happens inside this process, told to metrics and logs as it happens: nothing durable, nothing that decides.

What must not be lost is an event row (vna.model.events); this is for counting and for the log.
"""

import logging
from collections.abc import Callable
from typing import Any, Literal

log = logging.getLogger(__name__)

Name = Literal[
    "instance.accepted",  # door, outcome (stored | already held | replaced), bytes, seconds
    "instance.refused",  # door, reason (name of the error)
    "association.opened",  # (nothing)
    "association.closed",  # (nothing)
    "association.refused",  # reason
    "query.answered",  # door (C-FIND | worklist | QIDO-RS), level, matches, seconds
    "source.searched",  # source, outcome (whole | partial | nothing)
    "retrieve.answered",  # door (C-MOVE | C-GET | WADO-RS), instances, bytes, seconds
    "http.answered",  # method, route, status, seconds
    "message.answered",  # type, code, seconds
    "instance.forwarded",  # destination, outcome (sent | failed | gone), instances
    "commitment.checked",  # outcome (committed | failures), instances, failures
    "lookup.alarm",  # (nothing): many look-ups of one caller fail
    "objects.verified",  # objects, bytes
    "blob.damaged",  # store: bytes of it are gone, or not those that were kept
    "store.silent",  # store: it did not answer, and others were asked
    "spool.uploaded",  # bytes, seconds
    "spool.failed",  # reason
    "clock.checked",  # offset (seconds), wrong
    "clock.unknown",  # (nothing): the time server did not answer
    "worker.started",  # kind, pid
    "worker.died",  # kind, pid
]
"""What can happen, with the fields each carries. Never a patient's name or identifier among them."""

Subscriber = Callable[..., None]

_subscribers: dict[str, tuple[Subscriber, ...]] = {}


def subscribe(name: Name, subscriber: Subscriber) -> None:
    """Call `subscriber(**fields)` at every `name`, in the thread that emits: it has to be quick."""
    _subscribers[name] = (*_subscribers.get(name, ()), subscriber)


def unsubscribe(name: Name, subscriber: Subscriber) -> None:
    """The other way round; nothing happens when it was not subscribed."""
    _subscribers[name] = tuple(known for known in _subscribers.get(name, ()) if known != subscriber)


def emit(name: Name, **fields: Any) -> None:
    """Tell the subscribers; what one of them raises is logged and stays here."""
    for subscriber in _subscribers.get(name, ()):
        try:
            subscriber(**fields)
        except Exception:
            log.exception("subscriber failed", extra={"signal": name})

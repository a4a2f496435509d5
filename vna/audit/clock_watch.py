"""Looks at the clock of this node every few minutes; too large an offset is an alarm, in log, metrics and trail."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from vna import events as signals
from vna.audit.clock import Measured, measure
from vna.model.access import SYSTEM
from vna.model.audit import AuditKind, AuditRecord, Outcome, Trail
from vna.model.errors import VnaError

log = logging.getLogger(__name__)


class ClockWatch:
    """Asks the time server that the settings name."""

    def __init__(
        self,
        trail: Trail,
        *,
        node: str,
        server: str,
        most: float,
        every: float,
        ask: Callable[[str], Measured] = measure,
    ) -> None:
        """`most` seconds of offset are borne."""
        self._trail = trail
        self._node = node
        self._server = server
        self._most = most
        self._every = every
        self._ask = ask
        self._is_wrong = False

    def run(self, stop: threading.Event) -> None:
        """Ask until told to stop; nothing where no server is named."""
        while self._server and not stop.is_set():
            try:
                self.once()
            except VnaError as exc:
                log.warning("the clock cannot be checked", extra={"server": self._server, "reason": str(exc)})
                signals.emit("clock.unknown")
            except Exception:
                log.exception("check of the clock failed")
            stop.wait(self._every)

    def once(self) -> Measured:
        """Ask once, and tell of it."""
        found = self._ask(self._server)
        is_wrong = abs(found.offset) > self._most
        signals.emit("clock.checked", offset=found.offset, wrong=is_wrong)
        if is_wrong:
            log.error("the clock is wrong", extra={"server": self._server, "offset": round(found.offset, 3)})
        if is_wrong != self._is_wrong:
            self._is_wrong = is_wrong
            self._trail.record(
                AuditRecord(
                    kind=AuditKind.SECURITY,
                    what="clock.wrong" if is_wrong else "clock.right",
                    actor=SYSTEM,
                    at=datetime.now(UTC),
                    outcome=Outcome.SERIOUS_FAILURE if is_wrong else Outcome.SUCCESS,
                    detail={"node": self._node, "server": self._server, "offset": round(found.offset, 6)},
                )
            )
        return found

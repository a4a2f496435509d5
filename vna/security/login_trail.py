"""What the audit trail says of logins: who came, who left, and who was refused."""

import threading
import time
from datetime import UTC, datetime

from vna.model.access import Actor, ActorKind
from vna.model.audit import NO_TRAIL, AuditKind, AuditRecord, Trail

_WINDOW_SECONDS = 60.0
_REMEMBERED = 10_000


class LoginTrail:
    """User Authentication (PS3.15 A.5.3): durable before anybody is let in or told."""

    def __init__(self, trail: Trail = NO_TRAIL) -> None:
        self._trail = trail
        self._lock = threading.Lock()
        self._turned_away: dict[tuple[str, str, str], float] = {}

    def came(self, actor: Actor, how: str) -> None:
        """Somebody logged in, in this way; of who does so again and again one record a minute."""
        self._trail.entered(actor, how)

    def left(self, actor: Actor) -> None:
        """Somebody logged out."""
        self._trail.record(AuditRecord(AuditKind.LOGIN, "logout", actor, datetime.now(UTC)))

    def failed(self, actor: Actor, how: str, why: str = "") -> None:
        """A login was refused, for a reason that its caller is not told."""
        self._trail.kept_out(actor, how, why)

    def turned_away(self, actor: Actor, how: str, why: str) -> None:
        """The same where it costs the caller nothing: one record a minute for an address and a reason, so that nobody
        fills the trail."""
        mark, now = (actor.address, how, why), time.monotonic()
        with self._lock:
            if self._turned_away.get(mark, 0.0) > now:
                return
            if len(self._turned_away) >= _REMEMBERED:
                self._turned_away.clear()
            self._turned_away[mark] = now + _WINDOW_SECONDS
        self.failed(actor, how, why)

    def refused_elsewhere(self, address: str, how: str, why: str) -> None:
        """The same of somebody whom only a provider knows."""
        self.turned_away(Actor(ActorKind.ANONYMOUS, "", address=address), how, why)

"""What the audit trail says of logins: who came, who left, and who was refused."""

from datetime import UTC, datetime

from vna.model.access import Actor
from vna.model.audit import AuditKind, AuditRecord, NoTrail, Outcome, Trail


class LoginTrail:
    """User Authentication (PS3.15 A.5.3): a record each, durable before anybody is let in or told."""

    def __init__(self, trail: Trail | None = None) -> None:
        self._trail = trail or NoTrail()

    def came(self, actor: Actor, how: str) -> None:
        """Somebody logged in, in this way."""
        self._record(actor, "login", how)

    def left(self, actor: Actor) -> None:
        """Somebody logged out."""
        self._record(actor, "logout", "session")

    def failed(self, actor: Actor, how: str, why: str = "") -> None:
        """A login was refused, for a reason that its caller is not told."""
        self._record(actor, "login", how, Outcome.MINOR_FAILURE, why)

    def _record(self, actor: Actor, what: str, how: str, outcome: Outcome = Outcome.SUCCESS, why: str = "") -> None:
        at = datetime.now(UTC)
        self._trail.record(AuditRecord(AuditKind.LOGIN, what, actor, at, outcome, reason=why, detail={"by": how}))

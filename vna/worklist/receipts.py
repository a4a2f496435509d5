"""Messages that are done once, however often they come: the receipt is written in the transaction of what they do."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from storage.index import received
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.received import Receipt
from vna.model.access import Action, Actor
from vna.model.errors import Reused
from vna.security.policy import Policy

_PRUNED_EVERY_SECONDS = 60.0
_PRUNED_AT_ONCE = 20_000
"""More than come in that time, so that the table is bounded by `days` alone."""


class Receipts:
    """Which messages were done, and what was answered; kept for `days`. Whoever sends them needs the right to feed."""

    def __init__(self, database: Database, policy: Policy, *, days: int) -> None:
        self._database = database
        self._policy = policy
        self._days = days
        self._pruned_at = 0.0

    def once(self, actor: Actor, receipt: Receipt, work: Callable[[Connection], None]) -> str:
        """Do what a message says, and note it with its answer; one that came before is only answered as it was then.

        Reused when another message came under this identifier. What `work` raises leaves nothing.
        """
        self._policy.check(actor, Action.FEED)
        self._prune()
        with self._database.transaction() as connection:
            if received.claim(connection, receipt, time_text(datetime.now(UTC))):
                work(connection)
                return receipt.answer
            known = received.find(connection, receipt.source, receipt.control_id)
        return _same(known, receipt)

    def after(self, actor: Actor, receipt: Receipt, work: Callable[[], None]) -> str:
        """The same for work that writes by itself, and nothing when it is done again: only then is it noted."""
        self._policy.check(actor, Action.FEED)
        self._prune()
        with self._database.glance() as connection:
            known = received.find(connection, receipt.source, receipt.control_id)
        if known is None:
            work()
            with self._database.transaction() as connection:
                if received.claim(connection, receipt, time_text(datetime.now(UTC))):
                    return receipt.answer
                known = received.find(connection, receipt.source, receipt.control_id)
        return _same(known, receipt)

    def latest(self, actor: Actor, receipt: Receipt, work: Callable[[], None]) -> str:
        """As `after`, for senders whose identifiers come round again: another message under one is done as well, and
        noted in the place of the one before."""
        self._policy.check(actor, Action.FEED)
        self._prune()
        with self._database.glance() as connection:
            known = received.find(connection, receipt.source, receipt.control_id)
        if known is not None and known[0] == receipt.digest:
            return known[1]
        work()
        with self._database.transaction() as connection:
            received.note(connection, receipt, time_text(datetime.now(UTC)))
        return receipt.answer

    def _prune(self) -> None:
        now = time.monotonic()
        if now - self._pruned_at < _PRUNED_EVERY_SECONDS and self._pruned_at:
            return
        self._pruned_at = now
        before = time_text(datetime.now(UTC) - timedelta(days=self._days))
        with self._database.transaction() as connection:
            received.prune(connection, before, _PRUNED_AT_ONCE)


def _same(known: tuple[bytes, str] | None, receipt: Receipt) -> str:
    if known is None or known[0] != receipt.digest:
        raise Reused("another message came under this control id before")
    return known[1]

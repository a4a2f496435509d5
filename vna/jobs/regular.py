"""What is done at regular times: made a durable job when it is due, by whichever node comes first."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.index import jobs, regular
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.model.errors import VnaError

log = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Regular:
    """A job of the kind under which it is known, and how often: `at_once` for one that is due where it never was done,
    others wait for one period."""

    every: timedelta
    at_once: bool = True
    priority: int = jobs.BULK


class Regularly:
    """Looks every few seconds what is due; a kind that is still at it is not begun again."""

    def __init__(self, database: Database, kinds: Mapping[str, Regular]) -> None:
        self._database = database
        self._kinds = dict(kinds)

    def run(self, stop: threading.Event) -> None:
        """Look until told to stop; an index that does not answer is waited for."""
        while self._kinds and not stop.is_set():
            try:
                self.once()
            except VnaError as exc:
                log.warning("regular jobs wait", extra={"reason": str(exc)})
            except Exception:
                log.exception("regular jobs failed")
            stop.wait(_LOOK_SECONDS)

    def once(self, now: datetime | None = None) -> list[str]:
        """Queue what is due; the kinds queued."""
        now = now or datetime.now(UTC)
        with self._database.read() as connection:
            last = {one.name: one.due_at for one in regular.known(connection)}
        due = [kind for kind in self._kinds if last.get(kind, "") <= time_text(now)]
        return [kind for kind in due if self._queue(kind, now)]

    def _queue(self, kind: str, now: datetime) -> bool:
        one = self._kinds[kind]
        following = time_text(now + one.every)
        first = time_text(now) if one.at_once else following
        with self._database.transaction() as connection:
            if not regular.claim(connection, kind, now=time_text(now), first=first, following=following):
                return False
            if jobs.waiting(connection, kind, kind):
                return False
            jobs.add(connection, kind, order_key=kind, priority=one.priority)
        return True


def was_done(connection: Connection, kind: str, outcome: str) -> None:
    """Remember that something that is done at regular times was done, and what came of it."""
    regular.done(connection, kind, now=time_text(datetime.now(UTC)), outcome=outcome)

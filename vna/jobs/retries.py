"""When what failed is tried again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.index import jobs
from storage.index.engine import Connection
from storage.index.events import read_time, time_text
from storage.index.jobs import Job
from vna.model.errors import VnaError

RETRY_SECONDS = (1, 5, 30, 120, 600, 3600)
"""The pause after each failure; after the last one a person has to look."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """Seconds to wait after each failure of jobs of one kind. After the last one a person has to look; with `days` that
    last one is waited for again and again, until the job is so old."""

    pauses: tuple[int, ...] = RETRY_SECONDS
    days: int = 0

    def pause(self, job: Job, now: datetime) -> int | None:
        """How long to wait after this failure; None when it is not tried again."""
        if job.attempts < len(self.pauses):
            return self.pauses[job.attempts]
        young = now - read_time(job.created_at) <= timedelta(days=self.days)
        return self.pauses[-1] if self.days and young else None


USUAL = Ladder()


class GivenUp(VnaError):
    """Raised by work that no repetition can help."""


class KeepTrying(VnaError):
    """Raised by work that waits for somebody else: tried again for a month, at least every ten minutes."""


_AT_LEAST = 600
_MOST_DAYS = 30


def failed(connection: Connection, job: Job, error: Exception, ladder: Ladder = USUAL) -> bool:
    """Put a job off after a failure; whether it will be tried again by itself."""
    if isinstance(error, KeepTrying):
        return _waits(connection, job, str(error))
    words = f"{type(error).__name__}: {error}"
    now = datetime.now(UTC)
    pause = None if isinstance(error, GivenUp) else ladder.pause(job, now)
    if pause is None:
        jobs.bury(connection, job, words)
        return False
    jobs.postpone(connection, job, run_after=time_text(now + timedelta(seconds=pause)), error=words)
    return True


def _waits(connection: Connection, job: Job, words: str) -> bool:
    now = datetime.now(UTC)
    if now - read_time(job.created_at) > timedelta(days=_MOST_DAYS):
        jobs.bury(connection, job, words)
        return False
    pause = min(RETRY_SECONDS[min(job.attempts, len(RETRY_SECONDS) - 1)], _AT_LEAST)
    jobs.postpone(connection, job, run_after=time_text(now + timedelta(seconds=pause)), error=words)
    return True

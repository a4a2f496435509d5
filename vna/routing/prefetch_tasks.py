"""Jobs of kind PREFETCH: what each is about, and which events cause one."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from storage.index import jobs
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.jobs.dispatch import Subscriber
from vna.model.events import Event, EventKind
from vna.model.examinations import Planned
from vna.model.instances import Door
from vna.routing.downloads import LOW

PREFETCH = "prefetch"
"""The kind; the payload is JSON (`Task`)."""

_CAME = frozenset({Door.C_STORE.value, Door.STOW.value, Door.IMPORT.value})
_REMEMBERED = 10_000
_AGAIN_SECONDS = 600.0
_SOON = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Task:
    """A job: of a `study` that came, or of what is `planned`. `left` are names of sources that are still to be
    searched, None before the first step; `failed` those that did not answer."""

    study: str = ""
    planned: Planned | None = None
    left: tuple[str, ...] | None = None
    failed: tuple[str, ...] = ()
    tries: int = 0

    def written(self) -> str:
        """As a job's payload."""
        return orjson.dumps(asdict(self)).decode()

    @staticmethod
    def read(payload: str) -> "Task":
        """The other way round."""
        said: dict[str, Any] = orjson.loads(payload)
        planned = said["planned"]
        left = said["left"]
        return Task(
            said["study"],
            None if planned is None else Planned(**{**planned, "codes": tuple(planned["codes"])}),
            None if left is None else tuple(left),
            tuple(said["failed"]),
            said["tries"],
        )

    @property
    def order_key(self) -> str:
        """Whoever lists jobs reads nothing of a patient in it."""
        if self.planned is None:
            return self.study
        return hashlib.sha256(orjson.dumps(asdict(self.planned))).hexdigest()


def noticing(database: Database) -> Subscriber:
    """Has the priors of a study looked for when the first of its instances comes, and once more when it still grows
    after a while: doing so again does no harm."""
    seen: dict[str, float] = {}

    def notice(batch: Sequence[Event]) -> None:
        stored = (event for event in batch if event.kind is EventKind.INSTANCE_STORED)
        studies = {event.study_instance_uid: None for event in stored if event.detail.get("door") in _CAME}
        now = time.monotonic()
        fresh = [study for study in studies if now - seen.get(study, -_AGAIN_SECONDS) >= _AGAIN_SECONDS]
        if not fresh:
            return
        with database.transaction() as connection:
            for study in fresh:
                schedule(connection, Task(study), _SOON)
        for study in fresh:
            seen.pop(study, None)
            seen[study] = now
        for study in list(seen)[: max(0, len(seen) - _REMEMBERED)]:
            del seen[study]

    return notice


def schedule(connection: Connection, task: Task, pause: timedelta | None = None) -> None:
    """Have it done, for one that is waiting already instead of it; after a pause where one is given."""
    later = time_text(datetime.now().astimezone() + pause) if pause else ""
    jobs.schedule(connection, PREFETCH, order_key=task.order_key, payload=task.written(), run_after=later, priority=LOW)

"""Forwarding to other archives: a job a destination and study, which sends what has not arrived there."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial

import orjson

from storage.index import events, forwarding, jobs
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.forwarding import FAILED, SENT, Candidate, Ended
from vna import events as signals
from vna.archive.retrieve import Retrieval
from vna.jobs.dispatch import Subscriber
from vna.jobs.retries import Ladder
from vna.model.access import SYSTEM
from vna.model.coercion import coercion_text
from vna.model.destination import Destination, Encoded, Item, Sent, Verdict
from vna.model.errors import NotFound, Unavailable, VnaError
from vna.model.events import Event, EventKind
from vna.model.instances import Selection
from vna.model.priority import Priority
from vna.pacing import Pace, paced
from vna.routing.forward_rules import ForwardRule, When, came_from_there, content_of
from vna.routing.reachable import Reachable

log = logging.getLogger(__name__)

SURVEY = "forward-survey"
"""The kind of job that looks, after a reindex, at what came lately; its payload is the last study's key."""

LADDER = Ladder((5, 15, 60, 300), days=7)
"""A destination may be away for days, and is asked again at least every five minutes."""

PAUSES = (30, 300, 3600, 21_600)
"""Seconds after which an instance is sent again that was not taken; after the last one a person has to look."""

_CAME = frozenset({EventKind.INSTANCE_STORED, EventKind.INSTANCE_RESTORED})
_CHANGED = frozenset({EventKind.INSTANCE_REPLACED, EventKind.INSTANCE_CORRECTED})
_PAGE = 500
_STEP_INSTANCES = 50
_STEP_BYTES = 256 << 20
_NOTE_SECONDS = 1.0


class Mode(StrEnum):
    """Why something is sent: by rules of either kind, because somebody said so, or because it failed before."""

    INSTANCE = "instance"
    STUDY = "study"
    BY_HAND = "by-hand"
    FAILED = "failed"

    @property
    def kind(self) -> str:
        """The kind of its jobs."""
        return f"forward-{self.value}"


KINDS = tuple(mode.kind for mode in Mode)


@dataclass(frozen=True, slots=True)
class Task:
    """The payload of a job: how far it is (`after` a key), and after how many tries what failed is to be sent again.

    What arrived before `since` does not count.
    """

    to: str
    study: str
    mode: Mode
    priority: int = Priority.ROUTINE
    after: int = 0
    tries: int = 0
    since: str = ""

    def text(self) -> str:
        """As JSON."""
        return orjson.dumps(self).decode()


def task_of(payload: str) -> Task:
    """The other way round."""
    said = orjson.loads(payload)
    return Task(**{**said, "mode": Mode(said["mode"])})


def queue(connection: Connection, task: Task, run_after: str = "") -> None:
    """One job a destination, study and mode, moved when it is there already."""
    priority = jobs.BULK if task.priority == Priority.BULK else 0
    key = f"{task.to} {task.study}"
    jobs.schedule(
        connection, task.mode.kind, order_key=key, payload=task.text(), run_after=run_after, priority=priority
    )


Names = Callable[[str], frozenset[str]]
"""The names by which what came from a destination is known."""


def noticing(database: Database, rules: Sequence[ForwardRule], names_of: Names) -> Subscriber:
    """Makes jobs of what comes, where a rule fits it."""

    def notice(batch: Sequence[Event]) -> None:
        came = {event.sop_instance_uid for event in batch if event.kind in _CAME}
        changed = {event.sop_instance_uid for event in batch if event.kind in _CHANGED}
        if not came and not changed:
            return
        with database.read() as connection:
            found = forwarding.by_name(connection, came | changed)
        wanted = [(one, [rule for rule in rules if rule.again or one.sop_instance_uid in came]) for one in found]
        _queue_all(database, wanted, names_of)

    return notice


def _queue_all(database: Database, wanted: Iterable[tuple[Candidate, Sequence[ForwardRule]]], names_of: Names) -> None:
    now = datetime.now(UTC)
    names: dict[str, frozenset[str]] = {}
    due: dict[tuple[str, str, Mode], tuple[int, int]] = {}
    for one, rules in wanted:
        for rule in rules:
            if rule.to not in names:
                names[rule.to] = names_of(rule.to)
            if came_from_there(one, names[rule.to]) or not rule.fits(one, now.date()):
                continue
            key = (rule.to, one.study_instance_uid, Mode(rule.when.value))
            rest = rule.rest if rule.when is When.STUDY else 0
            known = due.get(key, (rest, rule.priority))
            due[key] = (max(known[0], rest), max(known[1], rule.priority))
    if not due:
        return
    with database.transaction() as connection:
        for (to, study, mode), (rest, priority) in sorted(due.items()):
            queue(connection, Task(to, study, mode, priority), time_text(now + timedelta(seconds=rest)))


class Survey:
    """After a reindex: jobs that were lost with the index are made again, of what came within the days of `LADDER`."""

    def __init__(self, database: Database, rules: Sequence[ForwardRule], names_of: Names) -> None:
        self._database = database
        self._rules = tuple(rules)
        self._names_of = names_of

    def __call__(self, payload: str) -> str | None:
        """A page of studies."""
        if not self._rules:
            return None
        since = time_text(datetime.now(UTC) - timedelta(days=LADDER.days))
        with self._database.read() as connection:
            found = forwarding.studies_since(connection, since, after=int(payload or 0), limit=_PAGE)
        now = time_text(datetime.now(UTC))
        if not found:
            return None
        targets = {(rule.to, Mode(rule.when.value)): rule.priority for rule in self._rules}
        with self._database.transaction() as connection:
            for _key, study in found:
                for (to, mode), priority in sorted(targets.items()):
                    queue(connection, Task(to, study, mode, priority), now)
        return str(found[-1][0])


@dataclass(slots=True)
class _Step:
    """Instances on their way, by UID: what each is, what was really sent of it, and which are not there any more."""

    task: Task
    chosen: dict[str, Candidate]
    contents: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)


class Forwarding:
    """Does jobs of `KINDS`. A step may be done twice: the destination then gets again what it has."""

    def __init__(
        self,
        database: Database,
        retrieval: Retrieval,
        rules: Sequence[ForwardRule],
        *,
        destination_of: Callable[[str, Priority], Destination],
        names_of: Names,
        pace: Pace | None = None,
        reachable: Reachable | None = None,
    ) -> None:
        """`destination_of` gives the way to a name, or raises why there is none."""
        self._database = database
        self._retrieval = retrieval
        self._rules = tuple(rules)
        self._destination_of = destination_of
        self._names_of = names_of
        self._pace = pace or Pace(0)
        self._reachable = reachable or Reachable()

    def __call__(self, payload: str) -> str | None:
        """Some fifty instances; Unavailable when the destination does not answer."""
        task = task_of(payload)
        with self._database.read() as connection:
            page = forwarding.of_study(connection, task.to, task.study, after=task.after, limit=_PAGE)
        chosen, after = self._choose(task, page)
        if chosen:
            self._reachable.require(task.to)
            tries = self._send(_Step(task, chosen))
            task = replace(task, tries=max(task.tries, tries))
        task = replace(task, after=after)
        if len(page) == _PAGE or (page and after < page[-1].key):
            return task.text()
        self._later(task)
        return None

    def _choose(self, task: Task, page: Sequence[Candidate]) -> tuple[dict[str, Candidate], int]:
        chosen: dict[str, Candidate] = {}
        after, size = task.after, 0
        names = self._names_of(task.to)
        for one in page:
            if len(chosen) == _STEP_INSTANCES or size > _STEP_BYTES:
                break
            if self._is_due(task, one, names):
                chosen[one.sop_instance_uid] = one
                size += one.size
            after = one.key
        return chosen, after

    def _is_due(self, task: Task, one: Candidate, names: frozenset[str]) -> bool:
        if task.mode is Mode.FAILED:
            return one.outcome == FAILED and one.tries <= len(PAUSES)
        if task.mode is Mode.BY_HAND:
            return one.outcome != SENT or one.content != _content(one) or one.at < task.since
        if came_from_there(one, names):
            return False
        today = datetime.now(UTC).date()
        mine = (rule for rule in self._rules if rule.to == task.to and rule.when.value == task.mode.value)
        fitting = [rule for rule in mine if rule.fits(one, today)]
        if one.outcome == SENT:
            return one.content != _content(one) and any(rule.again for rule in fitting)
        return bool(fitting) and (one.tries <= len(PAUSES) or one.content != _content(one))

    def _send(self, step: _Step) -> int:
        """How often those that failed have been tried at most, 0 where none is to be sent again."""
        priority = Priority(step.task.priority)
        try:
            destination = self._destination_of(step.task.to, priority)
        except VnaError as error:
            self._reachable.silent(step.task.to, str(error))
            raise
        items = [self._item(step, one, priority) for one in step.chosen.values()]
        lost: list[Sent] = []
        waiting: list[Ended] = []
        answered, tries, noted = False, 0, time.monotonic()
        try:
            for sent in destination.send(items):
                if not (sent.begun and sent.answered):
                    lost.append(sent)
                    continue
                answered = self._answers(step.task.to) or answered
                waiting += self._ended(step, sent)
                if time.monotonic() - noted > _NOTE_SECONDS:
                    tries = max(tries, self._note(step.task, waiting))
                    waiting, noted = [], time.monotonic()
        finally:
            tries = max(tries, self._note(step.task, waiting))
        if not lost:
            return tries
        if not answered or any(not sent.begun for sent in lost):
            self._reachable.silent(step.task.to, lost[0].reason)
            raise Unavailable(lost[0].reason)
        ended = [one for sent in lost for one in self._ended(step, sent)]
        return max(tries, self._note(step.task, ended))

    def _answers(self, to: str) -> bool:
        """What waits since it did not answer goes on at once."""
        if self._reachable.answers(to):
            with self._database.transaction() as connection:
                forwarding.hurry(connection, KINDS, to)
        return True

    def _item(self, step: _Step, one: Candidate, priority: Priority) -> Item:
        encode = partial(self._encoded, step, one.sop_instance_uid, priority)
        return Item(one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid, encode)

    def _encoded(self, step: _Step, uid: str, priority: Priority, accepted: Sequence[str]) -> Encoded:
        """As it is at this moment: it may have been corrected, or deleted."""
        found = self._retrieval.instances(SYSTEM, Selection(sop_instance_uids=(uid,)))
        if not found or not found[0].is_here:
            step.gone.add(uid)
            raise NotFound("it is not here any more")
        self._retrieval.require_whole(SYSTEM, found[0])
        step.contents[uid] = content_of(bytes.fromhex(found[0].sha256), coercion_text(found[0].coercion))
        outgoing = self._retrieval.dataset(SYSTEM, found[0], accepted)
        if self._pace.limits(priority):
            outgoing.chunks = paced(outgoing.chunks, self._pace, priority)
        return outgoing

    def _ended(self, step: _Step, sent: Sent) -> list[Ended]:
        uid = sent.item.sop_instance_uid
        if uid in step.gone:
            signals.emit("instance.forwarded", destination=step.task.to, outcome="gone", instances=1)
            return []
        one = step.chosen[uid]
        content = step.contents.get(uid) or _content(one)
        if sent.verdict is not Verdict.FAILED:
            return [Ended(uid, content, SENT)]
        same = one.outcome == FAILED and one.content == content
        log.warning("instance not forwarded", extra={"sop_instance_uid": uid, "reason": sent.reason})
        return [Ended(uid, content, FAILED, one.tries + 1 if same else 1, sent.reason)]

    def _note(self, task: Task, ended: Sequence[Ended]) -> int:
        if not ended:
            return 0
        now = datetime.now(UTC)
        arrived = [(one.sop_instance_uid, one.content) for one in ended if one.outcome == SENT]
        with self._database.transaction() as connection:
            forwarding.note(connection, task.to, task.study, ended, time_text(now))
            if arrived:
                events.append(
                    connection,
                    EventKind.INSTANCES_FORWARDED,
                    at=now,
                    actor=SYSTEM.name,
                    detail={"to": task.to, "sent": arrived},
                    study_instance_uid=task.study,
                )
        counts = {SENT: len(arrived), FAILED: len(ended) - len(arrived)}
        for outcome, count in counts.items():
            if count:
                signals.emit("instance.forwarded", destination=task.to, outcome=outcome, instances=count)
        tries = [one.tries for one in ended if one.outcome == FAILED and one.tries <= len(PAUSES)]
        return max(tries, default=0)

    def _later(self, task: Task) -> None:
        """At the end: what was not taken is sent again after a while."""
        if not task.tries:
            return
        mode = Mode.FAILED if task.mode is Mode.BY_HAND else task.mode
        again = replace(task, mode=mode, after=0, tries=0)
        due = time_text(datetime.now(UTC) + timedelta(seconds=PAUSES[task.tries - 1]))
        with self._database.transaction() as connection:
            queue(connection, again, due)


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of."""
    ended = [Ended(uid, content, SENT) for uid, content in event.detail["sent"]]
    forwarding.note(connection, event.detail["to"], event.study_instance_uid, ended, time_text(event.at))


def after_reindex(connection: Connection) -> None:
    """Jobs are in no journal."""
    jobs.schedule(connection, SURVEY, order_key=SURVEY, payload="0", priority=jobs.BULK)


def _content(one: Candidate) -> str:
    return content_of(one.sha256, one.rules)

"""Runs of verify: how far they are is kept, so that one that was cut goes on where it was; by hand, and regularly."""

import logging
import time
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime

from storage.blobs.base import BlobStore
from storage.index import verify_runs
from storage.index.engine import Database
from storage.index.events import time_text
from storage.index.verify_runs import Damaged, Run
from vna import events
from vna.archive.care import Care, Checked
from vna.archive.checking import READERS, Checking
from vna.archive.claims import Damage
from vna.jobs.regular import was_done
from vna.model.access import SYSTEM, Action, Actor
from vna.model.priority import Priority
from vna.pacing import Pace
from vna.security.policy import Policy

log = logging.getLogger(__name__)

VERIFY = "verify"
"""The kind of job that verifies everything, a few seconds each step; its payload says whether it was begun."""
BY_HAND = "by hand"

_SAVE_SECONDS = 1.0
_STEP_SECONDS = 5.0
_BATCH = 500

Repair = Callable[[Actor, Checked], str]
"""Puts an object right that is damaged, and says in words where the whole one was; empty when there was none."""


class Verifying:
    """Everything, a study or a sample; what is damaged is remembered until it is whole again."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        policy: Policy,
        care: Care,
        *,
        rate: int = 0,
        readers: int = READERS,
        repair: Repair | None = None,
    ) -> None:
        """At most `rate` bytes a second, 0 for no bound; with `repair` the regular job puts right what it can."""
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._care = care
        self._rate = rate
        self._readers = readers
        self._repair = repair

    def standing(self, actor: Actor) -> Run | None:
        """The run by hand that was cut."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return verify_runs.find(connection, BY_HAND)

    def damaged(self, actor: Actor) -> Iterator[Damaged]:
        """What was damaged when it was looked at last, and was not given up."""
        self._policy.check(actor, Action.ADMIN)
        after = ""
        while True:
            with self._database.read() as connection:
                page = verify_runs.damaged(connection, after=after, limit=_BATCH)
            yield from page
            if len(page) < _BATCH:
                return
            after = page[-1].blob

    def everything(self, actor: Actor, run: Run | None = None, *, rate: int | None = None) -> Iterator[Checked]:
        """Go on with a run that was cut, or begin anew; each object is given when it was looked at."""
        self._policy.check(actor, Action.ADMIN)
        yield from self._going(run or _new(BY_HAND), self._checking(rate))

    def study(self, actor: Actor, study: str, *, rate: int | None = None) -> Iterator[Checked]:
        """One study; NotFound when nothing of it is here."""
        self._policy.check(actor, Action.ADMIN, study)
        yield from self._noting(self._care.verify_study(actor, study, self._checking(rate)))

    def sample(self, actor: Actor, percent: float, *, rate: int | None = None) -> Iterator[Checked]:
        """Some of everything that the index names, at random."""
        self._policy.check(actor, Action.ADMIN)
        yield from self._noting(self._care.verify(actor, checking=self._checking(rate), percent=percent))

    def repaired(self, actor: Actor, checked: Checked) -> None:
        """Something that was damaged was put right."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.transaction() as connection:
            verify_runs.whole(connection, [checked.blob])

    def __call__(self, payload: str) -> str | None:
        """A step of the regular job."""
        with self._database.read() as connection:
            run = verify_runs.find(connection, VERIFY) if payload else None
        objects, size, ends = 0, 0, time.monotonic() + _STEP_SECONDS
        going = self._going(run or _new(VERIFY), self._checking(None))
        try:
            for checked in going:
                objects, size = objects + 1, size + checked.size
                if checked.lost:
                    self._put_right(checked)
                if time.monotonic() > ends and checked.place[0] < _LAST_PART:
                    return "begun"
        finally:
            going.close()
            events.emit("objects.verified", objects=objects, bytes=size)
        return None

    def _put_right(self, checked: Checked) -> None:
        damage = checked.damage.value if checked.damage is not None else ""
        log.error("object damaged", extra={"blob": checked.blob, "damage": damage})
        if self._repair is not None and self._repair(SYSTEM, checked):
            self.repaired(SYSTEM, checked)

    def _checking(self, rate: int | None) -> Checking:
        rate = self._rate if rate is None else rate
        pace = Pace(rate)
        return Checking(
            self._blobs,
            readers=self._readers,
            take=(lambda size: pace.take(size, Priority.BULK)) if rate else None,
        )

    def _going(self, run: Run, checking: Checking) -> Generator[Checked, None, None]:
        self._save(run)
        saved = time.monotonic()
        found = self._care.verify(SYSTEM, after=(run.part, run.after), checking=checking)
        try:
            for checked in self._noting(found):
                if checked.place[0] == _LAST_PART and run.part < _LAST_PART:
                    run.part, run.after = _LAST_PART, 0
                    self._save(run)
                _count(run, checked)
                yield checked
                if run.part < _LAST_PART and time.monotonic() - saved > _SAVE_SECONDS:
                    self._save(run)
                    saved = time.monotonic()
        except GeneratorExit:
            if run.part < _LAST_PART:
                self._save(run)
            raise
        with self._database.transaction() as connection:
            verify_runs.forget(connection, run.name)
            verify_runs.drop_older(connection, run.begun_at)
            was_done(connection, VERIFY, f"{run.sound} sound, {run.damaged} damaged")

    def _save(self, run: Run) -> None:
        run.changed_at = time_text(datetime.now(UTC))
        with self._database.transaction() as connection:
            verify_runs.save(connection, run)

    def _noting(self, found: Iterator[Checked]) -> Iterator[Checked]:
        """What is damaged is remembered before it is told, and what was and is whole forgotten."""
        known = {one.blob for one in self.damaged(SYSTEM)}
        for checked in found:
            if checked.lost:
                self._note(checked)
                known.add(checked.blob)
            elif checked.blob in known:
                self.repaired(SYSTEM, checked)
            yield checked

    def _note(self, checked: Checked) -> None:
        assert checked.damage is not None
        found_at = time_text(datetime.now(UTC))
        found = Damaged(checked.blob, checked.sop_instance_uid, checked.size, checked.damage.value, found_at)
        with self._database.transaction() as connection:
            verify_runs.note(connection, found)


_LAST_PART = 4
"""The journal, and what nothing names: done again from the start when it was cut."""


def _new(name: str) -> Run:
    return Run(name, begun_at=time_text(datetime.now(UTC)))


def _count(run: Run, checked: Checked) -> None:
    if checked.damage is Damage.ORPHAN:
        return
    if checked.damage is None:
        run.sound += 1
    elif checked.forgotten:
        run.forgotten += 1
    else:
        run.damaged += 1
    run.bytes += checked.size
    if run.part < _LAST_PART:
        run.part, run.after = checked.place

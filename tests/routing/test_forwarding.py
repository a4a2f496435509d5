"""Forwarding by rules, in one process: what is sent where, how often, and what waits for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from storage.index import forwarding as rows_of
from storage.index import jobs
from storage.index.forwarding import Candidate
from tests.archives import Backend, put, ready, rows
from tests.objects import ct, part10
from vna.app import Application, build
from vna.jobs.workers import Work, Workers
from vna.model.access import SYSTEM
from vna.model.destination import Item, Sent, Verdict, failed
from vna.model.errors import Unavailable
from vna.model.instances import Door
from vna.model.priority import Priority
from vna.routing.forward_rules import ForwardRule, When
from vna.routing.forwarding import KINDS, LADDER, SURVEY, Forwarding, task_of
from vna.routing.reachable import Reachable

STUDY = "1.2.826.0.1.3680043.10.77.1"


@dataclass
class Archive:
    """A destination in this process: `takes` says of each item what becomes of it."""

    got: list[str] = field(default_factory=list)
    away: bool = False
    refuses: set[str] = field(default_factory=set)
    before: Callable[[], None] = lambda: None

    def send(self, items: Sequence[Item]) -> Iterator[Sent]:
        for item in items:
            self.before()
            if self.away:
                yield failed(item, Unavailable("it does not answer"), begun=False)
                continue
            try:
                b"".join(item.encode((item.transfer_syntax_uid,)).chunks)
            except Exception as error:  # noqa: BLE001 - as senders do
                yield failed(item, error)
                continue
            if item.sop_instance_uid in self.refuses:
                yield Sent(item, Verdict.FAILED, 0xC000, "not wanted")
                continue
            self.got.append(item.sop_instance_uid)
            yield Sent(item, Verdict.COMPLETED, 0)


@dataclass
class Site:
    """Our archive, and those that it sends to."""

    application: Application
    archives: dict[str, Archive]
    workers: Workers
    forwarding: Forwarding
    now: list[float]

    def put(self, *, source: str = "TEST", door: Door = Door.STOW, **elements: Any) -> str:
        study = elements.get("StudyInstanceUID", STUDY)
        series = f"{study}.{'9' if 'Modality' in elements else '8'}"
        ds: Dataset = ct(**{"StudyInstanceUID": study, "SeriesInstanceUID": series, **elements})
        put(self.application, part10(ds), source=source, door=door)
        return str(ds.SOPInstanceUID)

    def hand_out(self) -> None:
        self.application.dispatcher().drain()

    def settle(self) -> None:
        self.hand_out()
        self.workers.drain()

    def waiting(self) -> list[tuple[object, ...]]:
        return rows(
            self.application, "SELECT order_key, state, attempts FROM jobs WHERE kind LIKE 'forward-%' ORDER BY id"
        )

    def make_due(self) -> None:
        with self.application.database.transaction() as connection:
            for name in self.archives:
                rows_of.hurry(connection, KINDS, name)
            connection.exec_driver_sql("UPDATE jobs SET run_after = '' WHERE kind LIKE 'forward-%'")


Make = Callable[..., Site]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Make]:
    opened: list[Application] = []

    def make(*rules: dict[str, object], **sections: dict[str, object]) -> Site:
        values = [{"name": f"rule {number}", "to": "FAR", **rule} for number, rule in enumerate(rules)]
        settings = Backend("sqlite+folder", tmp_path).settings(**sections)
        settings = type(settings)(**{**settings.model_dump(), "forward": values})
        ready(settings)
        opened.append(build(settings))
        application = opened[-1]
        archives = {str(rule["to"]): Archive() for rule in values} or {"FAR": Archive()}
        now = [0.0]
        sending = application.keeping.forwarding.forwarding
        made = Forwarding(
            application.database,
            application.retrieval,
            sending._rules,
            destination_of=lambda name, _priority: archives[name],
            names_of=lambda name: frozenset({name}),
            reachable=Reachable(lambda: now[0]),
        )
        workers = Workers(application.database, dict.fromkeys(KINDS, made), ladders=dict.fromkeys(KINDS, LADDER))
        return Site(application, archives, workers, made, now)

    yield make
    for application in opened:
        application.close()


def candidate(**changes: Any) -> Candidate:
    known = dict.fromkeys(Candidate.__dataclass_fields__, "")
    said = {"key": 1, "size": 1, "tries": 0, "sha256": b"", "modality": "CT", "modalities": "\\CT\\SR\\"}
    return Candidate(**{**known, **said, "study_date": "20261120", **changes})


def test_what_is_damaged_is_not_forwarded(site: Make) -> None:
    here = site({})
    uid = here.put()
    ((name,),) = rows(here.application, "SELECT blob FROM instances")
    held = here.application.blobs.read(str(name))
    here.application.blobs.delete(str(name))
    here.application.blobs.put(str(name), [held[:-1] + bytes([held[-1] ^ 1])])

    here.settle()

    assert here.archives["FAR"].got == []
    assert rows(here.application, "SELECT sop_instance_uid, outcome FROM forwarded") == [(uid, "failed")]


@pytest.mark.parametrize(
    ("rule", "changes", "fits"),
    [
        ({}, {}, True),
        ({"modalities": frozenset({"CT"})}, {}, True),
        ({"modalities": frozenset({"CT"})}, {"modality": "SR"}, False),
        ({"modalities": frozenset({"CT"}), "when": When.STUDY}, {"modality": "SR"}, True),
        ({"modalities": frozenset({"MG"}), "when": When.STUDY}, {}, False),
        ({"facilities": frozenset({"34001"})}, {"facility": "34001"}, True),
        ({"facilities": frozenset({"34001"})}, {}, False),
        ({"calling": frozenset({"CT1"})}, {"source_ae": "CT2"}, False),
        ({"sop_classes": frozenset({"1.2"})}, {"sop_class_uid": "1.2"}, True),
        ({"sop_classes": frozenset({"1.2"})}, {"sop_class_uid": "1.3"}, False),
        ({"younger_than": 10}, {}, True),
        ({"younger_than": 9}, {}, False),
        ({"younger_than": 9}, {"study_date": "", "first_received_at": "2026-11-29T00:00:00+00:00"}, True),
    ],
)
def test_a_rule_fits_what_meets_each_of_its_conditions(
    rule: dict[str, Any], changes: dict[str, Any], fits: bool
) -> None:
    assert ForwardRule("x", "FAR", **rule).fits(candidate(**changes), date(2026, 11, 30)) is fits


def test_what_fits_is_sent_once_however_often_its_event_comes(site: Make) -> None:
    here = site({"modalities": ["CT"]})
    first, second = here.put(), here.put()
    here.put(Modality="SR")
    here.settle()
    assert here.archives["FAR"].got == [first, second]
    assert here.waiting() == []

    with here.application.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE events SET pending = 1")
    here.settle()

    assert here.archives["FAR"].got == [first, second]


def test_a_study_of_many_instances_goes_in_one_job_of_bounded_steps(site: Make) -> None:
    here = site({})
    sent = [here.put() for _ in range(60)]
    here.hand_out()
    assert [state for _, state, _ in here.waiting()] == ["ready"]

    here.workers.once()
    assert here.archives["FAR"].got == sent[:50]
    here.workers.drain()
    assert here.archives["FAR"].got == sent


def test_nothing_goes_back_to_whom_it_came_from_and_copies_go_nowhere(site: Make) -> None:
    here = site({"to": "FAR"}, {"to": "OTHER"})
    uid = here.put(source="FAR")
    here.put(source="CITY", door=Door.FETCH)
    here.settle()
    assert here.archives["FAR"].got == []
    assert here.archives["OTHER"].got == [uid]


def test_one_that_does_not_answer_holds_up_no_other_and_gets_all_when_it_is_back(site: Make) -> None:
    here = site({"to": "FAR"}, {"to": "NEAR"})
    here.archives["FAR"].away = True
    asked: list[int] = []
    here.archives["FAR"].before = lambda: asked.append(1)
    uids = [here.put(StudyInstanceUID=f"{STUDY}.{number}") for number in range(5)]
    here.settle()
    assert sorted(here.archives["NEAR"].got) == sorted(uids)
    assert len(asked) == 1, "it is left alone after the first that it does not answer"
    assert [(state, attempts) for _, state, attempts in here.waiting()] == [("ready", 1)] * 5

    standing = {one.to: one for one in here.application.keeping.forwarding.desk.listed(SYSTEM)}
    assert (standing["FAR"].waiting, standing["NEAR"].waiting) == (5, 0)
    assert "does not answer" in standing["FAR"].last_error

    here.archives["FAR"].away = False
    here.now[0] += 60
    with here.application.database.transaction() as connection:  # the first one's time has come
        connection.exec_driver_sql(
            "UPDATE jobs SET run_after = '' WHERE id = (SELECT MIN(id) FROM jobs WHERE kind LIKE 'forward-%')"
        )
    here.workers.drain()
    assert sorted(here.archives["FAR"].got) == sorted(uids)
    assert here.waiting() == []


def test_what_is_not_taken_holds_up_nothing_and_is_sent_again_until_a_person_has_to_look(site: Make) -> None:
    here = site({})
    bad, good = here.put(), here.put()
    here.archives["FAR"].refuses = {bad}
    here.settle()
    assert here.archives["FAR"].got == [good]
    for _ in range(10):
        here.make_due()
        here.workers.drain()
    desk = here.application.keeping.forwarding.desk
    assert here.waiting() == []
    assert [(one.failed, one.last_error) for one in desk.listed(SYSTEM)] == [(1, "not wanted")]
    assert rows(here.application, "SELECT tries FROM forwarded WHERE outcome = 'failed'") == [(5,)]

    here.archives["FAR"].refuses = set()
    assert desk.retry(SYSTEM) == 1
    here.workers.drain()
    assert here.archives["FAR"].got == [good, bad]
    assert desk.listed(SYSTEM)[0].failed == 0


@pytest.mark.parametrize("again", [True, False])
def test_what_is_replaced_later_is_sent_again_where_the_rule_says_so(site: Make, again: bool) -> None:
    here = site({"again": again}, storage={"min_free": 0, "duplicates": "replace"})
    uid = here.put()
    here.settle()
    here.put(SOPInstanceUID=uid, StudyDescription="corrected")
    here.settle()
    assert here.archives["FAR"].got == [uid] * (2 if again else 1)
    here.settle()
    assert len(here.archives["FAR"].got) == (2 if again else 1)


def test_what_is_deleted_meanwhile_is_passed_over(site: Make) -> None:
    here = site({})
    gone, stays = here.put(), here.put()
    series = f"{STUDY}.8"
    deletion = here.application.deletion

    def delete() -> None:
        here.archives["FAR"].before = lambda: None
        deletion.delete(SYSTEM, STUDY, series, gone, reason="a mistake")

    here.archives["FAR"].before = delete
    here.settle()
    assert here.archives["FAR"].got == [stays]
    assert here.waiting() == []
    assert rows(here.application, "SELECT sop_instance_uid FROM forwarded") == [(stays,)]


def test_a_study_is_sent_when_it_has_come_to_rest(site: Make) -> None:
    here = site({"when": "study", "rest": 3600})
    here.put()
    here.settle()
    [first] = rows(here.application, "SELECT run_after FROM jobs WHERE kind = 'forward-study'")
    here.put()
    here.settle()
    [second] = rows(here.application, "SELECT run_after FROM jobs WHERE kind = 'forward-study'")
    assert str(second[0]) > str(first[0]), "what comes puts it off"
    assert here.archives["FAR"].got == []
    here.make_due()
    here.workers.drain()
    assert len(here.archives["FAR"].got) == 2


def test_one_study_goes_by_hand_without_any_rule_and_again_when_asked(site: Make) -> None:
    here = site()
    uid = here.put(source="FAR")
    desk = here.application.keeping.forwarding.desk
    here.application.keeping.forwarding.desk._require = lambda _: None
    for again in (False, False, True):
        desk.send(SYSTEM, STUDY, "FAR", again=again)
        here.workers.drain()
    assert here.archives["FAR"].got == [uid, uid]


def test_a_reindex_remembers_what_arrived_and_looks_for_what_did_not(site: Make) -> None:
    here = site({})
    here.put()
    here.settle()
    late = here.put()
    here.hand_out()
    here.application.dispatcher().drain()
    list(here.application.reindex.run(SYSTEM))
    assert rows(here.application, "SELECT COUNT(*) FROM forwarded") == [(1,)]
    assert [key for key, _, _ in here.waiting()] == ["forward-survey"]

    survey = Workers(here.application.database, {SURVEY: here.application.keeping.forwarding.survey})
    survey.drain()
    here.workers.drain()
    assert here.archives["FAR"].got[1:] == [late]


def test_an_urgent_job_is_taken_while_bulk_forwarding_has_all_that_bulk_may_have(site: Make) -> None:
    here = site({"priority": "bulk"})
    for number in range(4):
        here.put(StudyInstanceUID=f"{STUDY}.{number}")
    here.hand_out()
    [payload, *_] = [row[0] for row in rows(here.application, "SELECT payload FROM jobs WHERE kind LIKE 'forward-%'")]
    assert task_of(str(payload)).priority == Priority.BULK
    held, begun, urgent, stop = threading.Event(), threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        held.wait(20)

    def read(_: str) -> None:
        urgent.set()

    here.archives["FAR"].before = hold
    works: dict[str, Work] = {**dict.fromkeys(KINDS, here.forwarding), "urgent": read}
    workers = Workers(here.application.database, works, threads=2)
    running = threading.Thread(target=workers.run, args=(stop,), kwargs={"pause": 0.05})
    running.start()
    try:
        assert begun.wait(10)
        with here.application.database.transaction() as connection:
            jobs.add(connection, "urgent")
        assert urgent.wait(10), "it is behind bulk"
        assert not held.is_set()
    finally:
        stop.set()
        held.set()
        running.join(20)

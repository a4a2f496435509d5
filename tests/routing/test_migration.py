"""Taking over an old PACS whose answers lie, are cut, or do not come: what is here in the end, what is said of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pytest
from pydicom.uid import generate_uid

from storage.index.takeovers import Finding, held_by_modality
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from tests.routing.manifests import kos, written
from tests.routing.old_pacs import OldPacs, running
from vna.app import Application
from vna.model.access import SYSTEM
from vna.model.errors import BadRequest, Conflict, NotFound, OutOfResources, Unavailable
from vna.model.instances import Door
from vna.model.sources import RemoteArchive, Source
from vna.routing.migration import Choice, Progress
from vna.routing.one_study import Compare
from vna.routing.reaching import Patience
from vna.routing.reconciliation import Figures, Reconciliation
from vna.routing.scope import Scope
from vna.routing.timetable import read_timetable

EVERYTHING = Scope()
QUICK = Choice(patience=Patience(2.0, 0.1))


@pytest.fixture
def pacs() -> Iterator[OldPacs]:
    with running(OldPacs()) as one:
        yield one


@dataclass
class Taker:
    """An archive that knows the old PACS as OLD."""

    archive: Application
    stopped: threading.Event

    def run(self, scope: Scope = EVERYTHING, choice: Choice = QUICK) -> list[Progress]:
        return list(self.archive.migration.run(SYSTEM, "OLD", scope, choice, self.stopped))

    def figures(self, scope: Scope = EVERYTHING) -> Reconciliation:
        return self.archive.reconciling.figures(SYSTEM, "OLD", scope)

    def findings(self, scope: Scope = EVERYTHING) -> list[Finding]:
        return list(self.archive.reconciling.findings(SYSTEM, "OLD", scope))

    def held(self) -> set[str]:
        return {str(row[0]) for row in rows(self.archive, "SELECT sop_instance_uid FROM instances")}

    def figures_here(self, study_instance_uid: str) -> int:
        """How many images of a study are here, as reports count them."""
        with self.archive.database.read() as connection:
            return held_by_modality(connection, [study_instance_uid]).get(study_instance_uid, {}).get("CT", 0)

    def knows(self, archive: RemoteArchive, facility: str = "") -> None:
        self.archive.sources.add(SYSTEM, Source("OLD", "OLD", facility=facility, archive=archive))


@pytest.fixture
def taker(open_archive: Open, pacs: OldPacs) -> Taker:
    one = Taker(open_archive(), threading.Event())
    one.knows(pacs.archive, "34001")
    return one


def study(pacs: OldPacs, instances: int, **elements: object) -> tuple[str, list[str]]:
    """One study of one series; its UID, and those of its instances."""
    uid, series = generate_uid(), generate_uid()
    said = {"StudyInstanceUID": uid, "SeriesInstanceUID": series, **elements}
    return uid, [pacs.add(**said) for _ in range(instances)]


def many(pacs: OldPacs, number: int) -> None:
    """Studies of two instances, each of another patient."""
    for one in range(number):
        study(pacs, 2, PatientID=f"M{one}")


def test_everything_is_here_and_the_counts_add_up_by_year_and_modality(taker: Taker, pacs: OldPacs) -> None:
    study(pacs, 3, StudyDate="20190304")
    study(pacs, 2, StudyDate="20190401", Modality="MR")
    study(pacs, 1, StudyDate=None)
    taker.run()
    done = taker.figures()
    assert done.adds_up
    assert done.by_year == {
        ("2019", "CT"): Figures(1, 1, 3, 3),
        ("2019", "MR"): Figures(1, 1, 2, 2),
        ("no date", "CT"): Figures(1, 1, 1, 1),
    }
    assert (done.totals.stored, done.totals.by_state["complete"]) == (6, 3)
    assert taker.held() == {one.uid for one in pacs.held}
    assert rows(taker.archive, "SELECT DISTINCT door, source_ae, facility FROM instances") == [
        ("migration", "OLD", "34001")
    ]
    assert taker.findings() == []


def test_a_second_run_fetches_nothing_and_finds_what_is_new(taker: Taker, pacs: OldPacs) -> None:
    uid, _ = study(pacs, 2)
    taker.run()
    pacs.asked.clear()
    taker.run()
    assert [path for path in pacs.asked if "/instances" in path] == []
    pacs.add(StudyInstanceUID=uid, SeriesInstanceUID=pacs.held[0].ds.SeriesInstanceUID)
    study(pacs, 1)
    taker.run()
    assert len(taker.held()) == 4
    assert taker.figures().adds_up


@pytest.mark.parametrize(
    ("scope", "number"),
    [
        (Scope(first=date(2020, 1, 1)), 3),
        (Scope(last=date(2019, 12, 31)), 2),
        (Scope(date(2019, 1, 1), date(2020, 6, 1)), 2),
        (Scope(modalities=("MR",)), 2),
        (Scope(modalities=("MR", "CR")), 4),
        (Scope(patient_id="P7"), 1),
        (Scope(first=date(2020, 1, 1), modalities=("CT",)), 1),
    ],
)
def test_only_what_is_chosen_is_taken_over(taker: Taker, pacs: OldPacs, scope: Scope, number: int) -> None:
    study(pacs, 1, StudyDate="20180101")
    study(pacs, 1, StudyDate="20190101", Modality="MR", PatientID="P7")
    study(pacs, 1, StudyDate="20200101", Modality="MR")
    study(pacs, 1, StudyDate="20210101", Modality="CR")
    study(pacs, 1, StudyDate="20220101")
    study(pacs, 1, StudyDate=None, Modality="CR")
    taker.run(scope)
    assert len(taker.held()) == number
    assert taker.figures(scope).totals.figures.studies == number


def spread(pacs: OldPacs, number: int) -> None:
    """So many studies, on all days, some on the same, some without one."""
    for one in range(number):
        day = {0: None, 1: "20200229"}.get(one % 10, f"20{10 + one % 14:02}{1 + one % 12:02}{1 + one % 28:02}")
        study(pacs, 1, StudyDate=day, StudyTime=f"{one % 24:02}{one % 60:02}10", PatientID=f"{one * 7919 % 1000:03}x")


@pytest.mark.parametrize("cap", [25, 40, 77])
def test_a_source_that_cuts_its_answers_and_does_not_say_so_hides_nothing(
    taker: Taker, pacs: OldPacs, cap: int
) -> None:
    spread(pacs, 300)
    pacs.cap = cap
    taker.run(choice=Choice(copies=False))
    done = taker.figures()
    assert done.totals.figures.studies == 300
    assert (done.is_listed, done.cut) == (True, [])
    assert pacs.searches() < 1000


def test_pages_that_are_shorter_than_what_was_asked_for_hide_nothing(taker: Taker, pacs: OldPacs) -> None:
    spread(pacs, 120)
    study(pacs, 60)
    pacs.pages = 25
    taker.run()
    assert taker.held() == {one.uid for one in pacs.held}
    assert taker.figures().adds_up


def test_studies_without_a_date_are_found_where_they_are_what_is_cut_away(taker: Taker, pacs: OldPacs) -> None:
    for one in range(30):
        study(pacs, 1, StudyDate=None if one % 3 == 0 else f"202001{one + 1:02}", PatientID=f"{one}")
    pacs.cap, pacs.undated_last = 25, True
    taker.run(choice=Choice(copies=False))
    done = taker.figures()
    assert (done.totals.figures.studies, done.cut) == (30, [])


def test_a_list_that_is_whole_is_believed_after_a_few_searches(taker: Taker, pacs: OldPacs) -> None:
    for one in range(300):
        study(pacs, 1, StudyDate=f"20{10 + one % 14:02}{1 + one % 12:02}{1 + one % 28:02}")
    taker.run(choice=Choice(copies=False))
    assert taker.figures().totals.figures.studies == 300
    assert pacs.searches() < 12


def test_a_minute_with_more_studies_than_the_source_gives_is_said_to_be_cut(taker: Taker, pacs: OldPacs) -> None:
    for _ in range(60):
        study(pacs, 1, StudyDate="20200101", StudyTime="101112", PatientID="SAME")
    pacs.cap = 25
    taker.run()
    done = taker.figures()
    assert done.cut
    assert dict(done.cut)["2020-01-01 from 10:11 to 10:11, patients whose ID begins alike"]
    assert not done.adds_up
    assert len(taker.held()) == 25


def test_a_source_that_passes_over_dates_is_said_to_hide_something(taker: Taker, pacs: OldPacs) -> None:
    spread(pacs, 100)
    pacs.ignores_dates, pacs.cap = True, 30
    taker.run(choice=Choice(copies=False))
    done = taker.figures()
    assert [reason for _, reason in done.cut if "passes over Study Date" in reason]
    assert pacs.searches() < 1000


def test_an_instance_that_is_listed_and_not_given_is_missing(taker: Taker, pacs: OldPacs) -> None:
    uid, instances = study(pacs, 3)
    study(pacs, 1)
    pacs.lost = {instances[1]}
    taker.run()
    assert taker.findings() == [Finding(uid, instances[1], "missing", "the source lists it and does not give it")]
    done = taker.figures()
    assert not done.adds_up
    assert (done.totals.missing, done.totals.by_state["incomplete"], done.totals.by_state["complete"]) == (1, 1, 1)
    pacs.lost = set()
    taker.run()
    assert len(taker.held()) == 3, "nobody asked for it to be tried again"
    taker.run(choice=Choice(retry_failed=True))
    assert taker.figures().adds_up
    assert taker.findings() == []


def test_an_instance_that_is_given_and_not_listed_is_kept_and_told(taker: Taker, pacs: OldPacs) -> None:
    uid, instances = study(pacs, 3)
    pacs.hidden = {instances[0]}
    taker.run()
    assert taker.held() == set(instances)
    assert taker.findings() == [Finding(uid, instances[0], "unlisted", "the source gives it and does not list it")]
    assert taker.figures().adds_up


def test_a_study_that_is_said_to_have_more_than_comes_is_not_complete(taker: Taker, pacs: OldPacs) -> None:
    uid, _ = study(pacs, 2)
    pacs.counts[uid] = 5
    taker.run()
    assert taker.findings() == [Finding(uid, "", "missing", "3 more are said to be there: 5, not 2")]
    assert taker.figures().totals.missing == 3
    pacs.counts[uid] = 1
    taker.run()
    assert taker.findings() == [Finding(uid, "", "miscounted", "the source says 1 instances, and lists 2")]
    assert taker.figures().adds_up


def test_other_content_than_is_held_is_told_and_changes_nothing(taker: Taker, pacs: OldPacs) -> None:
    uid, instances = study(pacs, 2)
    ours = pacs.held[0].content.replace(b"Hekim", b"Hakim")
    put(taker.archive, ours)
    put(taker.archive, pacs.held[1].content)
    taker.run()
    assert taker.findings() == [Finding(uid, instances[0], "differed", f"other content is held as {instances[0]}")]
    done = taker.figures()
    assert (done.totals.stored, done.totals.held, done.totals.differed) == (0, 1, 1)
    assert not done.adds_up


def test_what_is_held_is_compared_as_was_asked(taker: Taker, pacs: OldPacs) -> None:
    _, instances = study(pacs, 1)
    put(taker.archive, pacs.held[0].content)
    taker.run(choice=Choice(compare=Compare.NONE))
    assert [path for path in pacs.asked if not path.startswith("/rs/studies?") and "limit" not in path] == [
        "/rs/studies/2.25.0"
    ]
    pacs.instead[instances[0]] = pacs.held[0].content.replace(b"Hekim", b"Hakim")
    taker.run(choice=Choice(recheck=True, compare=Compare.NONE))
    assert taker.figures().adds_up
    taker.run(choice=Choice(recheck=True))
    assert taker.figures().totals.differed == 1


def test_what_came_from_the_source_is_compared_again_when_all_is(taker: Taker, pacs: OldPacs) -> None:
    _, instances = study(pacs, 1)
    taker.run()
    pacs.instead[instances[0]] = pacs.held[0].content.replace(b"Hekim", b"Hakim")
    taker.run(choice=Choice(recheck=True))
    assert taker.figures().adds_up
    taker.run(choice=Choice(recheck=True, compare=Compare.ALL))
    assert [one.what for one in taker.findings()] == ["differed"]


def test_one_instance_that_is_refused_costs_no_other_and_says_why(taker: Taker, pacs: OldPacs) -> None:
    uid, instances = study(pacs, 4)
    pacs.instead[instances[1]] = pacs.held[1].content[:-100]
    taker.run()
    (finding,) = taker.findings()
    assert (finding.study_instance_uid, finding.sop_instance_uid, finding.what) == (uid, instances[1], "refused")
    assert finding.reason
    assert len(taker.held()) == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>not found</html>", "no DICOM object"),
        (part10(ct(StudyInstanceUID="1.2.3")), "another study"),
        (b"", "without a byte"),
    ],
)
def test_something_else_in_the_place_of_an_instance_costs_no_other(
    taker: Taker, pacs: OldPacs, content: bytes, words: str
) -> None:
    _, instances = study(pacs, 4)
    study(pacs, 1)
    pacs.instead[instances[0]] = content
    taker.run()
    (finding,) = taker.findings()
    assert (finding.sop_instance_uid, finding.what) == (instances[0], "missing")
    assert words in finding.reason
    assert len(taker.held()) == 4


def test_a_page_instead_of_an_answer_is_told_before_anything_is_begun(taker: Taker, pacs: OldPacs) -> None:
    pacs.html = True
    with pytest.raises(Unavailable, match="answers with text/html"):
        taker.run()


def test_a_source_that_goes_away_is_waited_for_and_everything_comes(taker: Taker, pacs: OldPacs) -> None:
    many(pacs, 60)
    pacs.falls_after = 40
    notes = set()
    for progress in taker.archive.migration.run(SYSTEM, "OLD", EVERYTHING, Choice(), taker.stopped):
        notes.add(progress.note)
        if progress.note and pacs.falls_after:
            pacs.falls_after = 0
            threading.Timer(1.0, lambda: setattr(pacs, "down", False)).start()
    assert "OLD does not answer, and is tried again" in notes
    assert len(taker.held()) == 120
    assert taker.figures().adds_up


def test_a_source_that_stays_away_ends_the_run_and_costs_nothing(taker: Taker, pacs: OldPacs) -> None:
    many(pacs, 60)
    pacs.falls_after = 40
    with pytest.raises(Unavailable, match="OLD does not answer any more"):
        taker.run()
    states = taker.figures().totals.by_state
    assert states["failed"] == 0
    assert states["listed"] > 0
    pacs.falls_after, pacs.down, taker.stopped = 0, False, threading.Event()
    taker.run()
    assert taker.figures().adds_up


def test_stopped_in_the_middle_it_goes_on_where_it_was(taker: Taker, pacs: OldPacs) -> None:
    many(pacs, 60)
    for progress in taker.archive.migration.run(SYSTEM, "OLD", EVERYTHING, QUICK, taker.stopped):
        if progress.phase == "copying" and progress.studies_done >= 3:
            taker.stopped.set()
    before = taker.held()
    assert 0 < len(before) < 120
    pacs.asked.clear()
    taker.stopped = threading.Event()
    taker.run()
    assert taker.figures().adds_up
    assert len(taker.held()) == 120
    fetched = [path for path in pacs.asked if path.count("/") >= 3 and "?" not in path]
    assert len(fetched) < 60, "what was done is not fetched again"


def test_only_one_run_at_a_time_is_at_it(taker: Taker, pacs: OldPacs, monkeypatch: pytest.MonkeyPatch) -> None:
    study(pacs, 1)
    first = taker.archive.migration.run(SYSTEM, "OLD", EVERYTHING, QUICK, taker.stopped)
    next(first)
    monkeypatch.setattr("vna.routing.migration._LEASE_SECONDS", -0.5)
    with pytest.raises(Conflict, match="another run is at OLD"):
        taker.run()
    first.close()  # type: ignore[attr-defined]  # a generator


def test_no_more_instances_a_second_are_taken_than_were_agreed(taker: Taker, pacs: OldPacs) -> None:
    for _ in range(10):
        study(pacs, 2)
    begun = time.monotonic()
    taker.run(choice=Choice(timetable=read_timetable("10/s")))
    assert time.monotonic() - begun > 1.7
    assert len(taker.held()) == 20


def test_no_more_bytes_a_second_are_taken_than_were_agreed(taker: Taker, pacs: OldPacs) -> None:
    for _ in range(20):
        study(pacs, 2)
    size = sum(len(one.content) for one in pacs.held)
    begun = time.monotonic()
    taker.run(choice=Choice(timetable=read_timetable(f"{size // 2000}KB/s")))
    assert time.monotonic() - begun > 1.6
    assert len(taker.held()) == 40


def test_no_space_ends_the_run_with_the_reason_and_no_study_is_to_blame(
    taker: Taker, pacs: OldPacs, open_archive: Open
) -> None:
    study(pacs, 1)
    full = Taker(open_archive(storage={"min_free": 1 << 60}), threading.Event())
    with pytest.raises(OutOfResources):
        full.run()
    assert taker.figures().totals.by_state == {"listed": 1}


def test_what_a_manifest_named_is_here_afterwards_and_what_was_fetched_stays(taker: Taker, pacs: OldPacs) -> None:
    uid, instances = study(pacs, 3)
    series = str(pacs.held[0].ds.SeriesInstanceUID)
    put(taker.archive, written(kos(uid, {series: instances}, ae_title="OLD")))
    taker.archive.catch_up()
    put(taker.archive, pacs.held[0].content, door=Door.FETCH)
    assert taker.figures_here(uid) == 1
    taker.run()
    assert taker.figures().totals.by_state == {"complete": 1}
    assert taker.findings() == []
    kept = f"SELECT door, source_ae FROM instances WHERE sop_instance_uid LIKE '{instances[0]}'"
    assert rows(taker.archive, kept) == [("migration", "OLD")]
    assert rows(taker.archive, f"SELECT availability FROM studies WHERE study_instance_uid = '{uid}'") == [(0,)]
    assert taker.figures_here(uid) == 3


@pytest.mark.parametrize(
    ("archive", "choice", "error", "words"),
    [
        (
            RemoteArchive(wado_rs="here"),
            QUICK,
            BadRequest,
            "OLD cannot be searched: it needs a DICOM or a QIDO-RS address",
        ),
        (RemoteArchive(qido_rs="here"), QUICK, BadRequest, "OLD cannot be read: it needs a DICOM, WADO-RS"),
        (RemoteArchive(qido_rs="here", wado_rs="here"), Choice(door="C-GET"), BadRequest, "OLD has no door C-GET"),
        (RemoteArchive(qido_rs="http://127.0.0.1:1/"), QUICK, Unavailable, "QIDO-RS: no connection to OLD"),
    ],
)
def test_a_source_that_cannot_be_taken_over_is_told_so_at_once(
    taker: Taker, pacs: OldPacs, archive: RemoteArchive, choice: Choice, error: type[Exception], words: str
) -> None:
    url = pacs.archive.qido_rs
    taker.knows(
        RemoteArchive(
            qido_rs=url if archive.qido_rs == "here" else archive.qido_rs,
            wado_rs=url if archive.wado_rs == "here" else archive.wado_rs,
        )
    )
    with pytest.raises(error, match=words):
        taker.run(choice=choice)


def test_a_source_that_is_not_known_is_not_found(taker: Taker) -> None:
    with pytest.raises(NotFound, match="no source NOBODY is known"):
        list(taker.archive.migration.run(SYSTEM, "NOBODY", EVERYTHING, QUICK, taker.stopped))

"""Rejection notes (IHE Imaging Object Change Management), on both pairs of stores."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from pydicom import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage, generate_uid

from tests.archive.test_reindex import answers
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from vna.app import Application
from vna.archive.names import STUDIES
from vna.model.access import SYSTEM
from vna.model.errors import Conflict, DuplicateInstance, NotFound, Withheld
from vna.model.instances import Accepted, Outcome, Selection
from vna.model.query import Key, Level, Query

TITLES = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}
SECTIONS = {"113001": "quality", "113037": "patient_safety", "113038": "worklist_entry", "113039": "expired"}


def code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def selection(title: Dataset, named: Sequence[Dataset], **elements: object) -> Dataset:
    """A Key Object Selection that names instances, in the study of the first."""
    note = Dataset()
    note.SpecificCharacterSet = "ISO_IR 192"
    note.SOPClassUID, note.SOPInstanceUID = KeyObjectSelectionDocumentStorage, generate_uid()
    note.StudyInstanceUID, note.SeriesInstanceUID = named[0].StudyInstanceUID, generate_uid()
    note.PatientID, note.PatientName = named[0].PatientID, named[0].PatientName
    note.Modality, note.SeriesNumber, note.InstanceNumber = "KO", 99, 1
    note.ValueType, note.ContentDate, note.ContentTime = "CONTAINER", "20260102", "120000"
    note.ConceptNameCodeSequence = [title]
    note.CurrentRequestedProcedureEvidenceSequence = []
    for one in named:
        reference, series, study = Dataset(), Dataset(), Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = one.SOPClassUID, one.SOPInstanceUID
        series.SeriesInstanceUID, series.ReferencedSOPSequence = one.SeriesInstanceUID, [reference]
        study.StudyInstanceUID, study.ReferencedSeriesSequence = one.StudyInstanceUID, [series]
        note.CurrentRequestedProcedureEvidenceSequence.append(study)
    for keyword, value in elements.items():
        setattr(note, keyword, value)
    return note


def rejection(value: str, *named: Dataset, **elements: object) -> Dataset:
    return selection(code(value, TITLES[value]), named, **elements)


def settle(archive: Application) -> None:
    """Everything that follows what was stored."""
    for _ in range(3):
        archive.catch_up()


def seen(archive: Application, study: str) -> set[str]:
    query = Query(Level.IMAGE, keys=(Key(("0020000D",), "UI", (study,)),))
    found = {one.sop_instance_uid for one in archive.search.find(SYSTEM, query).matches}
    held = archive.retrieval.instances(SYSTEM, Selection(study_uids=(study,)))
    assert {one.sop_instance_uid for one in held} == found
    counted = rows(archive, f"select number_of_instances from studies where study_instance_uid = '{study}'")
    assert counted == ([(len(found),)] if found else [])
    return found


def images(count: int = 2) -> list[Dataset]:
    study, series = generate_uid(), generate_uid()
    return [ct(StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=n + 1) for n in range(count)]


def uids(*found: Dataset) -> set[str]:
    return {str(one.SOPInstanceUID) for one in found}


def send(archive: Application, *found: Dataset) -> list[Accepted]:
    return [put(archive, part10(one)) for one in found]


@pytest.mark.parametrize(
    ("title", "showing", "shown"),
    [
        *((title, "hide", (0, 0)) for title in TITLES),
        ("113001", "show", (1, 1)),
        ("113037", "show-note", (0, 1)),
    ],
)
def test_each_title_hides_or_shows_as_its_setting_says(
    open_archive: Open, title: str, showing: str, shown: tuple[int, int]
) -> None:
    archive = open_archive(iocm={SECTIONS[title]: showing})
    good, bad = images()
    note = rejection(title, bad)
    send(archive, good, bad, note)

    settle(archive)

    wanted = uids(good) | (uids(bad) if shown[0] else set()) | (uids(note) if shown[1] else set())
    assert seen(archive, good.StudyInstanceUID) == wanted
    (known,) = archive.keeping.rejections.listed(SYSTEM)
    assert (known.code, known.note, known.named) == (title, note.SOPInstanceUID, 1)


def test_a_rejection_is_the_same_after_a_reindex_and_revoking_it_leaves_all_as_before(open_archive: Open) -> None:
    archive = open_archive()
    good, bad = images()
    late = ct(StudyInstanceUID=good.StudyInstanceUID)
    note = rejection("113001", bad, late)
    send(archive, good, bad)
    settle(archive)
    before = answers(archive)
    send(archive, note)
    settle(archive)
    send(archive, late)
    assert seen(archive, good.StudyInstanceUID) == uids(good)
    settle(archive)
    rejected = answers(archive)

    list(archive.reindex.run(SYSTEM))
    settle(archive)
    assert answers(archive) == rejected
    assert seen(archive, good.StudyInstanceUID) == uids(good)
    archive.keeping.rejections.revoke(SYSTEM, note.SOPInstanceUID, reason="by mistake")
    settle(archive)

    assert seen(archive, good.StudyInstanceUID) == uids(good, bad, late)
    archive.deletion.delete(SYSTEM, late.StudyInstanceUID, late.SeriesInstanceUID)
    settle(archive)
    assert answers(archive).files == before.files
    list(archive.reindex.run(SYSTEM))
    settle(archive)
    assert seen(archive, good.StudyInstanceUID) == uids(good, bad)
    with pytest.raises(Conflict, match="before"):
        archive.keeping.rejections.revoke(SYSTEM, note.SOPInstanceUID)
    with pytest.raises(NotFound):
        archive.keeping.rejections.revoke(SYSTEM, "1.2.3")


def test_deleting_a_note_that_shows_revokes_it_and_another_note_still_holds(open_archive: Open) -> None:
    archive = open_archive(iocm={"quality": "show-note"})
    one, two = images()
    first, second = rejection("113001", one, two), rejection("113037", two)
    send(archive, one, two, first, second)
    settle(archive)
    study = one.StudyInstanceUID
    assert seen(archive, study) == uids(first)

    archive.deletion.delete(SYSTEM, study, first.SeriesInstanceUID, first.SOPInstanceUID, reason="wrong image")
    settle(archive)
    assert seen(archive, study) == uids(one)
    archive.keeping.rejections.revoke(SYSTEM, second.SOPInstanceUID)
    settle(archive)
    assert seen(archive, study) == uids(one, two)

    send(archive, rejection("113001", one))  # a new note
    settle(archive)
    assert uids(one).isdisjoint(seen(archive, study))


@pytest.mark.parametrize("title", TITLES)
def test_an_instance_that_is_hidden_comes_again_as_the_profile_says(open_archive: Open, title: str) -> None:
    archive = open_archive()
    (bad,) = images(1)
    note = rejection(title, bad)
    send(archive, bad, note)
    settle(archive)
    blobs = set(archive.blobs.names(STUDIES))

    if title in ("113037", "113038"):
        with pytest.raises(Withheld, match=TITLES[title]):
            send(archive, bad)
    elif title == "113001":
        assert send(archive, bad, note)[0].outcome is Outcome.ALREADY_HELD
        bad.PatientComments = "changed"
        with pytest.raises(DuplicateInstance):
            send(archive, bad)
    else:
        assert send(archive, bad)[0].outcome is Outcome.STORED

    settle(archive)
    assert seen(archive, bad.StudyInstanceUID) == (uids(bad) if title == "113039" else set())
    assert title == "113039" or set(archive.blobs.names(STUDIES)) == blobs
    assert [one.damage for one in archive.care.verify(SYSTEM) if one.damage] == []


def test_a_note_of_one_facility_rejects_nothing_of_another(open_archive: Open) -> None:
    archive = open_archive()
    own, other = images()
    note = rejection("113037", own, other)
    for one, facility in ((own, "34001"), (other, "34002"), (note, "34001")):
        one.InstitutionName = f"Deneme^^^SKRS{facility}^^^VNA"
    send(archive, own, other, note)

    settle(archive)

    assert seen(archive, own.StudyInstanceUID) == uids(other)


def test_other_selections_reject_nothing(open_archive: Open) -> None:
    archive = open_archive()
    (image,) = images(1)
    note = selection(code("113000", "Of Interest"), [image])
    send(archive, image, note)
    settle(archive)
    assert seen(archive, image.StudyInstanceUID) == uids(image, note)
    assert list(archive.keeping.rejections.listed(SYSTEM)) == []


def test_what_is_stored_while_a_note_takes_effect_is_hidden_too(open_archive: Open) -> None:
    archive = open_archive()
    found = images(24)
    note = rejection("113038", *found[4:])
    send(archive, *found[:2])
    together = threading.Barrier(5)

    def store(some: Sequence[Dataset]) -> None:
        together.wait()
        send(archive, *some)

    def reject() -> None:
        together.wait()
        send(archive, note)
        settle(archive)

    with ThreadPoolExecutor(5) as threads:
        done = [threads.submit(store, found[2 + n :: 4]) for n in range(4)] + [threads.submit(reject)]
        for one in done:
            one.result()
    archive.keeping.rejections.apply(SYSTEM)  # what the job does again a minute later
    settle(archive)

    assert seen(archive, note.StudyInstanceUID) == uids(*found[:4])


@pytest.mark.parametrize(("title", "asked"), [("113001", False), ("113001", True), ("113039", False)])
def test_purging_leaves_what_a_note_hides_unless_asked_or_its_time_is_over(
    open_archive: Open, title: str, asked: bool
) -> None:
    archive = open_archive()
    good, bad = images()
    send(archive, good, bad)
    send(archive, note := rejection(title, bad))
    settle(archive)
    goes = asked or title == "113039"

    done = archive.keeping.care.purging.purge(SYSTEM, timedelta(0), rejected=asked)

    assert (done.instances, done.rejected) == (int(goes), int(not goes))
    archive.keeping.rejections.revoke(SYSTEM, str(note.SOPInstanceUID))
    settle(archive)
    assert seen(archive, good.StudyInstanceUID) == (uids(good) if goes else uids(good, bad))

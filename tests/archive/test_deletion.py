"""Deleting and putting back, on both pairs of stores."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydicom.uid import generate_uid

from tests.archives import Open, put, rows
from tests.objects import ct, part10
from vna.app import Application
from vna.archive.care import Damage
from vna.model.access import SYSTEM, Coercion, Peer
from vna.model.errors import NotFound
from vna.model.instances import Accepted, Outcome, Selection
from vna.model.query import Key, Level, Query

COUNTS = (
    "select number_of_studies, number_of_series, number_of_instances from patients",
    "select number_of_series, number_of_instances, modalities from studies",
    "select number_of_instances from series order by id",
)


def found(archive: Application, level: Level, study: str) -> int:
    query = Query(level, keys=(Key(("0020000D",), "UI", (study,)),))
    return len(list(archive.search.find(SYSTEM, query).matches))


def two_series(archive: Application) -> tuple[Accepted, Accepted, Accepted]:
    """A study of a CT series of two and an MR series of one."""
    study, series = generate_uid(), generate_uid()
    first = put(archive, part10(ct(StudyInstanceUID=study, SeriesInstanceUID=series)))
    second = put(archive, part10(ct(StudyInstanceUID=study, SeriesInstanceUID=series)))
    other = put(archive, part10(ct(StudyInstanceUID=study, Modality="MR")))
    return first, second, other


def test_what_is_deleted_is_found_by_nothing_and_counts_say_so(open_archive: Open) -> None:
    archive = open_archive()
    first, second, other = two_series(archive)
    study = first.study_instance_uid

    assert archive.deletion.delete(SYSTEM, study, other.series_instance_uid) == 1
    assert [rows(archive, sql) for sql in COUNTS] == [[(1, 1, 2)], [(1, 2, "\\CT\\")], [(2,)]]
    assert archive.deletion.delete(SYSTEM, study, first.series_instance_uid, first.sop_instance_uid) == 1
    assert [rows(archive, sql) for sql in COUNTS] == [[(1, 1, 1)], [(1, 1, "\\CT\\")], [(1,)]]
    assert [i.sop_instance_uid for i in archive.retrieval.instances(SYSTEM, Selection(study_uids=(study,)))] == [
        second.sop_instance_uid
    ]
    assert archive.deletion.delete(SYSTEM, study) == 1

    assert [rows(archive, sql) for sql in COUNTS] == [[], [], []]
    assert [found(archive, level, study) for level in (Level.STUDY, Level.SERIES, Level.IMAGE)] == [0, 0, 0]
    assert archive.retrieval.instances(SYSTEM, Selection(study_uids=(study,))) == ()
    with pytest.raises(NotFound, match="no such study"):
        archive.deletion.delete(SYSTEM, study)


def test_a_restored_study_is_as_it_was(open_archive: Open) -> None:
    archive = open_archive()
    archive.peers.add(SYSTEM, Peer("SCANNER", facility="42", coercion=Coercion(set=(("InstitutionName", "Yeni"),))))
    study, data = generate_uid(), []
    for modality in ("CT", "MR"):
        data.append(part10(ct(StudyInstanceUID=study, Modality=modality)))
        put(archive, data[-1], source="SCANNER")
    columns = "sop_instance_uid, blob, door, source_ae, facility, received_at, header"
    before = rows(archive, f"select {columns} from instances order by sop_instance_uid")
    sent = [archive.retrieval.part10(SYSTEM, i).read() for i in archive.retrieval.instances(SYSTEM, Selection())]
    archive.deletion.delete(SYSTEM, study, reason="by mistake")
    assert {(one.reason, one.deleted_by) for one in archive.deletion.deleted(SYSTEM)} == {("by mistake", "vna")}

    assert [one.problem for one in archive.deletion.restore(SYSTEM, study)] == ["", ""]

    assert rows(archive, f"select {columns} from instances order by sop_instance_uid") == before
    again = [archive.retrieval.part10(SYSTEM, i).read() for i in archive.retrieval.instances(SYSTEM, Selection())]
    assert sorted(again) == sorted(sent)
    assert list(archive.deletion.deleted(SYSTEM)) == []
    with pytest.raises(NotFound, match="nothing of that was deleted"):
        archive.deletion.restore(SYSTEM, study)


def test_what_is_sent_again_after_a_delete_is_stored_and_restoring_says_so(open_archive: Open) -> None:
    archive = open_archive()
    data = part10(ct())
    accepted = put(archive, data)
    archive.deletion.delete(SYSTEM, accepted.study_instance_uid)

    assert put(archive, data).outcome is Outcome.STORED

    assert found(archive, Level.IMAGE, accepted.study_instance_uid) == 1
    (one,) = archive.deletion.restore(SYSTEM, accepted.study_instance_uid)
    assert one.problem == "it is held again, as it was sent anew"
    assert len(list(archive.deletion.deleted(SYSTEM))) == 1


def test_deleted_bytes_are_watched_over_and_swept_by_nobody(open_archive: Open) -> None:
    archive = open_archive()
    kept, lost = [put(archive, part10(ct())) for _ in range(2)]
    for accepted in (kept, lost):
        archive.deletion.delete(SYSTEM, accepted.study_instance_uid)
    blobs = {one.sop_instance_uid: one.blob for one in archive.deletion.deleted(SYSTEM)}

    assert [one.damage for one in archive.care.verify(SYSTEM)] == [None, None]
    assert archive.care.sweep(SYSTEM) == 0
    archive.blobs.delete(blobs[lost.sop_instance_uid])
    assert {one.blob for one in archive.care.verify(SYSTEM) if one.damage is Damage.MISSING} == {
        blobs[lost.sop_instance_uid]
    }
    (problem,) = [one.problem for one in archive.deletion.restore(SYSTEM, lost.study_instance_uid)]
    assert problem
    assert [one.problem for one in archive.deletion.restore(SYSTEM, kept.study_instance_uid)] == [""]


def test_another_worker_that_remembers_the_series_stores_into_a_new_one(open_archive: Open) -> None:
    one, other = open_archive(), open_archive()
    study, series = generate_uid(), generate_uid()
    put(other, part10(ct(StudyInstanceUID=study, SeriesInstanceUID=series)))
    one.deletion.delete(SYSTEM, study)

    put(other, part10(ct(StudyInstanceUID=study, SeriesInstanceUID=series)))

    assert rows(one, COUNTS[0]) == [(1, 1, 1)]
    assert found(one, Level.IMAGE, study) == 1


def test_racing_stores_and_deletes_of_one_study_neither_fail_nor_lose_count(open_archive: Open) -> None:
    archive, other = open_archive(), open_archive()
    study = generate_uid()
    series = [generate_uid() for _ in range(3)]
    gate = threading.Barrier(5)

    def store(number: int) -> int:
        gate.wait()
        for turn in range(12):
            ds = ct(PatientID="RACED", StudyInstanceUID=study, SeriesInstanceUID=series[(number + turn) % 3])
            put(archive if number % 2 else other, part10(ds))
        return 12

    def delete() -> int:
        gate.wait()
        gone = 0
        for turn in range(12):
            try:
                gone += archive.deletion.delete(SYSTEM, study, series[turn % 3] if turn % 2 else "")
            except NotFound:
                continue
        return gone

    with ThreadPoolExecutor(5) as pool:
        stores = [pool.submit(store, number) for number in range(4)]
        gone = pool.submit(delete).result()
        stored = sum(one.result() for one in stores)

    ((held,),) = rows(archive, "select count(*) from instances")
    assert held == stored - gone
    assert rows(archive, "select coalesce(sum(number_of_instances), 0) from series") == [(held,)]
    assert rows(archive, "select coalesce(sum(number_of_instances), 0) from studies") == [(held,)]
    assert rows(archive, "select coalesce(sum(number_of_instances), 0) from patients") == [(held,)]
    assert rows(archive, "select count(*) from series where number_of_instances = 0") == [(0,)]
    ((there,),) = rows(archive, "select count(*) from series")
    assert rows(archive, "select coalesce(sum(number_of_series), 0) from patients") == [(there,)]
